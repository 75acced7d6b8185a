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
        pixels: uint8 ``(H, W, 3)`` RGB, upright (the EXIF orientation has been applied).
        alpha: uint8 ``(H, W)``, 0 is transparent, not premultiplied; ``None`` where the image has no transparency.
        is_grey: The source held one channel of grey; the three channels of ``pixels`` are equal. Written as grey again
            by formats that can.
        source_bits: Bits per sample of the source, 1, 8 or 16. Samples of 16 bits have been reduced to their high byte.
        carried: What is handed on to the output, by Pillow's names, each only where the file has it: ``exif`` (bytes,
            orientation reset to upright), ``icc_profile`` (bytes; sRGB where there is none), ``dpi`` (pixels per inch,
            horizontal and vertical).
        notes: What reading gave up, each in words for the user.

    Raises:
        SettingError: Pixels or alpha have another shape or type than stated here.

    >>> photo = Photo(np.zeros((2, 3, 3), np.uint8))
    >>> photo.height, photo.width, photo.alpha is None
    (2, 3, True)
    """

    pixels: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None = None
    is_grey: bool = False
    source_bits: int = 8
    carried: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_pixels(self.pixels, self.alpha)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def check_pixels(pixels: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None) -> None:
    """Refuse pixels that are not uint8 ``(H, W, 3)`` with at least one pixel, and alpha that does not fit them.

    Raises:
        SettingError: They are not.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise SettingError(f"an image is uint8 of shape (height, width, 3), not {pixels.dtype} of {pixels.shape}")
    if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != pixels.shape[:2]):
        raise SettingError(f"alpha is uint8 of shape {pixels.shape[:2]} here, not {alpha.dtype} of {alpha.shape}")
