"""FEQE: residual blocks at a quarter of the enlarged image's size, reached without losing a pixel.

    image ─► bicubic ×4 ─► space-to-depth 2 ─► 1×1 12→4 ─► space-to-depth 2 ─► 20 × [conv, ReLU, conv, +] ─► conv
               │                                                                                            │
               +  ◄─ depth-to-space 2 ◄─ 1×1 16→12 ◄─ depth-to-space 2 ◄─ 1×1 16→64 ◄───────────────────────┘

Source:
    Vu et al., "Fast and Efficient Image Quality Enhancement via Desubpixel Convolutional Neural Networks", ECCV
    Workshops 2018; thangvubk/FEQE. Values inside are ±127.5. TensorFlow, in which the authors' code is written, has
    colours inside the channels of space-to-depth (2·row + column outside), torch the other way round. Both orders hold
    the same functions, as convolutions on either side can move channels; torch's is used: TensorFlow's weights would
    need their channels moved. The authors clip the output to 0..1 in the network; here it is left to whoever
    writes pixels. Layers start uniform within ±1/√(inputs · k²), weights and biases: their choice, and torch's own.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import BicubicUpsample, Network, ResidualBlock
from pocketsr.errors import SettingError


class FEQE(Network):
    """Fast and efficient quality enhancement.

    Args:
        scale: 4.
        width: Channels of the body, a multiple of 4.
        depth: Residual blocks.
    """

    def __init__(self, *, scale: int = 4, width: int = 16, depth: int = 20) -> None:
        super().__init__()
        if scale != 4:
            raise SettingError(f"feqe upscales by 4, not {scale}")
        if width < 4 or width % 4 or depth < 1:
            raise SettingError(f"feqe's width is a multiple of 4 and depth 1 or more, not {width} and {depth}")
        self.scale = scale
        self.enlarge = BicubicUpsample(scale, 3)
        self.squeeze = nn.Conv2d(12, width // 4, 1)
        self.body = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.widen = nn.Conv2d(width, 4 * width, 1)
        self.tail = nn.Conv2d(width, 12, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, 4H, 4W)``; the output may pass 0..1 by a little."""
        enlarged = (self.enlarge(image) - 0.5) * 255  # (N, 3, 4H, 4W)
        features = F.pixel_unshuffle(self.squeeze(F.pixel_unshuffle(enlarged, 2)), 2)  # (N, width, H, W)
        for block in self.body:
            features = block(features)
        features = F.pixel_shuffle(self.widen(self.last(features)), 2)  # (N, width, 2H, 2W)
        output = F.pixel_shuffle(self.tail(features), 2) + enlarged
        result: Tensor = output / 255 + 0.5
        return result
