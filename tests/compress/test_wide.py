"""Values of 16 bits: where they are, what they win, and that training, reference and file agree on every byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.calibrate import activation_maxima
from pocketsr.errors import SettingError
from pocketsr.graph import Add, Concat, Conv2D, DepthToSpace, Graph, Requantise, Value, execute, receptive_field
from pocketsr.graph.tflite import model_bytes, read_model, write_model
from pocketsr.lower import write_checked
from pocketsr.networks import build
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels

WIDE = (["ends"], ["all"])


def noise(height: int = 14, width: int = 11, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def spec_of(graph: Graph) -> ModelSpec:
    return ModelSpec(
        name="wide",
        network="any",
        scale=graph.scale,
        precision=graph.precision,
        receptive_field=receptive_field(graph),
    )


def quantised(name: str = "abpn", wide: list[str] | tuple[str, ...] = (), **options: object) -> IntegerNetwork:
    torch.manual_seed(0)
    return quantise(build(name, options).eval(), [noise()], wide=wide).eval()


def is_wide(op: object) -> bool:
    return op.output.is_wide  # type: ignore[attr-defined]


@pytest.mark.parametrize("wide", WIDE, ids=str)
@pytest.mark.parametrize("name", ["abpn", "scsrn", "carn-m", "espcn", "f2srgan-light"])
def test_the_file_gives_the_bytes_of_the_training_forward_and_of_the_reference(
    name: str, wide: list[str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = build(name, {}).eval()
    image = noise()[:, :, : network.channels]
    network = quantise(network, [image], wide=wide).eval()
    graph = network.graph()
    file = tmp_path / "wide.tflite"
    parity = write_checked(
        graph,
        ModelSpec(**{**vars(spec_of(graph)), "channels": graph.input.channels}),
        file,
        forward=lambda image: to_levels(network, image),
        images=[image],
    )
    assert (parity.different, graph.precision) == (0, "int16x8")
    referee = execute(graph, (image[None].astype(np.int16) - 128).astype(np.int8))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(network, image), referee)


def test_ends_are_the_first_layer_and_the_last_and_all_is_all() -> None:
    ends, whole = (quantised(wide=wide).graph() for wide in WIDE)
    layers = [op for op in ends.ops if isinstance(op, Conv2D) and np.unique(op.weight).size > 2]  # the anchor aside
    assert [is_wide(op) for op in layers] == [True, *[False] * (len(layers) - 2), True]
    assert all(is_wide(op) for op in whole.ops if isinstance(op, Conv2D) and np.unique(op.weight).size > 2)
    for graph in (ends, whole):
        (join,) = (op for op in graph.ops if isinstance(op, Add))
        assert is_wide(join)
        assert not any(is_wide(op) for op in graph.ops if isinstance(op, DepthToSpace))
    # all: the image, and the copies of the anchor, are widened once, the sum is narrowed once.
    assert sum(isinstance(op, Requantise) for op in whole.ops) == 3


def test_a_layer_goes_by_its_name_and_an_unknown_one_is_refused() -> None:
    graph = quantised(wide=["body_1"]).graph()
    assert [op.output.name for op in graph.ops if is_wide(op) and isinstance(op, Conv2D)] == ["body_1"]
    with pytest.raises(SettingError, match=r"no layer 'bodi' to keep wide: 'ends', 'all' or .*body_1"):
        quantised(wide=["bodi"])


def test_nothing_wide_is_the_same_file_as_ever() -> None:
    first, second = (quantised(wide=wide).graph() for wide in ((), []))
    assert first == second
    assert first.precision == "int8"


def test_what_8_bits_lose_16_keep() -> None:
    """Two layers, inverse to each other, between which one channel is forty times the others."""
    source, middle, output = Value("image", 3), Value("middle", 3), Value("output", 3)
    spread = np.diag([1.0, 1.0, 40.0]).astype(np.float32)
    kernels = (matrix.reshape(3, 1, 1, 3).astype(np.float32) for matrix in (spread, np.linalg.inv(spread)))
    zeros = np.zeros(3, np.float32)
    first = Conv2D((source,), middle, next(kernels), zeros, None, "relu")
    second = Conv2D((middle,), output, next(kernels), zeros)
    graph = Graph(source, output, (first, second))
    maxima = activation_maxima(graph, [noise()])
    lost = [
        float(np.abs(to_levels(IntegerNetwork(graph, maxima, wide=wide), noise()) - noise()).max())
        for wide in ((), ["all"])
    ]
    assert lost[0] > 15
    assert lost[1] <= 1


def test_wide_layers_train() -> None:
    network = quantised(wide=["all"], width=8, depth=1).train()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    image, target = torch.rand(1, 3, 12, 12), torch.rand(1, 3, 36, 36)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = (network(image) - target).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
    assert losses[-1] < losses[0]
    assert all(not torch.equal(parameter, before[name]) for name, parameter in network.named_parameters())


def test_gradients_of_a_wide_convolution_are_those_of_the_real_one() -> None:
    network = quantised(wide=["all"], width=8, depth=1)
    plain = quantised(wide=(), width=8, depth=1)
    for one in (network, plain):
        one(torch.from_numpy(noise()).permute(2, 0, 1)[None] / 255).sum().backward()
    for name, parameter in network.weights.items():
        gradient, other = parameter.grad.flatten(), plain.weights[name].grad.flatten()
        assert float(torch.cosine_similarity(gradient, other, dim=0)) > 0.95


@pytest.mark.parametrize("joined", [False, True], ids=["chain", "concat"])
def test_written_read_and_written_again_is_the_same_file(tmp_path: Path, joined: bool) -> None:
    graph = quantised("scsrn" if joined else "abpn", wide=["all"]).graph()
    assert any(is_wide(op) for op in graph.ops if isinstance(op, Concat)) is joined
    file = tmp_path / "wide.tflite"
    write_model(graph, spec_of(graph), file)
    read, spec = read_model(file)
    assert read == graph
    assert spec.precision == "int16x8"
    assert model_bytes(read, spec) == file.read_bytes()
