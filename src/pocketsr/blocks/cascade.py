"""Cascading: every block's output is kept, and a 1×1 convolution fuses all that is there after each block.

    x ─┬─► block 1 ─┬─► fuse (x, 1) ─► block 2 ─┬─► fuse (x, 1, 2) ─► block 3 ─► fuse (x, 1, 2, 3) ─►

What is kept are the blocks' outputs, not the fused ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Cascade(nn.Module):
    """Blocks in a row with a fusion after each.

    Args:
        width: Channels in and out.
        depth: Blocks.
        make_block: Makes a block from ``width`` to ``width`` channels.
        shares: Make one block and run it at every place (CARN-M's recursion); the fusions stay apart.
        fuses: Whether there are fusions; without them the blocks simply follow each other.
        fusion_relu: A ReLU after each fusion.

    Source:
        Ahn et al., CARN, ECCV 2018, §3.1; inside blocks ("local") and around them ("global") alike.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        make_block: Callable[[], nn.Module],
        *,
        shares: bool = False,
        fuses: bool = True,
        fusion_relu: bool = False,
    ) -> None:
        super().__init__()
        self.depth, self.shares, self.fusion_relu = depth, shares, fusion_relu
        self.blocks = nn.ModuleList(make_block() for _ in range(1 if shares else depth))
        places = range(depth if fuses else 0)
        self.fusions = nn.ModuleList(nn.Conv2d((place + 2) * width, width, 1) for place in places)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        kept, features = [x], x
        for place in range(self.depth):
            features = self.blocks[0 if self.shares else place](features)
            if len(self.fusions):
                kept.append(features)
                features = self.fusions[place](torch.cat(kept, dim=1))
                if self.fusion_relu:
                    features = F.relu(features)
        return features
