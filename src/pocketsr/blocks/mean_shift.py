"""Fixed shifts of colour before and after a network: DIV2K's mean, ImageNet's mean and deviation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Mean of DIV2K's training images, red, green, blue, of 0..1 (EDSR's numbers; CARN, F2SRGAN and SPAN use them).
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


#: Mean and standard deviation of ImageNet's images, red, green, blue, of 0..1.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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


class Normalise(nn.Module):
    """An image less ImageNet's mean, over its deviation. Fixed, and not saved."""

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, deviation = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_DEVIATION)
        self.register_buffer("weight", (1 / deviation).reshape(3, 1, 1, 1), persistent=False)
        self.register_buffer("bias", -mean / deviation, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Normalise ``(N, 3, H, W)``."""
        return F.conv2d(image, self.weight, self.bias, groups=3)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the depthwise 1×1 convolution that computes the same."""
        plain = nn.Conv2d(3, 3, 1, groups=3).to(self.weight.dtype)
        plain.weight.copy_(self.weight)
        assert plain.bias is not None
        plain.bias.copy_(self.bias)
        return plain
