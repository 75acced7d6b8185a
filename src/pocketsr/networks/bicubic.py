"""Bicubic enlarging as a network without weights: the baseline in everything that takes a network."""

from __future__ import annotations

from torch import Tensor

from pocketsr.blocks import BicubicUpsample, Network
from pocketsr.errors import SettingError


class Bicubic(Network):
    """Bicubic enlarging of float values; unlike image resizing in 8 bits it does not round in between.

    Args:
        scale: 2, 3 or 4.
        channels: 3 for RGB, 1 for luma.
        a: Slope of the kernel: −0.5 is MATLAB's and Pillow's, −0.75 OpenCV's and torch's, which SCSRN and LRSRN print.
    """

    def __init__(self, *, scale: int = 3, channels: int = 3, a: float = -0.5) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or channels not in (1, 3):
            raise SettingError(f"bicubic upscales 1 or 3 channels by 2, 3 or 4, not {channels} by {scale}")
        self.scale, self.channels = scale, channels
        self.enlarge = BicubicUpsample(scale, channels, a=a)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` to ``(N, C, sH, sW)``; the output may pass 0..1 at edges."""
        enlarged: Tensor = self.enlarge(image)
        return enlarged
