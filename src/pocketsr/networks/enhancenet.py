"""EnhanceNet's generator: residual blocks, nearest-neighbour doubling, and what it adds to the bicubic image.

    image ─► 3→64, ReLU ─► 10 × [conv, ReLU, conv, +] ─► 2 × [nearest ×2, conv, ReLU] ─► conv, ReLU ─► 64→3 ─► +
      └────────────────────────────────── bicubic ×4 ──────────────────────────────────────────────────────────┘

Source:
    Sajjadi et al., "EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis", ICCV 2017. The 1.1M
    parameters that PCARN prints for it are wrong: its 120.6 GMAC at 720p match these 852,867 to the digit.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import BicubicUpsample, Network
from pocketsr.errors import SettingError


class ResidualBlock(nn.Module):
    """Two convolutions around a ReLU, and the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        inner: Tensor = self.second(F.relu(self.first(x)))
        return inner + x


class EnhanceNet(Network):
    """EnhanceNet's generator.

    Args:
        scale: 4.
        width: Channels of the body.
        depth: Residual blocks.
    """

    def __init__(self, *, scale: int = 4, width: int = 64, depth: int = 10) -> None:
        super().__init__()
        if scale != 4:
            raise SettingError(f"enhancenet upscales by 4, not {scale}")
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.doublings = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.enlarge = BicubicUpsample(scale, 3)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, 4H, 4W)``; the output may pass 0..1 by a little."""
        features = F.relu(self.head(image))  # (N, width, H, W)
        for block in self.body:
            features = block(features)
        for conv in self.doublings:
            features = F.relu(conv(F.interpolate(features, scale_factor=2.0, mode="nearest")))
        output: Tensor = self.tail(F.relu(self.last(features))) + self.enlarge(image)  # (N, 3, 4H, 4W)
        return output
