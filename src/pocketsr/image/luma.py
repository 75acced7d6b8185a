"""Colour images for networks that enlarge brightness only: luma through the network, colour by bicubic.

The eye sees little detail in colour, and networks of the classic kind were trained on luma alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.image.resize import resize_bicubic

#: BT.601 as MATLAB's rgb2ycbcr has it, for values 0..255.
_TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0])


def enlarge_by_luma(
    image: npt.NDArray[np.uint8],
    scale: int,
    enlarge: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating] | npt.NDArray[np.uint8]],
) -> npt.NDArray[np.uint8]:
    """Enlarge a colour image by a function that knows brightness only.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        scale: What ``enlarge`` enlarges by.
        enlarge: From studio-range Y, uint8 ``(H, W)``, to Y ``(sH, sW)``, 0..255.

    Returns:
        uint8 ``(sH, sW, 3)``.

    Raises:
        SettingError: The image is not RGB.

    >>> grey = np.full((2, 3, 3), 90, np.uint8)
    >>> enlarge_by_luma(grey, 2, lambda luma: luma.repeat(2, axis=0).repeat(2, axis=1)).tolist()[0][0]
    [90, 90, 90]
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise SettingError(f"colour needs an image of shape (height, width, 3), not {image.shape}")
    ycbcr = image.astype(np.float64) @ _TO_YCBCR.T + _OFFSET
    luma = np.rint(ycbcr[:, :, 0]).astype(np.uint8)
    height, width = image.shape[0] * scale, image.shape[1] * scale
    enlarged = resize_bicubic(ycbcr, height, width)
    # Only what the network adds to bicubic luma is 8-bit: grey stays grey.
    rounding = resize_bicubic(ycbcr[:, :, 0] - luma, height, width)
    enlarged[:, :, 0] = enlarge(luma) + rounding
    rgb = (enlarged - _OFFSET) @ np.linalg.inv(_TO_YCBCR).T
    return np.asarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))
