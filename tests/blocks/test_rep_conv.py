"""RepConv and its fold compute the same, borders included."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pocketsr.blocks import RepConv2d, fold
from pocketsr.errors import SettingError

DOUBLE, SINGLE = 1e-12, 1e-5
FORMS = [(4, 4, 3, "none"), (3, 7, 3, "conv"), (7, 3, 5, "conv"), (5, 5, 5, "identity"), (3, 8, 1, "none")]


@given(
    channels=st.integers(1, 9),
    expansion=st.integers(1, 20),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None)
def test_folded_equals_branches_at_every_pixel(
    channels: int, expansion: int, height: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    for dtype, tolerance in ((torch.float64, DOUBLE), (torch.float32, SINGLE)):
        block = RepConv2d(channels, expansion=expansion).to(dtype)
        x = torch.randn(2, channels, height, width, dtype=dtype)
        expected = block.branches(x)
        largest = max(1.0, float(expected.detach().abs().max()))
        assert (block(x) - expected).abs().max() <= tolerance * largest
        assert (block.folded()(x) - expected).abs().max() <= tolerance * largest


@pytest.mark.parametrize(("channels", "out_channels", "kernel", "skip"), [(5, 5, 3, "identity"), *FORMS])
def test_collapsing_while_training_gives_the_gradients_of_the_branches(
    channels: int, out_channels: int, kernel: int, skip: str
) -> None:
    torch.manual_seed(0)
    block = RepConv2d(channels, out_channels=out_channels, kernel=kernel, skip=skip, expansion=11).double()
    twin = copy.deepcopy(block)
    twin.collapse = False
    x = torch.randn(1, channels, 6, 7, dtype=torch.float64)
    block(x).square().sum().backward()
    twin(x).square().sum().backward()
    for collapsed, factored in zip(block.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(collapsed.grad, factored.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_block_in_half_precision_keeps_to_it(dtype: torch.dtype) -> None:
    block = RepConv2d(3, out_channels=4, skip="conv", expansion=5).to(dtype)
    assert block(torch.ones(1, 3, 4, 4, dtype=dtype)).dtype == dtype
    assert block.folded().weight.dtype == dtype


def test_the_names_of_its_weights_are_those_of_the_first_checkpoints() -> None:
    assert set(RepConv2d(3, expansion=4).state_dict()) == {
        f"{layer}.{tensor}" for layer in ("expand", "squeeze") for tensor in ("weight", "bias")
    }


def test_folding_leaves_the_original_alone_and_shares_nothing() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(RepConv2d(4, expansion=8)))
    plain = fold(network)
    assert isinstance(plain[1][0], nn.Conv2d)
    assert isinstance(network[1][0], RepConv2d)
    with torch.no_grad():
        plain[0].weight.zero_()
    assert network[0].weight.abs().sum() > 0


def test_nonsense_expansion_is_refused() -> None:
    with pytest.raises(SettingError, match="expansion must be 1 or more"):
        RepConv2d(4, expansion=0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("channels", "out_channels", "kernel", "skip"), FORMS)
@torch.no_grad()
def test_every_form_folds_to_one_convolution(
    channels: int, out_channels: int, kernel: int, skip: str, bias: bool
) -> None:
    torch.manual_seed(1)
    for dtype, tolerance in ((torch.float64, DOUBLE), (torch.float32, SINGLE)):
        block = RepConv2d(
            channels, out_channels=out_channels, kernel=kernel, expansion=9, skip=skip, bias=bias, collapse=False
        ).to(dtype)
        x = torch.randn(1, channels, 6, 5, dtype=dtype)
        expected = block(x).detach()
        allowed = tolerance * max(1.0, float(expected.abs().max()))
        assert (block.folded()(x) - expected).abs().max() <= allowed
        block.collapse = True
        assert (block(x) - expected).abs().max() <= allowed
    assert (block.folded().bias is not None) == bias


def test_impossible_forms_are_refused() -> None:
    with pytest.raises(SettingError, match="identity from 3 to 8"):
        RepConv2d(3, out_channels=8, expansion=4)
    with pytest.raises(SettingError, match="kernel must be odd"):
        RepConv2d(3, expansion=4, kernel=2)
    with pytest.raises(SettingError, match="identity, conv, none"):
        RepConv2d(3, expansion=4, skip="1x1")
