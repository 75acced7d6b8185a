"""NCNet: ABPN's plan with 32 channels, and the nearest-neighbour anchor written as a frozen 1×1 convolution.

    image ─► 3→32 ─► 4 × 32→32 ─► 32→3s² ─► 3s²→3s² ─► + ─► pixel shuffle ─► clip 0..255
      └────────── nearest convolution (frozen) ────────┘

Source:
    Luo et al., "Fast Nearest Convolution for Real-Time Efficient Image Super-Resolution", ECCV Workshops 2022;
    Algolzw/NCNet. The frozen kernel (9s² zeros and ones) is a repetition here and no parameter: 52,279 numbers are
    trained at ×3, 52,360 with the kernel, and no way of counting gives the printed 53.00K. The authors' TensorFlow
    network clips at the end, their torch port does not: this does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network, repeat_pixels
from pocketsr.errors import SettingError


class NCNet(Network):
    """Nearest-convolution network.

    Args:
        scale: 2, 3 or 4. The authors' torch port shuffles twice by 2 for ×4; this shuffles once by 4, which is another
            order of the last layer's channels (importing sees to it).
        width: Channels of the body.
        depth: Body convolutions from ``width`` to ``width``.
    """

    def __init__(self, *, scale: int = 3, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"ncnet upscales by 2, 3 or 4, not {scale}")
        self.scale = scale
        subpixels = 3 * scale * scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.tail = nn.Conv2d(width, subpixels, 3, padding=1)
        self.transition = nn.Conv2d(subpixels, subpixels, 3, padding=1)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1."""
        x = image * 255
        features = F.relu(self.head(x))  # (N, width, H, W)
        for conv in self.body:
            features = F.relu(conv(features))
        subpixels = self.transition(F.relu(self.tail(features)))  # (N, 3s², H, W)
        output = F.pixel_shuffle(subpixels + repeat_pixels(x, self.scale), self.scale)
        return torch.clamp(output, 0, 255) / 255


def _initialise(module: nn.Module) -> None:
    """Glorot normal with zero bias, as the authors' code has it."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
