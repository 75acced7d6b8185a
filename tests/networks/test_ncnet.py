"""NCNet is the network of its authors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pocketsr.networks.ncnet import NCNet


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_anchor_alone_is_nearest_neighbour_upscaling(scale: int) -> None:
    network = NCNet(scale=scale)
    nn.init.zeros_(network.transition.weight)
    image = torch.rand(1, 3, 5, 7)
    assert torch.allclose(network(image), F.interpolate(image, scale_factor=float(scale)), atol=1e-6)


def test_output_stays_within_black_and_white() -> None:
    network = NCNet()
    nn.init.constant_(network.transition.bias, 1000)
    assert network(torch.rand(1, 3, 4, 4)).max() == 1


def test_layers_start_glorot_normal_without_bias() -> None:
    torch.manual_seed(0)
    network = NCNet()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 7
    assert not any(conv.bias.any() for conv in convolutions)
    assert network.body[0].weight.std().item() == pytest.approx((2 / (2 * 32 * 9)) ** 0.5, rel=0.05)
