"""SCSRN: a plain network whose only skip is a concatenation, made so that int8 costs almost nothing.

    image ─► 3→32 ─► 4 × RepConv 32→32 ─► concat ─► 35→3s² ─► RepConv 3s²→3s² ─► min(·, 255) ─► pixel shuffle
      │        (every convolution 3×3 with ReLU)  ▲
      └───────────────────────────────────────────┘

The ReLU of the last layer is the lower half of the final clip and ``min`` the upper one (MinClip), so the last tensor
spans 0..255 exactly and an int8 file has steps of one grey level.

Source:
    SCSRN, IEEE Access 2023, §III and Table 1. No public code was found. The layer widths follow from the printed 53.01K
    parameters; where the text leaves room, options name both readings: whether the first transition layer has a ReLU is
    not stated (ABPN and NCNet have one, so it has), and ``+Add`` can only join at 3s² channels, as in ABPN.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network, RepConv2d, repeat_pixels
from pocketsr.blocks.rep_conv import Skip as Branch
from pocketsr.errors import SettingError

#: Table 1's ways for the image to join: beside the features, added to the sub-pixels, or not at all (ConvBase).
Skip = Literal["concat", "add", "none"]
#: Table 1's layers that train as RepConv: those of equal width, every layer, none.
RepConvs = Literal["none", "selective", "all"]


class SCSRN(Network):
    """Skip-concatenation super-resolution network.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the body.
        depth: Body convolutions from ``width`` to ``width``.
        skip: Where the image joins.
        rep_conv: Which layers train as RepConv; ``"selective"`` (the paper's) leaves out those of unequal width.
        expansion: Inner width of RepConv. Not printed; SESR's default and the sister network LRSRN's is 256.
        min_clip: Fuse the lower bound of the clip into the last layer and take the minimum before pixel shuffle.
            Without, the clip to 0..255 comes after it: the same image, but another graph in other converters.
    """

    def __init__(
        self,
        *,
        scale: int = 3,
        width: int = 32,
        depth: int = 4,
        skip: Skip = "concat",
        rep_conv: RepConvs = "selective",
        expansion: int = 256,
        min_clip: bool = True,
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"scsrn upscales by 2, 3 or 4, not {scale}")
        if skip not in get_args(Skip):
            raise SettingError(f"scsrn's skip is one of {', '.join(get_args(Skip))}, not {skip!r}")
        if rep_conv not in get_args(RepConvs):
            raise SettingError(f"scsrn's rep_conv is one of {', '.join(get_args(RepConvs))}, not {rep_conv!r}")
        self.scale, self.skip, self.min_clip = scale, skip, min_clip
        subpixels = 3 * scale * scale

        def conv(channels: int, out_channels: int) -> nn.Module:
            equal = channels == out_channels
            if rep_conv == "all" or (rep_conv == "selective" and equal):
                # Between unequal widths there is no identity to add (Table 1: that hurts).
                branch: Branch = "identity" if equal else "none"
                return RepConv2d(channels, out_channels=out_channels, expansion=expansion, skip=branch)
            return nn.Conv2d(channels, out_channels, 3, padding=1)

        self.head = conv(3, width)
        self.body = nn.ModuleList(conv(width, width) for _ in range(depth))
        self.tail = conv(width + (3 if skip == "concat" else 0), subpixels)
        self.transition = conv(subpixels, subpixels)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1."""
        x = image * 255
        features = F.relu(self.head(x))  # (N, width, H, W)
        for conv in self.body:
            features = F.relu(conv(features))
        if self.skip == "concat":
            features = torch.cat([features, x], dim=1)  # (N, width + 3, H, W)
        subpixels = self.transition(F.relu(self.tail(features)))  # (N, 3s², H, W)
        if self.skip == "add":
            subpixels = subpixels + repeat_pixels(x, self.scale)
        if self.min_clip:
            subpixels = torch.clamp(F.relu(subpixels), max=255)
            return F.pixel_shuffle(subpixels, self.scale) / 255
        return torch.clamp(F.pixel_shuffle(subpixels, self.scale), 0, 255) / 255


def _initialise(module: nn.Module) -> None:
    """Xavier normal with zero bias (§IV-A)."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
