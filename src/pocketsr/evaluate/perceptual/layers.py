"""Layers of convolutional networks, forward only, on one image at a time. Numpy; float32.

Sums of products go through BLAS, whose last bits may differ between machines and numbers of threads: about 1e-6 of a
value. Knows nothing of networks or files.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError

Maps: TypeAlias = npt.NDArray[np.float32]

#: Values that are laid out for one multiplication of matrices: 8 MiB.
_COLUMNS = 1 << 21


def convolve(x: Maps, weight: Maps, bias: Maps | None = None, *, stride: int = 1, padding: int = 0) -> Maps:
    """Convolve as torch's ``conv2d``.

    Args:
        x: float32 ``(C, H, W)``.
        weight: float32 ``(O, C, k, l)``.
        bias: float32 ``(O,)``.
        stride: Step of the window, in pixels.
        padding: Zeros at each side.

    Returns:
        float32 ``(O, h, w)``.

    Raises:
        SettingError: The window does not fit once.

    >>> convolve(np.ones((1, 3, 3), np.float32), np.ones((1, 1, 3, 3), np.float32), padding=1)[0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    outputs, channels, *sides = weight.shape
    if padding:
        x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    _require_room(x, sides[0], sides[1])
    matrix = weight.reshape(outputs, -1)
    if sides == [1, 1]:
        x = x[:, ::stride, ::stride]
        result = (matrix @ x.reshape(channels, -1)).reshape(outputs, *x.shape[1:])
    else:
        # (C, h, w, k, l): every place's window, as a view.
        windows = np.lib.stride_tricks.sliding_window_view(x, sides, axis=(1, 2))[:, ::stride, ::stride]
        height, width = windows.shape[1:3]
        result = np.empty((outputs, height, width), np.float32)
        rows = max(1, _COLUMNS // (matrix.shape[1] * width))
        for top in range(0, height, rows):
            band = windows[:, top : top + rows].transpose(0, 3, 4, 1, 2).reshape(matrix.shape[1], -1)
            result[:, top : top + rows] = (matrix @ band).reshape(outputs, -1, width)
    if bias is not None:
        result += bias[:, None, None]
    return result


def convolve_depthwise(x: Maps, weight: Maps, *, stride: int = 1, padding: tuple[int, int] = (1, 1)) -> Maps:
    """Convolve each channel with a window of its own.

    Args:
        x: float32 ``(C, H, W)``.
        weight: float32 ``(C, k, l)``.
        stride: Step of the window, in pixels.
        padding: Zeros before and after, on both axes.

    Returns:
        float32 ``(C, h, w)``.

    Raises:
        SettingError: The window does not fit once.

    >>> convolve_depthwise(np.ones((1, 3, 3), np.float32), np.ones((1, 3, 3), np.float32), stride=2)[0].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    x = np.pad(x, [(0, 0), padding, padding])
    _, down, across = weight.shape
    _require_room(x, down, across)
    height, width = ((x.shape[axis + 1] - side) // stride + 1 for axis, side in enumerate((down, across)))
    result = np.zeros((len(x), height, width), np.float32)
    for row in range(down):
        for column in range(across):
            seen = x[:, row : row + stride * height : stride, column : column + stride * width : stride]
            result += seen[:, :height, :width] * weight[:, row, column, None, None]
    return result


def relu(x: Maps) -> Maps:
    """Set what is below zero to zero, in place."""
    return np.maximum(x, 0, out=x)


def max_pool(x: Maps, side: int, stride: int, *, is_ceil: bool = False) -> Maps:
    """Return the largest value of each window, as torch's ``max_pool2d`` without padding.

    Args:
        x: float32 ``(C, H, W)``.
        side: Of the window, in pixels.
        stride: Step of the window, in pixels.
        is_ceil: Let the last window reach over the edge, if it begins inside.

    Raises:
        SettingError: The window does not fit once.

    >>> x = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    >>> max_pool(x, 3, 2)[0].tolist(), max_pool(x, 3, 2, is_ceil=True)[0].tolist()
    ([[10.0]], [[10.0, 11.0], [14.0, 15.0]])
    """
    _require_room(x, side, side)
    if is_ceil:
        over = [-(length - side) % stride for length in x.shape[1:]]
        # A window that began outside is dropped; with side >= stride none does.
        x = np.pad(x, [(0, 0), (0, over[0]), (0, over[1])], constant_values=-np.inf)
    height, width = ((length - side) // stride + 1 for length in x.shape[1:])
    result: Maps | None = None
    for row in range(side):
        for column in range(side):
            seen = x[:, row : row + stride * height : stride, column : column + stride * width : stride]
            seen = seen[:, :height, :width]
            result = seen.copy() if result is None else np.maximum(result, seen, out=result)
    assert result is not None
    return result


def smooth_pool(x: Maps) -> Maps:
    """Halve by the root of a weighted mean of squares: 3×3 values that weigh ½, 1, ½ on each axis.

    Args:
        x: float32 ``(C, H, W)``.

    Returns:
        float32 ``(C, ⌈H/2⌉, ⌈W/2⌉)``.

    >>> smooth_pool(np.ones((1, 5, 5), np.float32))[0, 1, 1].round(4).tolist()
    1.0
    """
    axis = np.array([0.25, 0.5, 0.25], np.float32)
    window = np.broadcast_to(np.outer(axis, axis), (len(x), 3, 3))
    result: Maps = np.sqrt(convolve_depthwise(x * x, window, stride=2) + np.float32(1e-12))
    return result


def _require_room(x: Maps, height: int, width: int) -> None:
    if x.shape[1] < height or x.shape[2] < width:
        raise SettingError(
            f"the image is too small: {x.shape[1]}×{x.shape[2]} values are left where {height}×{width} are "
            "looked at together"
        )
