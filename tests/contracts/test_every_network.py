"""What holds for every network of the list; a new one gets these for its line there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.blocks import Network
from pocketsr.compress import quantise
from pocketsr.errors import LoweringError, SettingError, UnknownNameError
from pocketsr.graph import Graph, execute, receptive_field
from pocketsr.lower import trace, write_checked, write_onnx_checked
from pocketsr.networks import NETWORKS, PublishedSize, build, published_sizes
from pocketsr.networks.saved import load_network, save_network
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels

CASES = [(name, scale) for name, entry in NETWORKS.items() for scale in entry.scales]
FLOAT_CASES = [(name, scale) for name, scale in CASES if not NETWORKS[name].not_float32]
ONNX_CASES = [(name, scale) for name, scale in CASES if not NETWORKS[name].not_onnx]
INT8_CASES = [(name, scale) for name, scale in CASES if not NETWORKS[name].not_int8]
#: All that an int8 file may hold: no transposing, no reshaping, no float in between, no clip that saturation does.
INT8_OPERATORS = {
    *("Conv2D", "Add", "Concat", "DepthToSpace", "SpaceToDepth", "Slice"),
    *("Elementwise", "LeakyRelu", "MirrorPad", "Multiply"),
}
SIZES = [(size, scale) for size in published_sizes() for scale in size.parameters if size.network in NETWORKS]


def lively(name: str, scale: int) -> Network:
    """Build a network and move every weight a little, so that no branch is silent and none explodes."""
    torch.manual_seed(0)
    return with_noise(build(name, {"scale": scale})).eval()


def with_noise(network: Network) -> Network:
    with torch.no_grad():
        for parameter in network.parameters():
            inputs = max(1, parameter[0].numel())
            parameter.add_(0.1 / max(5, inputs**0.5) * torch.randn_like(parameter))
    return network


def spec_of(name: str, graph: Graph) -> ModelSpec:
    """Describe a graph as exporting does."""
    return ModelSpec(
        name=name,
        network=name,
        scale=graph.scale,
        channels=graph.input.channels,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field(graph),
    )


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


@pytest.mark.parametrize(
    ("size", "scale"),
    [(size, scale) for size, scale in SIZES if scale in size.gmacs_720p and not NETWORKS[size.network].not_float32],
    ids=lambda value: getattr(value, "title", f"x{value}"),
)
def test_operations_counted_from_the_graph_are_the_published_ones(size: PublishedSize, scale: int) -> None:
    graph = trace(with_noise(build(size.network, {**size.options, "scale": scale})))
    counted = graph.multiply_accumulates(64, 64) / (64 * scale) ** 2 * 720 * 1280 / 1e9
    # Fixed bicubic kernels are weights of the graph and of no table.
    assert counted == pytest.approx(size.gmacs_720p[scale], rel=0.03, abs=0.006)


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_a_saved_network_comes_back_whole(name: str, scale: int, tmp_path: Path) -> None:
    network = lively(name, scale)
    options = {**NETWORKS[name].preset, "scale": scale}
    save_network(network, tmp_path / "n.safetensors", name=name, options=options, source="here", licence="CC0-1.0")
    loaded, facts = load_network(tmp_path / "n.safetensors")
    assert (facts["name"], facts["source"], facts["licence"]) == (name, "here", "CC0-1.0")
    expected = network.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


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


@pytest.mark.parametrize(("name", "scale"), FLOAT_CASES)
def test_the_float_file_runs_in_litert_as_the_network(
    name: str, scale: int, images: list[np.ndarray], tmp_path: Path
) -> None:
    network = lively(name, scale)
    graph = trace(network)
    samples = [image[:, :, : network.channels] for image in images]
    write_checked(
        graph,
        spec_of(name, graph),
        tmp_path / "model.tflite",
        forward=lambda image: to_levels(network, image),
        images=samples,
    )


@pytest.mark.parametrize(("name", "scale"), ONNX_CASES)
def test_the_onnx_file_runs_as_the_network(name: str, scale: int, images: list[np.ndarray], tmp_path: Path) -> None:
    network = lively(name, scale)
    graph = trace(network)
    samples = [image[:, :, : network.channels] for image in images]
    path = tmp_path / "model.onnx"
    write_onnx_checked(
        graph, spec_of(name, graph), path, forward=lambda image: to_levels(network, image), images=samples
    )


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_what_cannot_be_lowered_says_so(name: str, scale: int, images: list[np.ndarray]) -> None:
    entry, network = NETWORKS[name], lively(name, scale)
    if entry.not_float32:
        with pytest.raises(LoweringError):
            trace(network)
    if entry.not_int8:
        with pytest.raises(LoweringError):
            quantise(network, [image[:, :, : network.channels] for image in images])


@pytest.mark.parametrize(("name", "scale"), INT8_CASES)
def test_the_int8_file_gives_the_bytes_of_the_training_forward(
    name: str, scale: int, images: list[np.ndarray], tmp_path: Path
) -> None:
    network = lively(name, scale)
    images = [image[:, :, : network.channels] for image in images]
    network = quantise(network, images)
    graph = network.graph()
    parity = write_checked(
        graph,
        spec_of(name, graph),
        tmp_path / "model.tflite",
        forward=lambda image: to_levels(network, image),
        images=images,
    )
    assert parity.different == 0
    assert parity.values > 0
    assert {type(op).__name__ for op in graph.ops} <= INT8_OPERATORS


def test_an_unknown_network_or_option_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'abpn'"):
        build("abpm", {})
    with pytest.raises(SettingError, match="depht"):
        build("abpn", {"depht": 3})
