"""Structural similarity at five sizes of the image. Numpy; float64 inside. Knows nothing of colour, borders or files.

    image ──> contrast·structure ─┐ weight .0448
      └ half ──> contrast·structure ─┤ .2856
          └ half ──> contrast·structure ─┤ .3001            product of powers
              └ half ──> contrast·structure ─┤ .2363
                  └ half ──> luminance·contrast·structure ─┘ .1333

Fine detail weighs little and middle sizes much, as the eye has it at a usual distance.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.evaluate.windows import filter_inside, gaussian

_Image: TypeAlias = npt.NDArray[Any]
_Float: TypeAlias = npt.NDArray[np.float64]

_K1, _K2 = 0.01, 0.03
_RADIUS, _SIGMA = 5, 1.5

#: What each size counts, from the full one to a sixteenth. Their sum is 1.0001, as printed.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

#: The window must still fit into the smallest size, whose sides are a sixteenth, rounded up.
SMALLEST_SIDE = (2 * _RADIUS) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1


def ms_ssim(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return structural similarity over five sizes; higher is better, 1 for equal images.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``, both sides at least 161; channels are judged one by one and averaged.
        truth: The same shape.
        data_range: Value of white less value of black.

    Returns:
        0..1. A mean contrast below zero (the image is a negative of its truth) counts as zero: its power is no number.

    Raises:
        SettingError: The shapes differ, or a side is too small for five sizes.

    Source:
        Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment" (2003), eq. 7, with
        its five weights, a Gaussian window of 11×11 and σ 1.5 where it fits entirely, and halving by the mean of 2×2
        pixels; of an odd side the last pixel is mirrored, as the authors' ``imfilter(…, 'symmetric')`` does. Means are
        taken over places before the product over sizes. Agrees to 1e-10 with a computation by SciPy's correlation.

    >>> ms_ssim(np.zeros((161, 200)), np.zeros((161, 200)))
    1.0
    """
    if image.shape != truth.shape:
        raise SettingError(f"two images of one shape are needed, not {image.shape} and {truth.shape}")
    if image.ndim not in (2, 3) or min(image.shape[:2]) < SMALLEST_SIDE:
        raise SettingError(
            f"MS-SSIM halves the image four times: both sides must be at least {SMALLEST_SIDE} pixels, "
            f"not {image.shape[:2]}; judge smaller images by SSIM"
        )
    x, y = image.astype(np.float64), truth.astype(np.float64)
    product: _Float | float = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        is_last = scale == len(SCALE_WEIGHTS) - 1
        product = product * np.maximum(_similarity(x, y, data_range, with_luminance=is_last), 0) ** weight
        if not is_last:
            x, y = _halved(x), _halved(y)
    return float(np.mean(product))


def _similarity(x: _Float, y: _Float, data_range: float, *, with_luminance: bool) -> _Float:
    """Return the mean over places of contrast·structure, by channel."""
    window = gaussian(_RADIUS, _SIGMA)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_x, mean_y = filter_inside(x, window), filter_inside(y, window)
    product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    covariance = filter_inside(x * y, window) - product
    variances = filter_inside(x * x + y * y, window) - squares
    similarity = (2 * covariance + c2) / (variances + c2)
    if with_luminance:
        similarity *= (2 * product + c1) / (squares + c1)
    result: _Float = similarity.mean(axis=(0, 1))
    return result


def _halved(x: _Float) -> _Float:
    """Return means of 2×2 pixels; the last row and column of odd sides are mirrored."""
    odd = [(0, side % 2) for side in x.shape[:2]] + [(0, 0)] * (x.ndim - 2)
    x = np.pad(x, odd, mode="symmetric")
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4
