"""LRSRN: a plain residual network for 4K in real time, every layer trained as RepConv.

    image ─► 3→32 ─► 4 × RepConv 32→32 ─► + ─► 32→3s² ─► pixel shuffle
                 │     (ReLU after each)  ▲
                 └────────────────────────┘

Values are 0..1; there is no residual in image space and no clip.

Source:
    LRSRN, CVPR Workshops 2023 (NTIRE real-time 4K). The paper has RepConv on all layers. The authors' code has it in
    the body only for ×2 and on all six layers, with a 1×1 skip where widths differ, for ×3: ``rep_conv`` names both.
    The printed gain of RepConv was measured against networks that, by a slip in their forward, had no ReLU at all
    (``rtsrn`` tells the story).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network, RepConv2d
from pocketsr.blocks.rep_conv import Skip
from pocketsr.errors import SettingError

#: Layers that train as RepConv: none, those of the body, all.
RepConvs = Literal["none", "backbone", "all"]
#: The submitted network has ReLU; GELU was among the candidates.
Activation = Literal["relu", "gelu"]


class LRSRN(Network):
    """Lightweight real-time super-resolution network.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the body: 32 as submitted; 48 and 64 were candidates.
        depth: Body convolutions.
        rep_conv: Which layers train as RepConv.
        expansion: Inner width of RepConv.
        activation: After the head and each body layer.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        width: int = 32,
        depth: int = 4,
        rep_conv: RepConvs = "all",
        expansion: int = 256,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"lrsrn upscales by 2, 3 or 4, not {scale}")
        if rep_conv not in get_args(RepConvs):
            raise SettingError(f"lrsrn's rep_conv is one of {', '.join(get_args(RepConvs))}, not {rep_conv!r}")
        if activation not in get_args(Activation):
            raise SettingError(f"lrsrn's activation is one of {', '.join(get_args(Activation))}, not {activation!r}")
        self.scale = scale
        self.activation = F.relu if activation == "relu" else F.gelu

        def conv(channels: int, out_channels: int, *, in_body: bool) -> nn.Module:
            if rep_conv == "all" or (rep_conv == "backbone" and in_body):
                branch: Skip = "identity" if channels == out_channels else "conv"
                return RepConv2d(channels, out_channels=out_channels, expansion=expansion, skip=branch)
            return nn.Conv2d(channels, out_channels, 3, padding=1)

        self.head = conv(3, width, in_body=False)
        self.body = nn.ModuleList(conv(width, width, in_body=True) for _ in range(depth))
        self.transition = conv(width, 3 * scale * scale, in_body=False)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.activation(self.head(image))  # (N, width, H, W)
        features = first
        for conv in self.body:
            features = self.activation(conv(features))
        subpixels = self.transition(first + features)  # (N, 3s², H, W)
        return F.pixel_shuffle(subpixels, self.scale)
