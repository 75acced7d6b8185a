"""What holds for every network of the list; a new one gets these for its line there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.compress import quantise
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.graph import execute, receptive_field
from pocketsr.lower import trace, write_checked
from pocketsr.networks import NETWORKS, PublishedSize, build, published_sizes
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels

CASES = [(name, scale) for name, entry in NETWORKS.items() for scale in entry.scales]
FLOAT_CASES = [(name, scale) for name, scale in CASES if not NETWORKS[name].not_float32]
INT8_CASES = [(name, scale) for name, scale in CASES if not NETWORKS[name].not_int8]
SIZES = [(size, scale) for size in published_sizes() for scale in size.parameters if size.network in NETWORKS]


def lively(name: str, scale: int) -> torch.nn.Module:
    """Build a network and move every weight a little, so that no branch is silent."""
    torch.manual_seed(0)
    network = build(name, {"scale": scale})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, size, dtype=np.uint8) for size in ((11, 14, 3), (9, 8, 3))]


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_parameters_are_the_published_number(name: str, scale: int) -> None:
    folded = build(name, {"scale": scale}).folded()
    assert sum(p.numel() for p in folded.parameters()) == NETWORKS[name].parameters[scale]


@pytest.mark.parametrize(("size", "scale"), SIZES, ids=lambda value: getattr(value, "title", f"x{value}"))
def test_published_sizes_are_counted_or_their_difference_explained(size: PublishedSize, scale: int) -> None:
    folded = build(size.network, {**size.options, "scale": scale}).folded()
    assert sum(p.numel() for p in folded.parameters()) == size.parameters[scale] - size.frozen


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_output_is_scale_times_the_input(name: str, scale: int) -> None:
    network = lively(name, scale)
    image = torch.rand(2, network.channels, 17, 13)
    assert network(image).shape == (2, network.channels, 17 * scale, 13 * scale)


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_folded_computes_the_same(name: str, scale: int) -> None:
    network = lively(name, scale)
    image = torch.rand(1, network.channels, 16, 13)
    expected = network(image).detach()
    assert (network.folded()(image) - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize(("name", "scale"), FLOAT_CASES)
def test_the_float_graph_computes_the_same(name: str, scale: int, images: list[np.ndarray]) -> None:
    network = lively(name, scale)
    image = images[0][:, :, : network.channels]
    output = execute(trace(network), image[None].astype(np.float32))[0]
    expected = to_levels(network, image)
    assert np.abs(output - expected).max() <= 1e-4 * max(255.0, float(np.abs(expected).max()))


@pytest.mark.parametrize(("name", "scale"), INT8_CASES)
def test_the_int8_file_gives_the_bytes_of_the_training_forward(
    name: str, scale: int, images: list[np.ndarray], tmp_path: Path
) -> None:
    network = quantise(lively(name, scale), images)
    graph = network.graph()
    spec = ModelSpec(name=name, network=name, scale=scale, precision="int8", receptive_field=receptive_field(graph))
    parity = write_checked(
        graph, spec, tmp_path / "model.tflite", forward=lambda image: to_levels(network, image), images=images
    )
    assert parity.different == 0
    assert parity.values > 0


def test_an_unknown_network_or_option_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'abpn'"):
        build("abpm", {})
    with pytest.raises(SettingError, match="depht"):
        build("abpn", {"depht": 3})
