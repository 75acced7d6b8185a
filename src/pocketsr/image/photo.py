"""The value that travels between reading and writing: pixels, and what else a photo carries.

Knows nothing of files or encoders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """An image in memory with everything that should survive until it is written again.

    Use ``dataclasses.replace(photo, pixels=..., alpha=...)`` to put new pixels in place of the old and keep the rest.

    Attributes:
        pixels: uint8 ``(H, W, 3)`` RGB, upright (the EXIF orientation has been applied). uint16, 0..65535, where
            reading was asked to keep more than 8 bits and the source has them.
        alpha: ``(H, W)`` of the same type, 0 is transparent, not premultiplied; ``None`` where the image has no
            transparency.
        is_grey: The source held one channel of grey; the three channels of ``pixels`` are equal. Written as grey again
            by formats that can.
        source_bits: Bits per sample of the source: 1, 8, 16, 32 or 64.
        carried: What is handed on to the output, each only where the file has it: ``exif`` (bytes, orientation reset to
            upright), ``icc_profile`` (bytes; sRGB where there is none), ``dpi`` (pixels per inch, horizontal and
            vertical), ``xmp`` and ``iptc`` (bytes), ``text`` (of PNG, by keyword), ``gamma`` and
            ``chromaticity`` (of PNG).
        notes: What reading gave up, each in words for the user.
        jpeg_quality: libjpeg's quality, 1 to 100, that its file's tables are most like; None where it is no JPEG.
        jpeg_halves_colour: Whether its file is a JPEG that keeps colour at less resolution than brightness; of inks
            (CMYK), any of the first three.

    Raises:
        SettingError: Pixels or alpha have another shape or type than stated here.

    >>> photo = Photo(np.zeros((2, 3, 3), np.uint8))
    >>> photo.height, photo.width, photo.alpha is None
    (2, 3, True)
    """

    pixels: npt.NDArray[Any]
    alpha: npt.NDArray[Any] | None = None
    is_grey: bool = False
    source_bits: int = 8
    carried: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    jpeg_quality: float | None = None
    jpeg_halves_colour: bool = False

    def __post_init__(self) -> None:
        check_pixels(self.pixels, self.alpha)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def is_deep(self) -> bool:
        """Whether samples have 16 bits."""
        return self.pixels.dtype == np.uint16

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def channels_agree(pixels: npt.NDArray[Any]) -> bool:
    """Return whether an image is grey though it is kept as RGB.

    Args:
        pixels: ``(H, W, 3)`` of any type.

    >>> channels_agree(np.full((2, 2, 3), 7, np.uint8))
    True
    """
    few = pixels[::16, ::16]  # settles it for nearly every image of colour, without a copy of a large one
    return all(np.array_equal(part[:, :, 0], part[:, :, other]) for part in (few, pixels) for other in (1, 2))


def check_pixels(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None) -> None:
    """Refuse pixels that are not uint8 or uint16 ``(H, W, 3)`` with at least one pixel, and alpha that does not fit.

    Raises:
        SettingError: They are not.
    """
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise SettingError(
            f"an image is uint8 of shape (height, width, 3), or uint16, not {pixels.dtype} of {pixels.shape}"
        )
    if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
        raise SettingError(
            f"alpha is {pixels.dtype} of shape {pixels.shape[:2]} here, not {alpha.dtype} of {alpha.shape}"
        )
