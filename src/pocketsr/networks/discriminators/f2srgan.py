"""F2SRGAN's discriminator: eight separable convolutions, pooled to 6×6, and two dense layers.

The authors pass strides, as SRGAN has them, to a layer that ignores them: nothing is halved before the pooling. It is
built as it ran.

Source:
    bibom108/F2SRGAN. Their code ends in a sigmoid and feeds it to a loss that applies another; here are the logits.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import SeparableConv2d

_SLOPE = 0.2
_WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512)
_POOLED = 6


class F2SRGANDiscriminator(nn.Module):
    """Judges whole images of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential()
        width = 3
        for index, out_channels in enumerate(_WIDTHS):
            self.body.append(SeparableConv2d(width, out_channels))
            if index:
                self.body.append(nn.BatchNorm2d(out_channels))
            self.body.append(nn.LeakyReLU(_SLOPE))
            width = out_channels
        self.hidden = nn.Linear(width * _POOLED**2, 1024)
        self.tail = nn.Linear(1024, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(N, 1)`` for ``(N, 3, H, W)``."""
        features = F.adaptive_avg_pool2d(self.body(image), _POOLED)
        logits: Tensor = self.tail(F.leaky_relu(self.hidden(features.flatten(1)), _SLOPE))
        return logits
