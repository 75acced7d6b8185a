"""ETDS is the dual stream of its paper and folds to the plain network it deploys."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.networks.etds import ETDS, SIZES


def shaken(network: ETDS) -> ETDS:
    """Move every weight a little, so that no way between the streams is silent."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def two_streams(network: ETDS, image: Tensor) -> tuple[Tensor, Tensor]:
    """Run both streams side by side, as the paper draws them."""
    features, carried = F.relu(network.head.across(image)), F.relu(network.head.along(image))
    for layer in network.body:
        features = F.relu(layer.features(features) + layer.across(carried))
        carried = F.relu(layer.along(carried))
    low = network.tail.across(carried)
    return F.pixel_shuffle(network.tail.features(features) + low, network.scale), F.pixel_shuffle(low, network.scale)


@pytest.mark.parametrize("image_width", [3, 5])
@torch.no_grad()
def test_one_convolution_per_layer_computes_both_streams(image_width: int) -> None:
    torch.manual_seed(0)
    network = shaken(ETDS(width=12, depth=3, image_width=image_width)).double()
    image = torch.rand(2, 3, 6, 5, dtype=torch.float64)
    expected, low = two_streams(network, image)
    assert (network(image) - expected).abs().max() <= 1e-12
    output, carried = network.streams(image)
    assert (output - expected).abs().max() <= 1e-12
    assert (carried - low).abs().max() <= 1e-12


@pytest.mark.parametrize("image_width", [3, 5])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_image_stream_starts_as_nearest_neighbour_upscaling(scale: int, image_width: int) -> None:
    image = torch.rand(1, 3, 5, 6)
    _, carried = ETDS(scale=scale, image_width=image_width).streams(image)
    assert torch.equal(carried, F.interpolate(image, scale_factor=float(scale)))


@pytest.mark.parametrize("size", SIZES)
def test_sizes_name_the_folded_network(size: str) -> None:
    folded = ETDS(scale=2, **SIZES[size]).folded()
    width, depth = SIZES[size]["width"], SIZES[size]["depth"]
    assert [type(layer) for layer in folded.children()] == [nn.Conv2d, nn.ModuleList, nn.Conv2d]
    assert [conv.weight.shape for conv in folded.body] == [(width, width, 3, 3)] * depth


def test_features_never_reach_the_image_stream() -> None:
    folded = shaken(ETDS(width=16, depth=2)).folded()
    for conv in folded.body:
        assert not conv.weight[-3:, :-3].any()
        assert conv.weight[-3:, -3:].any()
        assert conv.weight[:-3, -3:].any()
