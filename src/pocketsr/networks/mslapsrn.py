"""MSLapSRN: a Laplacian pyramid whose levels share one recursive block.

    luma ─► 1→64 ─► level ─► level (×4 has two)
      │             level: R times [D × (LeakyReLU, conv 64→64) + the level's input]
      │                    ─► LeakyReLU, transposed conv ×2 ─► 64→1 ─► +
      └── transposed conv ×2 of the image, a level at a time ──────────┘

Source:
    Lai et al., "Fast and Accurate Image Super-Resolution with Deep Laplacian Pyramid Networks", TPAMI 2019: D5R8 with
    local source skip. The printed 222K pin the features' transposed convolution to 3×3 (4×4 would make 251K), and
    with it the printed 435.9 GMAC at 720p.
"""

from __future__ import annotations

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
        self.scale, self.recursions = scale, recursions
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.enlarge = nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1)
        self.enlarge_image = nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False)
        self.residual = nn.Conv2d(width, 1, 3, padding=1)
        _fill_bilinear(self.enlarge_image.weight)

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
def _fill_bilinear(weight: Tensor) -> None:
    """The image's way up starts as bilinear enlarging."""
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    weight[0, 0] = row[:, None] * row
