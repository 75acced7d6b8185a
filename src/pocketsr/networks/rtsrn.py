"""RTSRN: the baseline of NTIRE's real-time track, a plain network with a long skip.

    image ─► 3→64 ─► 5 × 64→64 (ReLU after all but the last) ─► + ─► 64→3s² ─► pixel shuffle
                 └──────────────────────────────────────────────┘

Source:
    NTIRE 2023 real-time super-resolution, ``rtsrn.py``. Until 24 February 2023 its test for the activation was never
    true, and LRSRN's "RepConv ✗" rows copied it: those networks have no ReLU at all and are one linear filter, which is
    why they stand only 0.2 dB above bicubic. ``linear=True`` is that control, by name.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError


class RTSRN(Network):
    """Real-time super-resolution baseline.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the body.
        depth: Body convolutions.
        linear: Leave every ReLU out, as the published ablation did by accident.
    """

    def __init__(self, *, scale: int = 2, width: int = 64, depth: int = 5, linear: bool = False) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"rtsrn upscales by 2, 3 or 4, not {scale}")
        self.scale, self.linear = scale, linear
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.tail = nn.Conv2d(width, 3 * scale * scale, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.head(image)  # (N, width, H, W)
        features = first
        for index, conv in enumerate(self.body):
            features = conv(features)
            if not self.linear and index < len(self.body) - 1:
                features = F.relu(features)
        return F.pixel_shuffle(self.tail(features + first), self.scale)
