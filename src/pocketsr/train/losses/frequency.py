"""Distances between spectra: the L1 norm of the transformed difference.

Both transforms keep the sum of squares, so that an L2 norm would be the pixels' own; only the L1 norm sees frequencies.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from pocketsr.errors import SettingError
from pocketsr.train.losses.pixel import LossFunction


def dct(*, block: int = 0) -> LossFunction:
    """Mean absolute coefficient of the orthonormal two-dimensional DCT-II of the difference.

    Args:
        block: Side of the blocks that are transformed one by one, such as JPEG's 8; 0 transforms the whole patch. The
            paper does not say which; the whole patch is the default, as ``tf.signal.dct`` on an image does it.

    Source:
        SCSRN, equation 12.
    """
    if block < 0:
        raise SettingError(f"loss 'dct': block must be 0 or more, not {block}")

    def loss(output: Tensor, target: Tensor) -> Tensor:
        difference = output - target
        if block:
            difference = _blocks(difference, block)
        height, width = difference.shape[-2:]
        rows, columns = (_basis(side, difference.device) for side in (height, width))
        return (rows @ difference @ columns.T).abs().mean()

    return loss


def fft() -> LossFunction:
    """Mean absolute real and imaginary part of the orthonormal Fourier transform of the difference."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        # torch.fft has no bfloat16; losses are computed in float32 anyway.
        return torch.view_as_real(torch.fft.fft2(output - target, norm="ortho")).abs().mean()

    return loss


@functools.lru_cache(maxsize=8)
def _basis(length: int, device: torch.device) -> Tensor:
    """Return the orthonormal DCT-II as a matrix ``(frequency, place)``."""
    places = torch.arange(length, dtype=torch.float64)
    matrix = torch.cos(math.pi / length * (places + 0.5) * places[:, None]) * math.sqrt(2 / length)
    matrix[0] /= math.sqrt(2)
    return matrix.float().to(device)


def _blocks(images: Tensor, side: int) -> Tensor:
    """Cut ``(N, C, H, W)`` into ``(N, C, H/b, W/b, b, b)``."""
    count, channels, height, width = images.shape
    if height % side or width % side:
        raise SettingError(f"loss 'dct': patches of {height}×{width} cannot be cut into blocks of {side}×{side}")
    return images.reshape(count, channels, height // side, side, width // side, side).transpose(3, 4)
