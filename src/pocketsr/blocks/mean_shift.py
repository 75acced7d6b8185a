"""The mean colour of DIV2K, taken off an image before a network and put back after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Mean of DIV2K's training images, red, green, blue, of 0..1 (EDSR's numbers; CARN, F2SRGAN and SPAN use them).
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class MeanShift(nn.Module):
    """Fixed numbers, not parameters: they are neither trained nor saved."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)

    def subtract(self, image: Tensor) -> Tensor:
        """Return ``(N, 3, H, W)`` less the mean."""
        return image - self.mean

    def add(self, image: Tensor) -> Tensor:
        """Return ``(N, 3, H, W)`` with the mean put back."""
        return image + self.mean
