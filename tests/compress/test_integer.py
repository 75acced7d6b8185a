"""What integer training computes is what the file computes; gradients flow; ranges come from calibration."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.calibrate import activation_maxima
from pocketsr.errors import DataError, LoweringError, SettingError
from pocketsr.graph import Add, Conv2D, Elementwise, Graph, PRelu, Slice, Value, execute
from pocketsr.networks import build
from pocketsr.train import to_levels, to_tensor
from sample_graphs import abpn_like_graph


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_int8(image: np.ndarray) -> np.ndarray:
    return (image[None].astype(np.int16) - 128).astype(np.int8)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return build("abpn", {"scale": 3, "width": 12, "depth": 2})


@pytest.mark.parametrize("anchor", ["conv", "concat"])
@pytest.mark.parametrize("seed", range(3))
def test_forward_equals_the_reference_executor_bit_for_bit(anchor: str, seed: int) -> None:
    graph = abpn_like_graph(precision="float32", anchor=anchor, seed=seed)
    images = [noise(20, 17, seed), noise(9, 30, seed + 1)]
    quantised = IntegerNetwork(graph, activation_maxima(graph, images))
    for image in images:
        expected = execute(quantised.graph(), as_int8(image))[0].astype(np.int16) + 128
        assert np.array_equal(to_levels(quantised, image), expected)


def test_training_moves_weights_biases_and_scales(network: Network) -> None:
    quantised = quantise(network, [noise(16, 16)])
    before = {name: parameter.detach().clone() for name, parameter in quantised.named_parameters()}
    optimiser = torch.optim.Adam(quantised.parameters(), 1e-3)
    target = torch.rand(2, 3, 48, 48)
    for _ in range(3):
        optimiser.zero_grad()
        (quantised(torch.rand(2, 3, 16, 16)) - target).abs().mean().backward()
        optimiser.step()
    assert all(not torch.equal(parameter, before[name]) for name, parameter in quantised.named_parameters())


def test_quantised_is_close_to_float(network: Network) -> None:
    image = noise(24, 24)
    quantised = quantise(network, [image])
    assert np.abs(to_levels(quantised, image) - to_levels(network, image)).mean() < 2


def test_the_image_is_at_scale_one_at_both_ends(network: Network) -> None:
    graph = quantise(network, [noise(8, 8)]).graph()
    assert (graph.input.quantisation.scale, graph.input.quantisation.zero_point) == (1.0, -128)
    assert graph.output.quantisation == graph.input.quantisation
    assert not any(type(op).__name__ in ("Minimum", "Relu") for op in graph.ops)


def test_black_and_white_are_reached() -> None:
    quantised = quantise(build("abpn", {"scale": 2}), [noise(8, 8)])
    with torch.no_grad():
        for name in quantised.weights:
            quantised.weights[name].zero_()
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, 3:] = 255
    assert np.array_equal(to_levels(quantised, image), image.repeat(2, axis=0).repeat(2, axis=1))


def test_state_moves_between_networks(network: Network) -> None:
    first, second = quantise(network, [noise(16, 16)]), quantise(network)
    second.load_state_dict(first.state_dict())
    image = to_tensor(noise(10, 12)[None])
    assert torch.equal(first(image), second(image))


@pytest.mark.parametrize("width", [64, 130])
def test_sums_beyond_float32_are_exact_too(width: int) -> None:
    network = build("abpn", {"scale": 2, "width": width, "depth": 1})
    with torch.no_grad():
        network.body[0].weight.abs_()  # nothing cancels: sums grow as large as they can
        network.body[0].weight.clamp_(min=0.04)
    quantised, image = quantise(network, [noise(12, 12)]), noise(9, 10)
    expected = execute(quantised.graph(), as_int8(image))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(quantised, image), expected)


def test_a_network_without_a_clip_at_its_end_saturates() -> None:
    image, output = Value("image", 3), Value("output", 3)
    weight, bias = np.zeros((3, 1, 1, 3), np.float32), np.full(3, -50, np.float32)
    weight[:, 0, 0, 1] = 1.5
    graph = Graph(image, output, (Conv2D((image,), output, weight, bias),))
    quantised, pixels = IntegerNetwork(graph), noise(7, 9)
    levels = to_levels(quantised, pixels)
    assert np.array_equal(levels, execute(quantised.graph(), as_int8(pixels))[0].astype(np.int16) + 128)
    assert (levels.min(), levels.max()) == (0, 255)


def test_signed_and_unsigned_features_can_stand_side_by_side() -> None:
    class Mixed(Network):
        scale = 2

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.head, self.other = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
            self.tail = nn.Conv2d(10, 12, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return F.pixel_shuffle(self.tail(torch.cat([self.head(x), F.relu(self.other(x))], dim=1)), 2)

    quantised, image = quantise(Mixed(), [noise(12, 12)]), noise(9, 10)
    expected = execute(quantised.graph(), as_int8(image))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(quantised, image), expected)


def test_signed_features_beside_the_image_are_refused() -> None:
    class Beside(Network):
        scale = 1

        def __init__(self) -> None:
            super().__init__()
            self.head, self.tail = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(9, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.tail(torch.cat([self.head(x), x], dim=1))

    with pytest.raises(LoweringError, match="cannot share int8 bytes with the image"):
        quantise(Beside())


def test_an_operator_without_integers_is_refused_and_slices_are_not() -> None:
    image, cut, bent, output = (Value(name, width) for name, width in zip("icbo", (3, 2, 2, 2), strict=True))
    weight, bias = np.ones((2, 1, 1, 2), np.float32), np.zeros(2, np.float32)
    cutting = Slice((image,), cut, 1)
    graph = Graph(image, output, (cutting, Conv2D((cut,), output, weight, bias, None, "relu")))
    quantised = IntegerNetwork(graph, activation_maxima(graph, [noise(5, 5)]))
    dark = noise(6, 7) // 3
    expected = execute(quantised.graph(), as_int8(dark))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(quantised, dark), expected)
    root = Elementwise((cut,), bent, "sqrt")
    graph = Graph(image, output, (cutting, root, Conv2D((bent,), output, weight, bias, None, "relu")))
    with pytest.raises(LoweringError, match="b: sqrt has no integer form"):
        IntegerNetwork(graph)


def test_calibration_finds_the_largest_magnitudes() -> None:
    image, doubled, total = Value("image", 3), Value("doubled", 3), Value("total", 3)
    weight = -2 * np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)
    graph = Graph(
        image,
        total,
        (Conv2D((image,), doubled, weight, np.zeros(3, np.float32)), Add((image, doubled), total, "relu")),
    )
    low, high = np.full((4, 4, 3), 10, np.uint8), np.full((6, 2, 3), 100, np.uint8)
    assert activation_maxima(graph, [low, high, low]) == {"image": 100, "doubled": 200, "total": 0}
    peaked = np.full((200, 200, 3), 10, np.uint8)
    peaked[0, 0] = 250
    assert activation_maxima(graph, [peaked], method="percentile")["image"] == 10
    assert activation_maxima(graph, [peaked], method="minmax")["image"] == 250


def test_calibration_needs_images_and_a_method() -> None:
    graph = abpn_like_graph(precision="float32")
    with pytest.raises(DataError, match="at least one"):
        activation_maxima(graph, [])
    with pytest.raises(SettingError, match="minmax"):
        activation_maxima(graph, [noise(4, 4)], method="median")


def test_prelu_becomes_a_convolution_and_a_sum_that_compute_it() -> None:
    image, bent, output = Value("image", 3), Value("bent", 3), Value("output", 3)
    features, slope = Value("features", 3), np.array([0.0, 0.25, 1.0], np.float32)
    weight = np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 3)).astype(np.float32)
    bias = np.zeros(3, np.float32)
    graph = Graph(
        image,
        output,
        (
            Conv2D((image,), features, weight, bias),
            PRelu((features,), bent, slope),
            Conv2D((bent,), output, weight, bias + 128),
        ),
    )
    pixels = noise(9, 8)
    quantised = IntegerNetwork(graph, activation_maxima(graph, [pixels]))
    levels = to_levels(quantised, pixels)
    assert np.array_equal(levels, execute(quantised.graph(), as_int8(pixels))[0].astype(np.int16) + 128)
    expected = np.clip(execute(graph, pixels[None].astype(np.float32))[0], 0, 255)
    assert np.abs(levels - expected).mean() < 3
    steep = dataclasses.replace(graph, ops=(graph.ops[0], PRelu((features,), bent, slope + 1), graph.ops[2]))
    with pytest.raises(LoweringError, match="slope above 1"):
        IntegerNetwork(steep)
    # Training leaves slopes a hair above 1, and what an integer network is made of must not depend on that.
    hair = dataclasses.replace(graph, ops=(graph.ops[0], PRelu((features,), bent, slope + 0.005), graph.ops[2]))
    assert len(IntegerNetwork(hair).graph().ops) == len(IntegerNetwork(graph).graph().ops)


def test_tracked_scales_follow_what_batches_need_and_are_not_learnt(network: Network) -> None:
    tracked = quantise(network, [noise(16, 16)], tracked=True)
    assert not any(parameter.requires_grad for parameter in tracked.log_scales.values())
    before = {name: float(scale) for name, scale in tracked.log_scales.items()}
    with torch.no_grad():
        tracked.train()(torch.rand(1, 3, 16, 16) * 0.2)  # dark: less range is needed
    assert all(float(tracked.log_scales[name]) < scale for name, scale in before.items())
    after = {name: float(scale) for name, scale in tracked.log_scales.items()}
    with torch.no_grad():
        tracked.eval()(torch.rand(1, 3, 16, 16))
    assert after == {name: float(scale) for name, scale in tracked.log_scales.items()}
    image = noise(12, 10)
    expected = execute(tracked.graph(), as_int8(image))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(tracked, image), expected)


@pytest.mark.parametrize("bias", [1e-3, 1.0])
def test_channels_of_hardly_any_weights_keep_biases_that_float32_holds(network: Network, bias: float) -> None:
    quantised, image = quantise(network, [noise(12, 12)]), noise(9, 10)
    with torch.no_grad():
        quantised.weights["body_0"][:4] = 0
        quantised.biases["body_0"][:4] = bias
    expected = execute(quantised.graph(), as_int8(image))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(quantised, image), expected)
