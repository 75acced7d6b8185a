"""ABPN: a plain network with an anchor residual, made for int8 on phones.

    image ─► 3→28 ─► 4 × 28→28 ─► 28→3s² ─► 3s²→3s² ─► + ─► pixel shuffle ─► clip 0..255
      │        (every convolution 3×3; ReLU after all but the last)   ▲
      └──────────────── each pixel repeated s² times (anchor) ────────┘

Source:
    Du et al., "Anchor-based Plain Net for Mobile Image Super-Resolution", CVPR Workshops 2021 (MAI).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network, RepConv2d, repeat_pixels
from pocketsr.errors import SettingError

#: Table 2's arms. No arm adds a weight; they differ in where the input joins the output.
Residual = Literal["none", "nearest", "bilinear", "feature", "anchor"]


class ABPN(Network):
    """Anchor-based plain net.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the body; the paper's M is 4 layers of 28.
        depth: Body convolutions from ``width`` to ``width``.
        residual: Where the input joins: ``"anchor"`` (the paper's), ``"feature"`` (first features added to the last,
            §3.2's FSRL), ``"nearest"`` and ``"bilinear"`` (image added after pixel shuffle), ``"none"``.
        expansion: Train the body as RepConv of this inner width; 0 trains plain convolutions. Folding gives the same
            plain network either way. The last layer then starts at zero: the identity branches make the first outputs
            so large that training would otherwise switch the ReLU before it off for good and stay at the anchor.
    """

    def __init__(
        self, *, scale: int = 3, width: int = 28, depth: int = 4, residual: Residual = "anchor", expansion: int = 0
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"abpn upscales by 2, 3 or 4, not {scale}")
        if residual not in get_args(Residual):
            raise SettingError(f"abpn's residual is one of {', '.join(get_args(Residual))}, not {residual!r}")
        self.scale = scale
        self.residual = residual
        subpixels = 3 * scale * scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(_body_conv(width, expansion) for _ in range(depth))
        self.tail = nn.Conv2d(width, subpixels, 3, padding=1)
        # The last two convolutions live in image space: +0.11 dB over five layers of 28 (authors' README).
        self.transition = nn.Conv2d(subpixels, subpixels, 3, padding=1)
        self.apply(_initialise)
        if expansion:
            nn.init.zeros_(self.transition.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1."""
        x = image * 255
        first = F.relu(self.head(x))  # (N, width, H, W)
        features = first
        for conv in self.body:
            features = F.relu(conv(features))
        if self.residual == "feature":
            features = features + first
        subpixels = self.transition(F.relu(self.tail(features)))  # (N, 3s², H, W)
        if self.residual == "anchor":
            subpixels = subpixels + repeat_pixels(x, self.scale)
        output = F.pixel_shuffle(subpixels, self.scale)  # (N, 3, sH, sW)
        if self.residual == "nearest":
            output = output + F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
        elif self.residual == "bilinear":
            output = output + F.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        return torch.clamp(output, 0, 255) / 255


def _body_conv(width: int, expansion: int) -> nn.Module:
    return RepConv2d(width, expansion=expansion) if expansion else nn.Conv2d(width, width, 3, padding=1)


def _initialise(module: nn.Module) -> None:
    """Glorot normal with zero bias, as the authors' code has it (the paper says He)."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
