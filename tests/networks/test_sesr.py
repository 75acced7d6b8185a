"""SESR is the network of its paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketsr.blocks import RepConv2d
from pocketsr.networks.sesr import SESR, SIZES


@pytest.mark.parametrize(
    ("size", "parameters"), [("m3", 8_912), ("m5", 13_520), ("m7", 18_128), ("m11", 27_344), ("xl", 105_376)]
)
def test_every_size_on_luma_counts_its_layers(size: str, parameters: int) -> None:
    folded = SESR(scale=2, channels=1, bias=False, **SIZES[size]).folded()
    assert sum(p.numel() for p in folded.parameters()) == parameters


def test_only_the_3x3_blocks_have_an_identity_in_their_kernel() -> None:
    blocks = {name: block for name, block in SESR(expansion=4).named_modules() if isinstance(block, RepConv2d)}
    assert {name for name, block in blocks.items() if block.has_identity} == {f"body.{index}" for index in range(5)}
    assert {name for name, block in blocks.items() if block.expand.kernel_size == (5, 5)} == {"head", "tail"}


def test_prelu_starts_as_relu_and_then_differs() -> None:
    torch.manual_seed(0)
    prelu, relu = SESR(expansion=8, activation="prelu"), SESR(expansion=8)
    relu.load_state_dict(prelu.state_dict(), strict=False)
    image = torch.rand(1, 3, 7, 6)
    assert torch.equal(prelu(image), relu(image))
    nn.init.constant_(prelu.activations[0].weight, 0.5)
    assert not torch.allclose(prelu(image), relu(image), atol=1e-4)


def test_prelu_has_one_slope_for_each_channel() -> None:
    assert [activation.weight.numel() for activation in SESR(activation="prelu").activations] == [16] * 5


def test_without_bias_the_folded_convolutions_have_none() -> None:
    folded = SESR(bias=False, expansion=4).folded()
    assert all(module.bias is None for module in folded.modules() if isinstance(module, nn.Conv2d))


def test_layers_start_glorot_uniform() -> None:
    torch.manual_seed(0)
    block = SESR().body[0]
    bound = (6 / ((16 + 256) * 9)) ** 0.5
    assert block.expand.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert not block.expand.bias.any()
