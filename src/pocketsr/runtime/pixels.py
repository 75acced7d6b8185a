"""How 8-bit pixels become a model's numbers and back: here, in one place.

Knows nothing of tiles, image files or particular runtimes.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError

Pixels: TypeAlias = npt.NDArray[np.uint8]
#: Pixels that were not rounded: float32, 0 for black and 255 for white.
Levels: TypeAlias = npt.NDArray[np.float32]
#: Either of the two, where what comes back is what was given.
Samples = TypeVar("Samples", bound=npt.NDArray[Any])

#: Flips a byte between 0..255 and −128..127: in two's complement, q = value − 128 is the value with its top bit turned.
_SIGN_BIT = np.uint8(0x80)


@dataclasses.dataclass(frozen=True)
class PixelForm:
    """What one end of a model holds for a pixel.

    A pixel v stands for the real number v · ``white`` / 255; an 8-bit end holds q with real = scale · (q − zero_point).

    Attributes:
        dtype: ``"float32"``, ``"int8"`` or ``"uint8"``.
        white: The real number of white: 255 or 1.
        scale: Real number of one step of an 8-bit end.
        zero_point: What an 8-bit end holds for black.
    """

    dtype: str
    white: float = 255.0
    scale: float = 1.0
    zero_point: int = -128

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "int8", "uint8"):
            raise ModelFileError(f"an image of {self.dtype} is not known; float32, int8 and uint8 are")

    def encode(self, pixels: Pixels | Levels, out: npt.NDArray[Any]) -> None:
        """Write pixels as the model's numbers.

        Args:
            pixels: uint8 of any shape; for a form of float32 levels, too.
            out: Of the form's dtype and the same shape, filled.

        >>> numbers = np.empty(3, np.int8)
        >>> PixelForm("int8").encode(np.array([0, 128, 255], np.uint8), numbers)
        >>> numbers.tolist()
        [-128, 0, 127]
        """
        if self._is_shifted_byte:
            np.bitwise_xor(pixels, _SIGN_BIT, out=out.view(np.uint8))
        elif self._is_pixel:
            np.copyto(out, pixels)
        elif self.dtype != "float32":
            np.take(self._numbers, np.asarray(pixels, np.uint8), out=out)
        elif self.white == 255:
            out[...] = pixels
        else:
            np.multiply(pixels, np.float32(self.white / 255), out=out)

    def decode(self, numbers: npt.NDArray[Any], out: Pixels | Levels) -> None:
        """Write the model's numbers as pixels: rounded half to even in float32, then clipped.

        Args:
            numbers: Of the form's dtype and any shape; not changed.
            out: uint8 of the same shape, filled; for a form of float32 levels, too, which are clipped and not rounded.

        >>> pixels = np.empty(4, np.uint8)
        >>> PixelForm("float32").decode(np.array([-3, 0.5, 1.5, 300], np.float32), pixels)
        >>> pixels.tolist()
        [0, 0, 2, 255]
        """
        if self._is_shifted_byte:
            np.bitwise_xor(numbers.view(np.uint8), _SIGN_BIT, out=out)
        elif self._is_pixel:
            np.copyto(out, numbers)
        elif self.dtype != "float32":
            out[...] = self._pixels[numbers.view(np.uint8)]
        elif out.dtype == np.float32:
            np.clip(np.multiply(numbers, np.float32(255 / self.white)), 0, 255, out=out)
        else:
            out[...] = _rounded(np.multiply(numbers, np.float32(255 / self.white)))

    @property
    def _is_shifted_byte(self) -> bool:
        return (self.dtype, self.white, self.scale, self.zero_point) == ("int8", 255.0, 1.0, -128)

    @property
    def _is_pixel(self) -> bool:
        return (self.dtype, self.white, self.scale, self.zero_point) == ("uint8", 255.0, 1.0, 0)

    @functools.cached_property
    def _numbers(self) -> npt.NDArray[Any]:
        """The number for each pixel value."""
        limits = np.iinfo(self.dtype)
        steps = np.rint(np.arange(256) * (self.white / 255 / self.scale)) + self.zero_point
        return np.asarray(np.clip(steps, limits.min, limits.max).astype(self.dtype))

    @functools.cached_property
    def _pixels(self) -> Pixels:
        """The pixel for each number, looked up by its byte."""
        numbers = np.arange(256, dtype=np.uint8).view(self.dtype).astype(np.float32)
        return _rounded((numbers - self.zero_point) * np.float32(self.scale * 255 / self.white))


def _rounded(values: npt.NDArray[np.float32]) -> Pixels:
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    with np.errstate(invalid="ignore"):  # a damaged model's sums may be no numbers at all; it has no right pixels
        return np.asarray(values.astype(np.uint8))
