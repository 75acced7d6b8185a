"""A transposed convolution as an ordinary one followed by depth-to-space.

A transposed convolution of stride s computes s² interleaved images, and each is an ordinary convolution of the input
with every s-th tap of the kernel. Written that way it needs no operator of its own (TensorFlow Lite's takes the size of
the output as a constant, which would tie the file to one image size), and int8 works as it does for every convolution.

    x (H, W, I) ─► Conv2D, s²·C outputs ─► DepthToSpace(s) ─► (sH, sW, C)
"""

from __future__ import annotations

import numpy as np

from pocketsr.errors import SettingError
from pocketsr.graph.base import Array


def subpixel_convolution(weight: Array, bias: Array, *, stride: int, padding: int) -> tuple[Array, Array]:
    """Return weights and biases for a ``Conv2D`` before ``DepthToSpace(stride)`` that equal a transposed convolution.

    Where the kernel is no multiple of the stride, or sits off centre, some taps are zeros and there are more weights
    than came: FSRCNN's 9×9 at ×3 becomes 5×5 with padding 4 (its last row looks two pixels down), 3×3 with padding 3.

    Args:
        weight: ``(C, k, k, I)``, k at least ``stride``; torch has ``(I, C, k, k)``.
        bias: ``(C,)``.
        stride: Enlargement, at least 1.
        padding: Rows and columns that are cut off at the top and left of the full result, 0 .. k − 1. At the bottom
            and right so many are cut off, or added, that ``stride`` times the size remains: torch's ``padding``
            with ``output_padding = stride + 2 * padding − k``.

    Returns:
        ``(s²·C, r, r, I)`` with r odd, and ``(s²·C,)``, in the order of depth-to-space: (row, column, channel).

    Raises:
        SettingError: The kernel is not square, or smaller than the stride, or ``padding`` is out of range.

    >>> weight, bias = subpixel_convolution(np.ones((3, 9, 9, 56)), np.zeros(3), stride=3, padding=3)
    >>> weight.shape, bias.shape
    ((27, 3, 3, 56), (27,))
    """
    channels, kernel, width, inputs = weight.shape
    if kernel != width or not 1 <= stride <= kernel or not 0 <= padding < kernel:
        raise SettingError(
            f"a square kernel of at least {stride} and a padding below its size are needed, "
            f"not {kernel}×{width} with padding {padding}"
        )
    # Output row s·q + d is the sum over input rows q + j of tap d + padding − s·j, where there is one.
    taps = np.arange(stride)[:, None] + padding
    reach = max((stride - 1 + padding) // stride, (kernel - 1 - padding) // stride)
    taps = taps - stride * np.arange(-reach, reach + 1)  # (s, r)
    there = (taps >= 0) & (taps < kernel)
    taken = np.clip(taps, 0, kernel - 1)
    picked = weight[:, taken][:, :, :, taken]  # (C, s, r, s, r, I)
    picked = np.where(there[:, :, None, None, None] & there[:, :, None], picked, 0)
    size = 2 * reach + 1
    ordered = picked.transpose(1, 3, 0, 2, 4, 5).reshape(stride**2 * channels, size, size, inputs)
    return np.ascontiguousarray(ordered.astype(weight.dtype)), np.tile(bias, stride**2)
