"""A residual block adds to its input."""

from __future__ import annotations

import torch
from torch import nn

from pocketsr.blocks import ResidualBlock


def test_it_adds_and_leaves_the_sum_alone() -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(4), torch.randn(1, 4, 5, 6)
    assert torch.allclose(block(x) - x, block.second(torch.relu(block.first(x))), atol=1e-6)
    nn.init.zeros_(block.second.weight)
    nn.init.zeros_(block.second.bias)
    assert torch.equal(block(x), x)  # negative values too: no ReLU after the sum
