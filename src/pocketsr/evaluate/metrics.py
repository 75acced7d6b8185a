"""PSNR and SSIM as pure functions of two images. Numpy; float64 inside. Knows nothing of colour, borders or files."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.evaluate.windows import filter_inside, gaussian

_Image: TypeAlias = npt.NDArray[Any]
_Float: TypeAlias = npt.NDArray[np.float64]

_K1, _K2 = 0.01, 0.03
_GAUSSIAN_RADIUS, _GAUSSIAN_SIGMA = 5, 1.5
_UNIFORM_SIDE = 7

#: Values filtered at a time: five maps of so many float64 stay in a processor's cache.
_BAND_VALUES = 1 << 15


def psnr(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio in dB; higher is better, infinite for equal images.

    Args:
        image: Any shape with at least one value.
        truth: The same shape.
        data_range: Value of white less value of black.

    Raises:
        SettingError: The shapes differ, or there are no values.

    Source:
        10 · log₁₀(range² / mean squared error); agrees with scikit-image to 1e-10.

    >>> psnr(np.zeros((4, 4)), np.full((4, 4), 255))
    0.0
    """
    _require_equal_shapes(image, truth)
    if image.size == 0:
        raise SettingError(f"PSNR needs at least one pixel; both images are {image.shape}")
    if image.dtype == np.uint8 and truth.dtype == np.uint8:
        # Whole numbers: exact, and a quarter of the memory.
        difference = image.astype(np.int32) - truth
        error = int(np.square(difference).sum(dtype=np.int64)) / image.size
    else:
        error = float(np.mean(np.square(image.astype(np.float64) - truth)))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim_gaussian(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return structural similarity with the original's window: Gaussian 11×11, σ 1.5, inner region only.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``, both sides at least 11; channels are averaged.
        truth: The same shape.
        data_range: Value of white less value of black.

    Returns:
        −1..1; higher is better, 1 for equal images.

    Raises:
        SettingError: The shapes differ or are smaller than the window.

    Source:
        Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), eq. 13-16, with
        the window of §III-C; agrees to 1e-10 with scikit-image's ``structural_similarity(gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False)``, which crops to the same inner region.

    >>> ssim_gaussian(np.zeros((11, 11)), np.zeros((11, 11)))
    1.0
    """
    return _ssim(image, truth, data_range, gaussian(_GAUSSIAN_RADIUS, _GAUSSIAN_SIGMA), 1.0)


def ssim_uniform(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return structural similarity with a uniform 7×7 window and sample covariance, inner region only.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``, both sides at least 7; channels are averaged.
        truth: The same shape.
        data_range: Value of white less value of black.

    Returns:
        −1..1; higher is better, 1 for equal images.

    Raises:
        SettingError: The shapes differ or are smaller than the window.

    Source:
        scikit-image's ``structural_similarity`` as it comes, which SCSRN's and LRSRN's tables use; agrees to 1e-10.

    >>> ssim_uniform(np.zeros((7, 7)), np.zeros((7, 7)))
    1.0
    """
    window = np.full(_UNIFORM_SIDE, 1 / _UNIFORM_SIDE)
    count = _UNIFORM_SIDE**2
    return _ssim(image, truth, data_range, window, count / (count - 1))


def _ssim(image: _Image, truth: _Image, data_range: float, window: _Float, sample: float) -> float:
    """Return the mean similarity over all places where the window fits.

    Args:
        image: As the callers.
        truth: As the callers.
        data_range: As the callers.
        window: Weights of one axis, symmetric; the window is their outer product.
        sample: What variances are multiplied by: n / (n − 1) makes them those of a sample.
    """
    _require_equal_shapes(image, truth)
    side = len(window)
    if image.ndim not in (2, 3) or min(image.shape[:2]) < side:
        raise SettingError(f"SSIM needs images of at least {side}×{side} pixels, not {image.shape[:2]}")
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    places = image.shape[0] - side + 1
    rows = max(side, _BAND_VALUES * image.shape[0] // image.size)
    total, count = 0.0, 0
    for top in range(0, places, rows):
        band = slice(top, min(top + rows, places) + side - 1)
        x, y = image[band].astype(np.float64), truth[band].astype(np.float64)
        mean_x, mean_y = filter_inside(x, window), filter_inside(y, window)
        product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        covariance = sample * (filter_inside(x * y, window) - product)
        # Only the sum of the two variances is ever used: one map to filter instead of two.
        variances = sample * (filter_inside(x * x + y * y, window) - squares)
        similarity = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
        total += float(similarity.sum())
        count += similarity.size
    return total / count


def _require_equal_shapes(image: _Image, truth: _Image) -> None:
    if image.shape != truth.shape:
        raise SettingError(f"two images of one shape are needed, not {image.shape} and {truth.shape}")
