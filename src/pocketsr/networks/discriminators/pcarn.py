"""PCARN's discriminators: one that judges patches, and three of them on the image at three sizes.

    image ─► 3→64 ─► 4×4/2 64 ─► 128 ─► 4×4/2 128 ─► 256 ─► 4×4/2 256 ─► 512 ─► 512 ─► 512→1: a map of logits

Source:
    Ahn et al., PCARN, §3.3; nmhkahn/PCARN-pytorch. LeakyReLU has torch's default slope of 0.01 there.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.01
#: Width out, kernel, stride of the layers between the first and the last.
_LAYERS = ((64, 4, 2), (128, 3, 1), (128, 4, 2), (256, 3, 1), (256, 4, 2), (512, 3, 1), (512, 3, 1))


class PatchDiscriminator(nn.Module):
    """Judges each place of an image by what is around it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 64, 3, padding=1)
        self.body = nn.Sequential()
        width = 64
        for out_channels, kernel, stride in _LAYERS:
            self.body.append(nn.Conv2d(width, out_channels, kernel, stride=stride, padding=1))
            self.body.append(nn.BatchNorm2d(out_channels))
            self.body.append(nn.LeakyReLU(_SLOPE))
            width = out_channels
        self.tail = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(N, 1, H/8, W/8)`` for ``(N, 3, H, W)``."""
        logits: Tensor = self.tail(self.body(F.leaky_relu(self.head(image), _SLOPE)))
        return logits


class MultiScaleDiscriminator(nn.Module):
    """Three patch discriminators, on the image and on its averages over 2×2 and 4×4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(PatchDiscriminator() for _ in range(3))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each, for ``(N, 3, H, W)`` with H and W of 32 or more."""
        return tuple(
            discriminator(F.avg_pool2d(image, 2**index) if index else image)
            for index, discriminator in enumerate(self.discriminators)
        )
