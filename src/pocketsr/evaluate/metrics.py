"""PSNR and SSIM as pure functions of two images. Numpy; float64 inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError

_Image: TypeAlias = npt.NDArray[Any]
_Float: TypeAlias = npt.NDArray[np.float64]

_K1, _K2 = 0.01, 0.03
_GAUSSIAN_RADIUS, _GAUSSIAN_SIGMA = 5, 1.5
_UNIFORM_SIDE = 7


def psnr(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio in dB; higher is better, infinite for equal images.

    Args:
        image: Any shape.
        truth: The same shape.
        data_range: Value of white less value of black.

    Raises:
        SettingError: The shapes differ.

    Source:
        10 · log₁₀(range² / mean squared error); agrees with scikit-image to 1e-10.

    >>> psnr(np.zeros((4, 4)), np.full((4, 4), 255))
    0.0
    """
    _require_equal_shapes(image, truth)
    error = float(np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2))
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
        Wang et al. 2004; agrees to 1e-10 with scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False)`` and with MATLAB's ``ssim_index`` without its automatic shrinking.
    """
    offsets = np.arange(-_GAUSSIAN_RADIUS, _GAUSSIAN_RADIUS + 1)
    window = np.exp(-0.5 * (offsets / _GAUSSIAN_SIGMA) ** 2)
    window /= window.sum()
    return _ssim(image, truth, data_range, lambda x: _filter(x, window), 1.0)


def ssim_uniform(image: _Image, truth: _Image, *, data_range: float = 255.0) -> float:
    """Return structural similarity with a uniform 7×7 window and sample covariance, inner region only.

    Args, result and errors as for ``ssim_gaussian``, with sides of at least 7.

    Source:
        scikit-image's ``structural_similarity`` as it comes, which SCSRN's and LRSRN's tables use; agrees to 1e-10.
    """
    window = np.full(_UNIFORM_SIDE, 1 / _UNIFORM_SIDE)
    count = _UNIFORM_SIDE**2
    return _ssim(image, truth, data_range, lambda x: _filter(x, window), count / (count - 1))


def _ssim(image: _Image, truth: _Image, data_range: float, blur: Callable[[_Float], _Float], sample: float) -> float:
    _require_equal_shapes(image, truth)
    x, y = image.astype(np.float64), truth.astype(np.float64)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_x, mean_y = blur(x), blur(y)
    variance_x = sample * (blur(x * x) - mean_x * mean_x)
    variance_y = sample * (blur(y * y) - mean_y * mean_y)
    covariance = sample * (blur(x * y) - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float(np.mean(luminance * structure))


def _filter(x: _Float, window: _Float) -> _Float:
    """Filter rows and columns with a window, where it fits entirely."""
    if min(x.shape[:2]) < len(window):
        raise SettingError(f"SSIM needs images of at least {len(window)}×{len(window)} pixels, not {x.shape[:2]}")
    for axis in (0, 1):
        size = x.shape[axis] - len(window) + 1
        total: _Float = np.zeros(())
        for offset, weight in enumerate(window):
            total = total + weight * x.take(range(offset, offset + size), axis)
        x = total
    return x


def _require_equal_shapes(image: _Image, truth: _Image) -> None:
    if image.shape != truth.shape:
        raise SettingError(f"two images of one shape are needed, not {image.shape} and {truth.shape}")
