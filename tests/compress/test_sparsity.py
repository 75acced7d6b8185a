"""Group sparsity: the gradient is the penalty's, weak channels part from strong ones, and pruning then costs little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.blocks import Network
from pocketsr.data import Pair
from pocketsr.errors import SettingError
from pocketsr.image import downscale
from pocketsr.networks import SIZES, build
from pocketsr.train import recipe_from, train

pytest.importorskip("torch_pruning", reason="sparsity needs torch-pruning: pip install 'pocketsr[prune]'")
from pocketsr.compress.integer import PENALTIES
from pocketsr.compress.sparsity import GroupSparsity


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build("abpn", {"scale": 2, "width": 4, "depth": 1})


def test_the_gradient_is_that_of_a_weighted_sum_of_norms(network: Network) -> None:
    sparsity = GroupSparsity(network, 0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    sparsity()
    norms = (network.head.weight.pow(2).sum(dim=(1, 2, 3)) + network.body[0].weight.pow(2).sum(dim=(0, 2, 3))).sqrt()
    gamma = 2 ** (4 * (norms.max() - norms) / (norms.max() - norms.min()))
    expected = 0.5 * gamma[:, None, None, None] * network.head.weight / norms[:, None, None, None]
    torch.testing.assert_close(network.head.weight.grad, expected)
    assert network.head.bias.grad.abs().max() == 0
    assert sparsity.penalty() > 0


def test_the_penalty_stays_on_the_device_of_the_weights(network: Network) -> None:
    network.to("meta")  # stands for any device: it refuses tensors of the processor as they do
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    GroupSparsity(network, 0.5)()
    assert network.head.weight.grad.device.type == "meta"


def test_weak_channels_part_from_strong_ones(network: Network) -> None:
    def weakest_share() -> float:
        strengths = network.body[0].weight.detach().pow(2).sum(dim=(1, 2, 3))
        return float(strengths.min() / strengths.sum())

    before, sparsity = weakest_share(), GroupSparsity(network, 1.0)
    optimiser = torch.optim.SGD(network.parameters(), 1e-2)
    for _ in range(20):
        optimiser.zero_grad()
        (network(torch.zeros(1, 3, 4, 4)) * 0).sum().backward()
        sparsity()
        optimiser.step()
    assert weakest_share() < 0.5 * before


def test_a_stage_with_sparsity_trains_and_one_without_a_way_is_refused(tmp_path: Path) -> None:
    high = np.random.default_rng(0).integers(0, 256, (40, 36, 3), dtype=np.uint8)
    pairs = [Pair(low=downscale(high, 2), high=high, name="x")]
    folded = {"name": "abpn", "options": {"scale": 2, "width": 6, "depth": 1, SIZES: {}}}
    stage = {"name": "a", "steps": 8, "batch": 2, "patch": 8, "precision": "fp32"}
    recipes = [
        recipe_from({"name": "x", "network": folded, "stages": [{**stage, "sparsity": weight}]})
        for weight in (0.0, 0.1)
    ]
    results = [
        train(one, pairs, folder=tmp_path / str(index), penalties=PENALTIES) for index, one in enumerate(recipes)
    ]
    with pytest.raises(SettingError, match="wants sparsity"):
        train(recipes[1], pairs, folder=tmp_path / "none")
    sizes = [float(result.network["head.weight"].abs().sum()) for result in results]
    assert sizes[1] < sizes[0]


def test_repconv_is_to_be_folded_first() -> None:
    with pytest.raises(SettingError, match="fold it first"):
        GroupSparsity(build("abpn", {"expansion": 8}), 1.0)
