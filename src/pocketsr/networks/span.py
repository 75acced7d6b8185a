"""SPAN: blocks that weigh their features by themselves, without parameters for it.

    image ─► 3→C ─► 6 × SPAB ─► 3×3 ─┐
               │      │1      └5½────┴─► concat (head, last, block 1, inside block 6) ─► 1×1 ─► C→3s² ─► pixel shuffle
    SPAB: 3×3, SiLU ─► 3×3, SiLU ─► 3×3 = y;  (y + x) · (sigmoid(y) − ½)

Source:
    Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPR Workshops 2024;
    hongyuanyu/SPAN (Apache-2.0). The tap inside block 6 is written there as the output of its first convolution; the
    SiLU after it works in place, so what is concatenated is its activated value, as here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import MeanShift, Network, SandwichConv2d
from pocketsr.errors import SettingError


class AttentionBlock(nn.Module):
    """Three 3×3 convolutions and a parameter-free attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = SandwichConv2d(channels, channels)
        self.second = SandwichConv2d(channels, channels)
        self.third = SandwichConv2d(channels, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and its first activation, both ``(N, C, H, W)``."""
        inside = F.silu(self.first(x))
        y = self.third(F.silu(self.second(inside)))
        return (y + x) * (torch.sigmoid(y) - 0.5), inside


class SPAN(Network):
    """Swift parameter-free attention network.

    Args:
        scale: 2, 3 or 4.
        width: Channels: 48 is the public code's default, 426,288 parameters at ×4; 28 makes 150,688, 52 makes 498,208.
        depth: Attention blocks.
    """

    def __init__(self, *, scale: int = 4, width: int = 48, depth: int = 6) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"span upscales by 2, 3 or 4, not {scale}")
        if depth < 2:
            raise SettingError(f"span needs 2 blocks or more to concatenate their outputs, not {depth}")
        self.scale = scale
        self.mean = MeanShift()
        self.head = SandwichConv2d(3, width)
        self.body = nn.ModuleList(AttentionBlock(width) for _ in range(depth))
        self.last = SandwichConv2d(width, width)
        self.fuse = nn.Conv2d(4 * width, width, 1)
        self.tail = nn.Conv2d(width, 3 * scale * scale, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.head(self.mean.subtract(image) * 255)  # (N, width, H, W)
        features, outputs, inside = first, [], first
        for block in self.body:
            features, inside = block(features)
            outputs.append(features)
        features = self.fuse(torch.cat([first, self.last(features), outputs[0], inside], dim=1))
        return F.pixel_shuffle(self.tail(features), self.scale)
