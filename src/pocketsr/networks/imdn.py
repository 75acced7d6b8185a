"""IMDN: blocks that put a part of their features aside at every step and join the parts at the end.

    image ─► 3→64 ─► 6 × IMDB ─► concat of all ─► 1×1, LeakyReLU ─► 3×3 ─► + ─► 64→3s² ─► pixel shuffle
                  └────────────────────────────────────────────────────────┘
    IMDB: c1 64→64 ─► 16 | 48 ─► c2 48→64 ─► 16 | 48 ─► c3 48→64 ─► 16 | 48 ─► c4 48→16
          the four 16s side by side ─► contrast-aware attention ─► 1×1 ─► + input

Source:
    Hui et al., "Lightweight Image Super-Resolution with Information Multi-distillation Network", ACM MM 2019;
    Zheng222/IMDN. The ``ntire`` form is the one in KAIR and in LRSRN's tables: 8 blocks, one after the other, without
    attention and without the concatenation of all. Layers start as torch starts them: neither code says otherwise.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import ContrastAttention, Network
from pocketsr.errors import SettingError

#: As published, or as NTIRE's challenges use it.
Form = Literal["original", "ntire"]
_SLOPE = 0.05


class DistillationBlock(nn.Module):
    """Information multi-distillation block.

    Args:
        width: Channels in and out; a quarter is put aside at each of four steps.
        attention: Whether the joined parts pass contrast-aware attention.
    """

    def __init__(self, width: int, *, attention: bool) -> None:
        super().__init__()
        self.kept = width // 4
        self.rest = width - self.kept
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(self.rest, width, 3, padding=1)
        self.third = nn.Conv2d(self.rest, width, 3, padding=1)
        self.fourth = nn.Conv2d(self.rest, self.kept, 3, padding=1)
        self.attention: nn.Module = ContrastAttention(width) if attention else nn.Identity()
        self.fuse = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        kept, features = [], x
        for conv in (self.first, self.second, self.third):
            part, features = torch.split(F.leaky_relu(conv(features), _SLOPE), [self.kept, self.rest], dim=1)
            kept.append(part)
        joined = torch.cat([*kept, self.fourth(features)], dim=1)
        fused: Tensor = self.fuse(self.attention(joined))
        return fused + x


class IMDN(Network):
    """Information multi-distillation network.

    Args:
        scale: 2, 3 or 4.
        form: ``"original"`` or ``"ntire"``.
        width: Channels of the body, a multiple of 4.
        depth: Blocks; None is 6 for the original and 8 for NTIRE's.
    """

    def __init__(self, *, scale: int = 4, form: Form = "original", width: int = 64, depth: int | None = None) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"imdn upscales by 2, 3 or 4, not {scale}")
        if form not in get_args(Form):
            raise SettingError(f"imdn's form is one of {', '.join(get_args(Form))}, not {form!r}")
        if width < 4 or width % 4:
            raise SettingError(f"imdn's width is a multiple of 4, not {width}")
        self.scale = scale
        original = form == "original"
        count = depth if depth is not None else (6 if original else 8)
        if count < 1:
            raise SettingError(f"imdn's depth is 1 or more, not {count}")
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(DistillationBlock(width, attention=original) for _ in range(count))
        self.join = nn.Conv2d(count * width, width, 1) if original else None
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3 * scale * scale, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.head(image)  # (N, width, H, W)
        features, outputs = first, []
        for block in self.body:
            features = block(features)
            outputs.append(features)
        if self.join is not None:
            features = F.leaky_relu(self.join(torch.cat(outputs, dim=1)), _SLOPE)
        return F.pixel_shuffle(self.tail(self.last(features) + first), self.scale)
