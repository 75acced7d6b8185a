"""Bicubic enlarging as a part of a network: fixed weights, nothing to train.

image ─► continued by 2 mirrored pixels ─► 5×5 convolution, each channel to s² phases ─► pixel shuffle
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError
from pocketsr.image import resize_bicubic

_REACH = 2


class BicubicUpsample(nn.Module):
    """Enlarge by a whole factor, as ``pocketsr.image.resize_bicubic`` does on float images.

    Args:
        scale: Factor, at least 1.
        channels: Channels of the image.
        a: Slope of the kernel; −0.5 is MATLAB's, −0.75 OpenCV's and torch's.

    Attributes:
        kernel: ``(s², 5, 5)``; for each place (row · s + column) in the enlarged pixel the weights of those around.
    """

    kernel: Tensor

    def __init__(self, scale: int, channels: int, *, a: float = -0.5) -> None:
        super().__init__()
        if scale < 1:
            raise SettingError(f"bicubic enlarging takes a factor of 1 or more, not {scale}")
        self.scale, self.channels = scale, channels
        row = _phases(scale, a)
        kernel = np.einsum("py,qx->pqyx", row, row).reshape(scale**2, 2 * _REACH + 1, 2 * _REACH + 1)
        self.register_buffer("kernel", torch.from_numpy(kernel).float(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge ``(N, C, H, W)`` to ``(N, C, sH, sW)``; sides of one pixel are fine.

        In the image's own precision, even where training multiplies in bfloat16: that would round the image itself.
        """
        height, width = image.shape[-2:]
        rows, columns = (_mirrored(length, image.device) for length in (height, width))
        around = image[:, :, rows][:, :, :, columns]
        weight = self.kernel.to(image.dtype).repeat(self.channels, 1, 1)[:, None]  # (C·s², 1, 5, 5)
        with torch.autocast(image.device.type, enabled=False):
            return F.pixel_shuffle(F.conv2d(around, weight, groups=self.channels), self.scale)


def _phases(scale: int, a: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the weights ``(s, 5)`` of one axis: how each pixel of a row answers an impulse, read off the resizer."""
    length = 4 * _REACH + 1
    answers = resize_bicubic(np.eye(length), length * scale, length, a=a)  # column j: the impulse at pixel j
    middle = length // 2
    return answers[middle * scale : (middle + 1) * scale, middle - _REACH : middle + _REACH + 1]


def _mirrored(length: int, device: torch.device) -> Tensor:
    """Return the pixels that stand at −2 .. length + 1, mirrored with the border pixel repeated."""
    places = torch.arange(-_REACH, length + _REACH, device=device) % (2 * length)
    return torch.where(places < length, places, 2 * length - 1 - places)
