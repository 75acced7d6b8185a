"""SRGAN's discriminator: eight convolutions, halving four times, and two dense layers.

Source:
    Ledig et al., SRGAN, CVPR 2017, Figure 4.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError

_SLOPE = 0.2
#: Width out and stride of the layers after the first.
_LAYERS = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2))


class SRGANDiscriminator(nn.Module):
    """Judges whole patches of one size.

    Args:
        patch: Side of the high-resolution patches, a multiple of 16: the first dense layer depends on it.
    """

    def __init__(self, *, patch: int = 96) -> None:
        super().__init__()
        if patch < 16 or patch % 16:
            raise SettingError(f"srgan's discriminator takes patches of a multiple of 16, not {patch}")
        self.head = nn.Conv2d(3, 64, 3, padding=1)
        self.body = nn.Sequential()
        width = 64
        for out_channels, stride in _LAYERS:
            self.body.append(nn.Conv2d(width, out_channels, 3, stride=stride, padding=1))
            self.body.append(nn.BatchNorm2d(out_channels))
            self.body.append(nn.LeakyReLU(_SLOPE))
            width = out_channels
        self.hidden = nn.Linear(width * (patch // 16) ** 2, 1024)
        self.tail = nn.Linear(1024, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(N, 1)`` for ``(N, 3, patch, patch)``."""
        features = self.body(F.leaky_relu(self.head(image), _SLOPE))
        logits: Tensor = self.tail(F.leaky_relu(self.hidden(features.flatten(1)), _SLOPE))
        return logits
