"""What holds for every network that can be pruned: dead channels go without a trace, and what is left is ordinary."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError
from pocketsr.networks import NETWORKS, SIZES, build, sizes_of
from pocketsr.networks.saved import load_network, save_network
from pocketsr.pipeline import to_file
from pocketsr.train import to_levels

pytest.importorskip("torch_pruning", reason="pruning needs torch-pruning: pip install 'pocketsr[prune]'")
from pocketsr.compress.coupling import coupled_groups
from pocketsr.compress.prune import Pruning, prune

PRUNABLE = [name for name, entry in NETWORKS.items() if not entry.not_prunable]


#: Beside every network as it comes: one that shows what its last layer makes in colours, and several scales in one.
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PRUNABLE),
    ("srcnn", {"channels": 3}),
    ("pcarn", {"scales": [2, 3, 4], "width": 8}),
    ("pcarn-m", {"scales": [2, 4], "width": 16}),
]


def outputs(network: Network, image: torch.Tensor) -> list[torch.Tensor]:
    """Return what a network makes at each scale that it holds."""
    results = []
    for scale in network.scales:
        network.scale = scale
        results.append(network(image))
    return results


def noisy(name: str, options: dict[str, Any]) -> Network:
    torch.manual_seed(0)
    network = build(name, options).folded().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None and module.groups == module.in_channels > 1:
                module.bias.zero_()  # what it adds to a channel of zeros would not be nothing
    return network


def silence(network: Network) -> list[list[int]]:
    """Make a third of the channels of each group zero, and unheard by ungrouped layers, and return which.

    Of a grouped layer's groups each loses others: which it loses is nobody's business but its own.
    """
    draw, plans = random.Random(0), []
    for group in coupled_groups(network):
        part = group.width // group.parts
        dead = [first * part + index for first in range(group.parts) for index in draw.sample(range(part), part // 3)]
        for name in group.makers:
            layer = network.get_submodule(name)
            if layer.bias is not None:
                layer.bias[group.rows_of(name, dead)] = 0
        for weight, axis, places, channels in group.slices():
            weight.transpose(0, axis)[places[torch.isin(channels, torch.tensor(dead))]] = 0
        plans.append(dead)
    return plans


@pytest.mark.parametrize(("name", "options"), CASES)
@torch.no_grad()
def test_channels_that_are_zero_can_go_and_nothing_changes(name: str, options: dict[str, Any]) -> None:
    network = noisy(name, options)
    plans, image = silence(network), torch.rand(1, network.channels, 12, 14)
    before, count = outputs(network, image), sum(p.numel() for p in network.parameters())
    for group, dead in zip(coupled_groups(network), plans, strict=True):
        if dead:
            group.cut(dead)
    assert sum(p.numel() for p in network.parameters()) < count
    for one, other in zip(outputs(network, image), before, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", PRUNABLE)
def test_what_is_left_is_an_ordinary_network(name: str, tmp_path: Path) -> None:
    network = noisy(name, {})
    pruned = prune(network, Pruning(ratio=0.3, importance="lamp")).eval()
    count = sum(p.numel() for p in pruned.parameters())
    assert 0 < count < sum(p.numel() for p in network.parameters())
    options = {SIZES: sizes_of(pruned, build(name, {}).folded())}
    save_network(pruned, tmp_path / "pruned.safetensors", name=name, options=options)
    restored, _ = load_network(tmp_path / "pruned.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (11, 13, pruned.channels), dtype=np.uint8)
    levels = to_levels(pruned, pixels)
    assert levels.shape == (11 * pruned.scale, 13 * pruned.scale, pruned.channels)
    assert np.array_equal(to_levels(restored, pixels), levels)
    # Both refuse a file that LiteRT runs otherwise than torch: by 1e-4 of full range, and by a byte.
    assert to_file(restored, tmp_path / "float.tflite", check=[pixels]).exists()
    if not NETWORKS[name].not_int8:
        assert to_file(restored, tmp_path / "int8.tflite", check=[pixels], calibration=[pixels]).exists()


@pytest.mark.parametrize("name", [name for name, entry in NETWORKS.items() if entry.not_prunable])
def test_what_cannot_be_pruned_says_so(name: str) -> None:
    with pytest.raises(SettingError):
        prune(build(name, {}), Pruning(ratio=0.3))
