"""A normalised convolution is one convolution when it runs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketsr.blocks import ConvNorm2d

#: Folding is computed in double precision, so rounding is all that may differ.
TOLERANCE = 1e-12


@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (1, 1), (2, 5)])
def test_it_folds_exactly_with_any_mean_variance_and_slope(stride: int, kernel: int) -> None:
    torch.manual_seed(0)
    block = ConvNorm2d(3, 5, stride=stride, kernel=kernel).double()
    nn.init.normal_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    block(3 + torch.randn(8, 3, 9, 9, dtype=torch.float64))  # gives the normalisation a mean and a variance
    block.eval()
    x = torch.randn(1, 3, 6, 7, dtype=torch.float64)
    assert (block.folded()(x) - block(x)).abs().max() < TOLERANCE


def test_it_folds_where_it_lives() -> None:
    folded = ConvNorm2d(3, 5).to("meta").half().folded()
    assert {(str(parameter.device), parameter.dtype) for parameter in folded.parameters()} == {("meta", torch.float16)}


def test_folding_leaves_the_block_as_it_was() -> None:
    block = ConvNorm2d(2, 2).eval()
    before = {name: value.clone() for name, value in block.state_dict().items()}
    nn.init.zeros_(block.folded().weight)
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())
