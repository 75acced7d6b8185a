"""Brightness from colour, in the three ways that published figures and grey files need.

Knows nothing of files, borders or metrics.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError

_Pixels = TypeVar("_Pixels", np.uint8, np.float32, np.float64)
_Grey = TypeVar("_Grey", np.uint8, np.float32)


def rgb_to_y(image: npt.NDArray[_Pixels], *, rounded: bool = True) -> npt.NDArray[np.float64]:
    """Return studio-range Y, as MATLAB's ``rgb2ycbcr``: 16 for black, 235 for white.

    Args:
        image: ``(H, W, 3)`` RGB, 0..255.
        rounded: Round half up to whole numbers, as MATLAB does for uint8 images. Papers that "measure on Y" do so.

    Returns:
        float64 ``(H, W)`` in 16..235 for inputs in range.

    Raises:
        SettingError: The image does not have three channels.

    Source:
        ITU-R BT.601: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255. For uint8 the sum is exact in integers, so that
        no half is rounded by luck.

    >>> rgb_to_y(np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)).tolist()
    [[235.0, 16.0, 81.0]]
    """
    _check_rgb(image)
    if image.dtype == np.uint8 and rounded:
        thousandths = image.astype(np.int32) @ np.array([65481, 128553, 24966], np.int32)
        return (16 + (thousandths + 127500) // 255000).astype(np.float64)
    luma = 16 + image.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)
    return np.floor(luma + 0.5) if rounded else luma


def rgb_to_luma(image: npt.NDArray[_Pixels]) -> npt.NDArray[np.float64]:
    """Return full-range luma 0.299 R + 0.587 G + 0.114 B, unrounded.

    Some papers print PSNR on this as "PSNR (Y)"; it is 1.32 dB below PSNR on unrounded studio-range Y, always.

    Args:
        image: ``(H, W, 3)`` RGB, any range.

    Returns:
        float64 ``(H, W)`` in the same range.

    Raises:
        SettingError: The image does not have three channels.

    >>> rgb_to_luma(np.array([[[10, 10, 10]]], np.uint8)).round(9).tolist()
    [[10.0]]
    """
    _check_rgb(image)
    luma: npt.NDArray[np.float64] = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return luma


def rgb_to_grey(image: npt.NDArray[_Grey]) -> npt.NDArray[_Grey]:
    """Return full-range luma as grey. Three equal channels come back unchanged.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, or float32, which is not rounded.

    Returns:
        ``(H, W)`` of the same type.

    Raises:
        SettingError: The image does not have three channels.

    >>> rgb_to_grey(np.array([[[7, 7, 7], [255, 0, 0]]], np.uint8)).tolist()
    [[7, 76]]
    """
    _check_rgb(image)
    if image.dtype == np.float32:
        return np.asarray(image @ np.array([0.299, 0.587, 0.114], np.float32))
    thousandths = image.astype(np.int32) @ np.array([299, 587, 114], np.int32)
    return np.asarray(((thousandths + 500) // 1000).astype(image.dtype))


def _check_rgb(image: npt.NDArray[_Pixels]) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise SettingError(f"colour needs an image of shape (height, width, 3), not {image.shape}")


def to_8_bits(samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Return samples of 16 bits as the nearest level of 8 bits: 65535 is 255, and a level is 257 steps.

    >>> to_8_bits(np.array([0, 128, 129, 65535], np.uint16)).tolist()
    [0, 0, 1, 255]
    """
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_16_bits(samples: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return samples of 8 bits in 16, white being 65535.

    >>> to_16_bits(np.array([0, 1, 255], np.uint8)).tolist()
    [0, 257, 65535]
    """
    return samples.astype(np.uint16) * np.uint16(257)
