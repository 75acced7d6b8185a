"""Luma: the two definitions that published figures use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_STUDIO = np.array([65.481, 128.553, 24.966])
_FULL = np.array([0.299, 0.587, 0.114])


def studio_luma(image: npt.NDArray[np.uint8], *, rounded: bool = True) -> npt.NDArray[np.float64]:
    """Return BT.601 Y in studio range, 16..235, as MATLAB's ``rgb2ycbcr``.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        rounded: Round half up to whole levels, as MATLAB does for 8-bit images.

    Returns:
        float64 ``(H, W)``.

    >>> studio_luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).tolist()
    [[16.0, 235.0]]
    """
    luma: npt.NDArray[np.float64] = 16 + _weighted(image, _STUDIO / 255)
    return np.floor(luma + 0.5) if rounded else luma


def full_luma(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return 0.299 R + 0.587 G + 0.114 B, 0..255, not rounded, as float64 ``(H, W)`` of uint8 ``(H, W, 3)``."""
    return _weighted(image, _FULL)


def _weighted(image: npt.NDArray[np.uint8], weights: npt.NDArray[np.float64]) -> Any:
    return image.astype(np.float64) @ weights
