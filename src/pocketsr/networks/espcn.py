"""ESPCN: the network that brought the pixel shuffle.

    luma ─► 5×5 1→64, tanh ─► 3×3 64→32, tanh ─► 3×3 32→s² ─► pixel shuffle

Source:
    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
    Network", CVPR 2016. The paper does not say how layers start: He's normal by fan-out and a faint last layer, as in
    its best-known port, yjn870/ESPCN-pytorch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError


class ESPCN(Network):
    """Efficient sub-pixel convolutional network.

    Args:
        scale: 2, 3 or 4.
        channels: 1 for luma (the paper's), 3 for RGB.
    """

    def __init__(self, *, scale: int = 3, channels: int = 1) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or channels not in (1, 3):
            raise SettingError(f"espcn upscales 1 or 3 channels by 2, 3 or 4, not {channels} by {scale}")
        self.scale, self.channels = scale, channels
        self.head = nn.Conv2d(channels, 64, 5, padding=2)
        self.body = nn.Conv2d(64, 32, 3, padding=1)
        self.tail = nn.Conv2d(32, channels * scale * scale, 3, padding=1)
        for conv in (self.head, self.body, self.tail):
            fan_out = conv.out_channels * math.prod(conv.kernel_size)
            nn.init.normal_(conv.weight, std=0.001 if conv is self.tail else math.sqrt(2 / fan_out))
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` to ``(N, C, sH, sW)``; the output may pass 0..1 by a little."""
        features = torch.tanh(self.body(torch.tanh(self.head(image))))  # (N, 32, H, W)
        return F.pixel_shuffle(self.tail(features), self.scale)
