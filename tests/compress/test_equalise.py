"""Features beside the image fill its range, and those that are summed come nearer to one another.

The same image in float, fewer errors in 8 bits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pocketsr.compress import quantise
from pocketsr.compress.calibrate import activation_maxima
from pocketsr.compress.equalise import equalised
from pocketsr.compress.integer import IntegerNetwork
from pocketsr.graph import Add, Conv2D, DepthToSpace, Graph, LeakyRelu, Op, PRelu, Relu, Value, execute
from pocketsr.graph.base import Array
from pocketsr.graph.reference import execute_all
from pocketsr.lower import trace
from pocketsr.networks import build


def images(count: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (12, 9, 3), dtype=np.uint8) for _ in range(count)]


def graph_of(name: str, factor: float, **options: object) -> Graph:
    """Return a fresh network's graph, its last features times a factor and the weights behind them divided by it."""
    torch.manual_seed(0)
    network = build(name, {"scale": 2, "rep_conv": "none", **options}).folded()
    with torch.no_grad():
        network.body[-1].weight *= factor
        network.body[-1].bias *= factor
        network.tail.weight[:, :32] /= factor
    return trace(network)


def uneven(name: str) -> Graph:
    """Return a fresh network's graph whose summed channels reach from 1/50 of what they did to all of it."""
    torch.manual_seed(0)
    options = {"rep_conv": "none"} if name == "lrsrn" else {}
    network = build(name, {"scale": 2, **options}).folded()
    layers = dict(network.named_modules())
    with torch.no_grad():
        factors = torch.logspace(0, -1.7, network.head.weight.shape[0])
        for layer in (network.head, network.body[-1]):
            layer.weight *= factors[:, None, None, None]
            layer.bias *= factors
        layers["transition" if name == "lrsrn" else "tail"].weight /= factors[:, None, None]
    return trace(network)


def loss(graph: Graph, exact: np.ndarray) -> float:
    """Return how far the int8 graph's levels are from those of the float graph, on average."""
    network = IntegerNetwork(graph, activation_maxima(graph, images())).graph()
    made = execute(network, (images(1)[0][None].astype(np.int16) - 128).astype(np.int8))
    return float(np.abs(made.astype(np.float32) + 128 - np.clip(exact, 0, 255)).mean())


def features_of(graph: Graph) -> str:
    """Return the name of the value that is concatenated with the image."""
    join = next(op for op in graph.ops if type(op).__name__ == "Concat")
    return next(value.name for value in join.inputs if value != graph.input)


def reach(graph: Graph, name: str) -> np.ndarray:
    """Return the largest magnitude of each channel over the images."""
    return np.max([np.abs(execute_all(graph, i[None].astype(np.float32))[name]).max((0, 1, 2)) for i in images()], 0)


@pytest.mark.parametrize(
    "name", ["scsrn", "abpn", "lrsrn", "ncnet", "xlsr", "rtsrn", "sesr", "etds", "srresnet", "carn-m", "pcarn-m"]
)
def test_the_float_graph_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    graph = trace(build(name, {"scale": 2}).folded())
    better = equalised(graph, images())
    image = images(1)[0][None].astype(np.float32)
    assert [op.output for op in better.ops] == [op.output for op in graph.ops]
    np.testing.assert_allclose(execute(better, image), execute(graph, image), atol=255e-5)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_features_beside_the_image_end_at_white_and_no_others_change(factor: float) -> None:
    graph = graph_of("scsrn", factor)
    better = equalised(graph, images())
    assert abs(reach(graph, features_of(graph)).max() - 255) > 100
    assert abs(reach(better, features_of(graph)).max() - 255) < 0.01
    for name in ("body_2", "tail"):
        np.testing.assert_allclose(reach(better, name), reach(graph, name), rtol=1e-4, atol=1e-4)


def test_small_and_large_features_lose_less_in_8_bits() -> None:
    for factor in (0.02, 30.0):
        graph = graph_of("scsrn", factor)
        exact = execute(graph, images(1)[0][None].astype(np.float32))
        assert loss(equalised(graph, images()), exact) < 0.8 * loss(graph, exact)


@pytest.mark.parametrize(("name", "first"), [("lrsrn", "head"), ("sesr", "head")])
def test_channels_that_are_summed_come_nearer_to_one_another(name: str, first: str) -> None:
    graph = uneven(name)
    better = equalised(graph, images())
    for value in (first, "add"):
        spread, before = (np.log(reach(g, value).clip(1e-3)).std() for g in (better, graph))
        assert spread < 0.6 * before, value
        assert reach(better, value).max() <= 1.001 * max(reach(graph, first).max(), reach(graph, "add").max())


@pytest.mark.parametrize("name", ["lrsrn", "sesr"])
def test_uneven_channels_that_are_summed_lose_less_in_8_bits(name: str) -> None:
    graph = uneven(name)
    exact = execute(graph, images(1)[0][None].astype(np.float32))
    assert loss(equalised(graph, images()), exact) < 0.7 * loss(graph, exact)


def test_factors_pass_through_grouped_convolutions() -> None:
    image, first, mixed, total = (Value(name, channels) for name, channels in zip("ifmt", (3, 6, 6, 6), strict=True))
    random, faint = np.random.default_rng(0), np.logspace(0, -1.7, 6).astype(np.float32)[:, None, None, None]

    def conv(source: Value, made: Value, groups: int, scale: Array | float = 1.0) -> Conv2D:
        weight = random.normal(0, 0.3, (made.channels, 3, 3, source.channels // groups)).astype(np.float32)
        return Conv2D((source,), made, weight * np.float32(scale), np.zeros(made.channels, np.float32), groups=groups)

    last = conv(total, Value("out", 3), 3)
    ops = (conv(image, first, 1, faint), conv(first, mixed, 2, faint), Add((first, mixed), total), last)
    graph = Graph(image, last.output, ops)
    better = equalised(graph, images())
    spread, before = (np.log(reach(g, "t")).std() for g in (better, graph))
    assert spread < 0.6 * before
    pixels = images(1)[0][None].astype(np.float32)
    np.testing.assert_allclose(execute(better, pixels), execute(graph, pixels), rtol=1e-4, atol=1e-3)
    assert loss(better, execute(graph, pixels)) < loss(graph, execute(graph, pixels))


@pytest.mark.parametrize("before", [LeakyRelu, PRelu, Relu, Add])
def test_what_is_made_by_no_convolution_before_a_pixel_shuffle_stays(before: type[Op]) -> None:
    random = np.random.default_rng(0)
    image, first, bent, out = (Value(name, channels) for name, channels in zip("ifbo", (3, 8, 8, 3), strict=True))
    shuffled = Value("s", 2)
    weights = [random.normal(0, 0.3, shape).astype(np.float32) for shape in ((8, 3, 3, 3), (3, 3, 3, 2))]
    bending = {
        LeakyRelu: lambda: LeakyRelu((first,), bent, 0.2),
        PRelu: lambda: PRelu((first,), bent, np.linspace(0, 1, 8, dtype=np.float32)),
        Relu: lambda: Relu((first,), bent),
        Add: lambda: Add((first, first), bent),
    }[before]()
    head = Conv2D((image,), first, weights[0], np.zeros(8, np.float32))
    last = Conv2D((shuffled,), out, weights[1], np.zeros(3, np.float32))
    graph = Graph(image, out, (head, bending, DepthToSpace((bent,), shuffled, 2), last))
    pixels = images(1)[0][None].astype(np.float32)
    np.testing.assert_allclose(execute(equalised(graph, images()), pixels), execute(graph, pixels), atol=255e-5)


def test_channels_around_depthwise_convolutions_come_nearer_to_one_another() -> None:
    torch.manual_seed(0)
    network = build("f2srgan-student", {"scale": 4}).folded()
    with torch.no_grad():
        for name, layer in network.named_modules():
            if name.endswith("depthwise"):  # the pointwise convolution behind undoes it
                factors = torch.logspace(0, -1.7, len(layer.weight))
                layer.weight *= factors[:, None, None, None]
                layer.bias *= factors
                network.get_submodule(name.replace("depthwise", "pointwise")).weight /= factors[:, None, None]
            elif isinstance(layer, torch.nn.PReLU):
                layer.weight.copy_(torch.linspace(0.1, 0.5, layer.weight.numel()))  # each channel its own
        contrast = 0.2 / network(torch.rand(1, 3, 12, 9)).std()
        network.tail.pointwise.weight *= contrast
    graph = trace(network)
    better = equalised(graph, images())
    image = images(1)[0][None].astype(np.float32)
    np.testing.assert_allclose(execute(better, image), execute(graph, image), atol=255e-5)
    for value in ("body_0_first_depthwise", "body_0_activation", "pixel_shuffle", "enlarge_1_conv_depthwise"):
        spread, before = (np.log(reach(g, value).clip(1e-3)).std() for g in (better, graph))
        assert spread < 0.7 * before, value
    exact = execute(graph, image)
    assert loss(better, exact) < 0.7 * loss(graph, exact)


def test_graphs_without_such_features_and_without_images_stay_as_they_are() -> None:
    graph = trace(build("abpn", {"scale": 2}).folded())
    assert equalised(graph, images()) is graph
    concat = graph_of("scsrn", 1.0)
    assert equalised(concat, ()) is concat


def test_a_sum_with_the_image_itself_is_left_alone() -> None:
    random = np.random.default_rng(0)

    def conv(source: Value, name: str, channels: int) -> Conv2D:
        weight = random.normal(0, 0.1, (channels, 3, 3, source.channels)).astype(np.float32)
        return Conv2D((source,), Value(name, channels), weight, np.zeros(channels, np.float32))

    image = Value("image", 3)
    first = conv(image, "first", 3)
    added = Add((image, first.output), Value("added", 3))
    last = conv(added.output, "last", 12)
    shuffled = DepthToSpace((last.output,), Value("out", 3), 2)
    graph = Graph(image, shuffled.output, (first, added, last, shuffled))
    assert equalised(graph, images()) is graph


def test_quantising_equalises() -> None:
    torch.manual_seed(0)
    network = build("scsrn", {"scale": 2})
    plain = trace(network)
    quantised = quantise(network, images(), rounding="nearest")
    wanted = equalised(plain, images())
    names = [op.output.name for op in wanted.ops if op.output.name in quantised.weights]
    made = next(op for op in wanted.ops if op.output.name == features_of(wanted))
    assert features_of(wanted) in names
    np.testing.assert_allclose(
        quantised.weights[made.output.name].detach().numpy(), made.weight.transpose(0, 3, 1, 2), rtol=1e-5
    )
