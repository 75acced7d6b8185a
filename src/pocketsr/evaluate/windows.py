"""Windows that slide over an image, as SSIM and NIQE use them. Knows nothing of either."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

_Float: TypeAlias = npt.NDArray[np.float64]


def gaussian(radius: int, sigma: float) -> _Float:
    """Return the weights of a Gaussian window along one axis, with the sum 1.

    Args:
        radius: Pixels at each side of the middle.
        sigma: Standard deviation in pixels.

    Returns:
        float64 ``(2·radius + 1,)``; the window is its outer product with itself, as MATLAB's ``fspecial('gaussian')``.

    >>> gaussian(1, 1.0).round(4).tolist()
    [0.2741, 0.4519, 0.2741]
    """
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    result: _Float = window / window.sum()
    return result


def filter_inside(x: _Float, window: _Float) -> _Float:
    """Filter rows and columns with a symmetric window of odd length, where it fits entirely.

    Args:
        x: float64 ``(H, W)`` or ``(H, W, C)``, both sides at least as long as the window.
        window: float64 ``(n,)``, n odd.

    Returns:
        float64 ``(H − n + 1, W − n + 1)``, with the channels of ``x``.

    >>> filter_inside(np.arange(9.0).reshape(3, 3), np.array([0.25, 0.5, 0.25])).tolist()
    [[4.0]]
    """
    last = len(window) - 1
    for axis in (0, 1):
        size = x.shape[axis] - last

        def shifted(offset: int, x: _Float = x, axis: int = axis, size: int = size) -> _Float:
            return x[offset : offset + size] if axis == 0 else x[:, offset : offset + size]

        result = window[last // 2] * shifted(last // 2)
        pair = np.empty_like(result)
        for offset in range(last // 2):
            np.add(shifted(offset), shifted(last - offset), out=pair)
            pair *= window[offset]
            result += pair
        x = result
    return x
