"""SRCNN: three convolutions on an image that was enlarged before, the first network of the field.

    luma ─► bicubic ×s ─► 9×9 1→64, ReLU ─► 5×5 64→32, ReLU ─► 5×5 32→1

Source:
    Dong et al., "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016. 9-5-5 is what later papers
    count (52.7 GMAC at 720p); 9-1-5 is the first version.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import BicubicUpsample, Network
from pocketsr.errors import SettingError


class SRCNN(Network):
    """Super-resolution convolutional network.

    Args:
        scale: 2, 3 or 4.
        channels: 1 for luma (the paper's), 3 for RGB.
        middle_kernel: 5, 3 or 1.
    """

    def __init__(self, *, scale: int = 3, channels: int = 1, middle_kernel: int = 5) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or channels not in (1, 3):
            raise SettingError(f"srcnn upscales 1 or 3 channels by 2, 3 or 4, not {channels} by {scale}")
        if middle_kernel not in (1, 3, 5):
            raise SettingError(f"srcnn's middle_kernel is 1, 3 or 5, not {middle_kernel}")
        self.scale, self.channels = scale, channels
        self.enlarge = BicubicUpsample(scale, channels)
        self.extract = nn.Conv2d(channels, 64, 9, padding=4)
        self.map = nn.Conv2d(64, 32, middle_kernel, padding=middle_kernel // 2)
        self.reconstruct = nn.Conv2d(32, channels, 5, padding=2)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` to ``(N, C, sH, sW)``; the output may pass 0..1 by a little."""
        features = F.relu(self.extract(self.enlarge(image)))  # (N, 64, sH, sW)
        output: Tensor = self.reconstruct(F.relu(self.map(features)))
        return output


def _initialise(module: nn.Module) -> None:
    """Normal with deviation 0.001 and zero bias (§3.3)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.001)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
