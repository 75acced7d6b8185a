"""XLSR: a network of grouped convolutions, clipped from both sides so that int8 loses little.

    image ─► 3→32, ReLU ─► 1×1 ─► 3 × GBlock ─► concat ─► 1×1 48→32, ReLU ─► 32→3s² ─► clip 0..1 ─► pixel shuffle
      └──────────────── 3→16 ──────────────────────┘
    GBlock: 3×3 in 4 groups, ReLU ─► 1×1

The paper draws the first layer as four parallel 3→8 convolutions side by side; that is one 3→32 convolution, and is
written as one.

Source:
    Ayazoglu, "Extremely Lightweight Quantization Robust Real-Time Single-Image Super Resolution for Mobile Devices",
    CVPR Workshops 2021.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

_GROUPS = 4


class GroupedBlock(nn.Module):
    """A grouped 3×3 convolution, ReLU, and a 1×1 that mixes the groups."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(channels, channels, 3, padding=1, groups=_GROUPS)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        mixed: Tensor = self.mix(F.relu(self.grouped(x)))
        return mixed


class XLSR(Network):
    """Extremely lightweight super-resolution network.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the body, a multiple of 4.
        depth: Grouped blocks.
    """

    def __init__(self, *, scale: int = 3, width: int = 32, depth: int = 3) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"xlsr upscales by 2, 3 or 4, not {scale}")
        if width % _GROUPS:
            raise SettingError(f"xlsr's width is a multiple of {_GROUPS}, not {width}")
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)
        self.body = nn.ModuleList(GroupedBlock(width) for _ in range(depth))
        self.skip = nn.Conv2d(3, width // 2, 3, padding=1)
        self.fuse = nn.Conv2d(width + width // 2, width, 1)
        self.tail = nn.Conv2d(width, 3 * scale * scale, 3, padding=1)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1."""
        features = self.mix(F.relu(self.head(image)))  # (N, width, H, W)
        for block in self.body:
            features = block(features)
        features = F.relu(self.fuse(torch.cat([features, self.skip(image)], dim=1)))
        subpixels = torch.clamp(self.tail(features), 0, 1)  # (N, 3s², H, W)
        return F.pixel_shuffle(subpixels, self.scale)


def _initialise(module: nn.Module) -> None:
    """Normal with variance 0.1 · 2 / fan-out, bias 0.01: the small factor is part of the method."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size)
        nn.init.normal_(module.weight, std=math.sqrt(0.1 * 2 / fan_out))
        assert module.bias is not None
        nn.init.constant_(module.bias, 0.01)
