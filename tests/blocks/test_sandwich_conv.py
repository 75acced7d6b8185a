"""The 1×1 – 3×3 – 1×1 block folds exactly, borders included."""

from __future__ import annotations

import pytest
import torch

from pocketsr.blocks import SandwichConv2d


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (7, 6)])
def test_folded_equals_branches_at_every_pixel(height: int, width: int) -> None:
    torch.manual_seed(0)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        block = SandwichConv2d(3, 5).to(dtype)
        x = torch.randn(2, 3, height, width, dtype=dtype)
        expected = block.branches(x)
        assert (block(x) - expected).abs().max() <= tolerance
        assert (block.folded()(x) - expected).abs().max() <= tolerance
