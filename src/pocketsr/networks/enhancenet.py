"""EnhanceNet's generator: residual blocks, nearest-neighbour doubling, and what it adds to the bicubic image.

    image ─► 3→64, ReLU ─► 10 × [conv, ReLU, conv, +] ─► 2 × [nearest ×2, conv, ReLU] ─► conv, ReLU ─► 64→3 ─► +
      └────────────────────────────────── bicubic ×4 ──────────────────────────────────────────────────────────┘

Source:
    Sajjadi et al., "EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis", ICCV 2017;
    msmsajjadi/EnhanceNet-Code. The 1.1M parameters that PCARN prints for it are wrong: its 120.6 GMAC at 720p match
    these 852,867 to the digit. The authors' code takes a mean colour off the image before the first layer, which that
    layer's bias makes up for but at the border, and enlarges with TensorFlow's bicubic; neither is in the paper. Here
    the colours stay as they are and bicubic is MATLAB's, with which the low-resolution images are made.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import BicubicUpsample, Network, ResidualBlock
from pocketsr.errors import SettingError


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
        if min(width, depth) < 1:
            raise SettingError(f"enhancenet's width and depth are 1 or more, not {width} and {depth}")
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.doublings = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.enlarge = BicubicUpsample(scale, 3)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, 4H, 4W)``; the output may pass 0..1 by a little."""
        features = F.relu(self.head(image))  # (N, width, H, W)
        for block in self.body:
            features = block(features)
        for conv in self.doublings:
            features = F.relu(conv(F.interpolate(features, scale_factor=2.0, mode="nearest")))
        output: Tensor = self.tail(F.relu(self.last(features))) + self.enlarge(image)  # (N, 3, 4H, 4W)
        return output


def _initialise(module: nn.Module) -> None:
    """Glorot uniform with zero bias: what the layers of the authors' code start with."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
