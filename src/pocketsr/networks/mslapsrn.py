"""MSLapSRN: a Laplacian pyramid whose levels share one recursive block.

    luma ─► 1→64 ─► level ─► level (×4 has two)
      │             level: R times [D × (LeakyReLU, conv 64→64) + the level's input]
      │                    ─► LeakyReLU, transposed conv ×2 ─► 64→1 ─► +
      └── transposed conv ×2 of the image, a level at a time ──────────┘

Source:
    Lai et al., "Fast and Accurate Image Super-Resolution with Deep Laplacian Pyramid Networks", TPAMI 2019: D5R8 with
    local source skip; phoenix104104/LapSRN. 222,801 parameters at either scale: head 640, body 5 × 36,928, features'
    transposed convolution 36,928, image's 16, residual 577. It is 3×3 in the authors' code, as the printed 222K and
    435.9 GMAC at 720p say (4×4 would make 251K). Their code crops its output at the bottom and right, torch at the top
    and left: a mirror image, the same network to training that flips its patches. Their ×3, which is ×4 shrunk, is left
    out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

_SLOPE = 0.2


class MSLapSRN(Network):
    """Multi-scale Laplacian pyramid network.

    Args:
        scale: 2 (one level) or 4 (two); both share all weights.
        width: Channels of the features.
        depth: Convolutions D of the recursive block.
        recursions: How often R each level runs it.
    """

    channels = 1

    def __init__(self, *, scale: int = 4, width: int = 64, depth: int = 5, recursions: int = 8) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise SettingError(f"mslapsrn upscales by 2 or 4, not {scale}")
        if min(width, depth, recursions) < 1:
            raise SettingError(
                f"mslapsrn's width, depth and recursions are 1 or more, not {width}, {depth} and {recursions}"
            )
        self.scale, self.recursions = scale, recursions
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.enlarge = nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1)
        self.enlarge_image = nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False)
        self.residual = nn.Conv2d(width, 1, 3, padding=1)
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 1, H, W)`` to ``(N, 1, sH, sW)``; the output may pass 0..1 by a little."""
        features = self.head(image)  # (N, width, H, W)
        for _ in range(self.scale // 2):
            source = features
            for _ in range(self.recursions):
                for conv in self.body:
                    features = conv(F.leaky_relu(features, _SLOPE))
                features = features + source
            features = self.enlarge(F.leaky_relu(features, _SLOPE))  # twice as large
            image = self.enlarge_image(image) + self.residual(features)
        return image

    @torch.no_grad()
    def _initialise(self) -> None:
        """The authors' start: He's normal, a faint first layer, zero biases, and bilinear enlarging of the image."""
        deviation = math.sqrt(2 / (9 * self.head.out_channels))
        for conv in (*self.body, self.enlarge, self.residual):
            assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
            nn.init.normal_(conv.weight, std=deviation)
        nn.init.normal_(self.head.weight, std=0.001)
        for conv in (self.head, *self.body, self.enlarge, self.residual):
            assert isinstance(conv.bias, nn.Parameter)
            nn.init.zeros_(conv.bias)
        row = torch.tensor([0.25, 0.75, 0.75, 0.25])
        self.enlarge_image.weight[0, 0] = row[:, None] * row
