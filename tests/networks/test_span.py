"""SPAN is the network of its authors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pocketsr.networks.span import SPAN


@pytest.mark.parametrize(
    ("width", "scale", "parameters"),
    [(28, 4, 150_688), (48, 2, 410_700), (48, 4, 426_288), (52, 2, 481_324), (52, 4, 498_208)],
)
def test_sizes(width: int, scale: int, parameters: int) -> None:
    folded = SPAN(width=width, scale=scale).folded()
    assert sum(p.numel() for p in folded.parameters()) == parameters


@torch.no_grad()
def test_a_block_weighs_by_its_own_output() -> None:
    torch.manual_seed(0)
    block = SPAN(width=6, depth=2).body[0]
    x = torch.randn(1, 6, 7, 5)
    output, inside = block(x)

    def silu(value: Tensor) -> Tensor:
        return value / (1 + torch.exp(-value))

    expected_inside = silu(block.first.branches(x))
    y = block.third.branches(silu(block.second.branches(expected_inside)))
    assert torch.allclose(inside, expected_inside, atol=1e-5)
    assert torch.allclose(output, (y + x) * (1 / (1 + torch.exp(-y)) - 0.5), atol=1e-5)


@torch.no_grad()
def test_head_end_first_block_and_the_middle_of_the_last_are_fused() -> None:
    torch.manual_seed(0)
    network = SPAN(width=6, depth=4, scale=2)
    image = torch.rand(1, 3, 6, 6)
    mean = torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None]
    head = network.head((image - mean) * 255)
    first, _ = network.body[0](head)
    before_last = network.body[2](network.body[1](first)[0])[0]
    last, inside = network.body[3](before_last)
    fused = network.fuse(torch.cat([head, network.last(last), first, inside], dim=1))
    assert torch.allclose(network(image), F.pixel_shuffle(network.tail(fused), 2), rtol=1e-5, atol=1e-4)
