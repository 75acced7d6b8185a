"""Channel attention: how much each channel counts, decided from the whole image.

A network that holds it looks at the whole image, so it cannot be run in tiles without changing its result.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError


class ContrastAttention(nn.Module):
    """Contrast-aware channel attention: weights from standard deviation plus mean of each channel.

    Args:
        channels: Width.
        reduction: Width over inner width; at most ``channels``.

    Raises:
        SettingError: Nothing would be left of that width.

    Source:
        Hui et al., IMDN, §3.3. The variance is the biased one (divided by the number of pixels), as in the code.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise SettingError(f"attention over {channels} channels cannot be reduced {reduction} times")
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` weighed channel by channel."""
        mean = x.mean(dim=(2, 3), keepdim=True)
        deviation = torch.sqrt(((x - mean) ** 2).mean(dim=(2, 3), keepdim=True))
        weights = torch.sigmoid(self.expand(F.relu(self.squeeze(deviation + mean))))  # (N, C, 1, 1)
        return x * weights
