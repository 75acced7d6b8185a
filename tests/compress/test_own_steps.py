"""Steps of their own for sums and concatenations: which get them, what they win, and the file's bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.arithmetic import added, restepped
from pocketsr.compress.own_steps import with_own_steps
from pocketsr.compress.prepare import prepared
from pocketsr.errors import SettingError
from pocketsr.graph import Add, Conv2D, Graph, PRelu, Quantisation, Requantise, Slice, Value, execute, receptive_field
from pocketsr.lower import trace, write_checked
from pocketsr.networks import build
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels

LEVELS = np.arange(-127, 128, dtype=np.float32)


def noise(height: int = 14, width: int = 11, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_int8(image: np.ndarray) -> np.ndarray:
    return (image[None].astype(np.int16) - 128).astype(np.int8)


def of(name: str, **options: object) -> Network:
    torch.manual_seed(0)
    return build(name, {"scale": 2, **options}).eval()


def trained_a_little(network: IntegerNetwork) -> IntegerNetwork:
    """Move weights and scales off where quantising put them, as training does."""
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(3):
        optimiser.zero_grad()
        (network.train()(torch.rand(1, network.channels, 10, 10)) - 0.5).abs().mean().backward()
        optimiser.step()
    return network.eval()


@pytest.mark.parametrize("is_trained", [False, True])
@pytest.mark.parametrize("name", ["carn-m", "pcarn-m", "srresnet", "f2srgan-student", "xlsr", "scsrn", "lrsrn"])
def test_the_file_gives_the_bytes_of_the_training_forward(name: str, is_trained: bool, tmp_path: Path) -> None:
    plain = of(name, **({"depth": 2, "width": 16} if name == "srresnet" else {}))
    image = noise()[:, :, : plain.channels]
    network = quantise(plain, [image], own_steps=True)
    network = trained_a_little(network) if is_trained else network.eval()
    graph = network.graph()
    spec = ModelSpec(
        name="own",
        network=name,
        scale=2,
        channels=graph.input.channels,
        precision="int8",
        receptive_field=receptive_field(graph),
    )
    parity = write_checked(
        graph, spec, tmp_path / "own.tflite", forward=lambda image: to_levels(network, image), images=[image]
    )
    assert (parity.different, parity.values) == (0, image.size * 4)
    referee = execute(graph, as_int8(image))[0].astype(np.int16) + 128
    assert np.array_equal(to_levels(network, image), referee)


@given(st.floats(2**-9, 100), st.floats(0.02, 1), st.booleans())
def test_a_sum_is_that_of_the_executor(largest: float, share: float, is_first: bool) -> None:
    first, second = np.meshgrid(LEVELS, LEVELS)
    ratios = [np.float32(largest), np.float32(max(largest * share, 2**-10))]
    ratios = ratios if is_first else ratios[::-1]
    graph = _sum_of_two_images(*ratios)
    image = np.stack([first, second], axis=2).astype(np.int8)[None]
    expected = execute(graph, image)[0, :, :, 0]
    ours = added(torch.tensor(first), torch.tensor(second), (torch.tensor(ratios[0]), torch.tensor(ratios[1])))
    assert np.array_equal(ours.clamp(-128, 127).numpy(), expected)


@given(st.floats(2**-8, 100))
def test_a_copy_in_other_steps_is_that_of_the_executor(ratio: float) -> None:
    source, made = Value("a", 1, Quantisation(float(np.float32(ratio)), 0)), Value("copy", 1, Quantisation(1.0, 0))
    expected = execute(Graph(source, made, (Requantise((source,), made),)), LEVELS.astype(np.int8)[None, None, :, None])
    ours = restepped(torch.tensor(LEVELS), torch.tensor(np.float32(ratio)))
    assert np.array_equal(ours.clamp(-128, 127).numpy(), expected[0, 0, :, 0])


def _sum_of_two_images(first: np.float32, second: np.float32) -> Graph:
    """Return a graph of an image of two channels: the levels of each at a step of its own, then their sum at step 1."""
    image = Value("image", 2, Quantisation(1.0, 0))
    parts, ops = [], []
    for start, ratio in enumerate((first, second)):
        cut = Value(f"cut_{start}", 1, image.quantisation)
        weight, step = np.ones((1, 1, 1, 1), np.int8), np.array([ratio], np.float32)
        part = Value(f"part_{start}", 1, Quantisation(float(ratio), 0))  # s_in · s_w / s_out is 1: levels stay
        ops += [Slice((image,), cut, start), Conv2D((cut,), part, weight, np.zeros(1, np.int32), step)]
        parts.append(part)
    total = Value("sum", 1, Quantisation(1.0, 0))
    return Graph(image, total, (*ops, Add(tuple(parts), total)))


def test_gradients_are_those_of_the_real_numbers() -> None:
    first, second = (torch.tensor(LEVELS[start : start + 50], requires_grad=True) for start in (130, 200))
    ratios = torch.tensor([0.3, 0.02], requires_grad=True)
    added(first, second, (ratios[0], ratios[1])).sum().backward()
    assert torch.equal(first.grad, torch.full_like(first, 0.3))
    assert torch.equal(second.grad, torch.full_like(second, 0.02))
    assert torch.equal(ratios.grad, torch.stack([first.sum(), second.sum()]))
    ratio = torch.tensor(0.7, requires_grad=True)
    restepped(torch.tensor(LEVELS[130:]), ratio).sum().backward()
    assert ratio.grad == LEVELS[130:].sum()


class Cascade(Network):
    """Small features, a sum many times as large that they are part of, and both beside one another."""

    scale = 2

    def __init__(self, factor: float = 50) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.body = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.tail = nn.Conv2d(16, 12, 3, padding=1)
        with torch.no_grad():
            self.head.weight /= factor
            self.head.bias.zero_()
            self.body.weight *= 4 * factor

    def forward(self, x: Tensor) -> Tensor:
        first = self.head(x)
        second = first + F.relu(self.body(F.relu(first)))
        return F.pixel_shuffle(self.tail(torch.cat([first, second], dim=1)), 2)


def test_only_what_others_take_too_is_copied_for_a_concatenation() -> None:
    graph = quantise(Cascade(), [noise()], own_steps=True).graph()
    copies = [op for op in graph.ops if isinstance(op, Requantise)]
    assert [op.inputs[0].name for op in copies] == ["head"]  # the sum is for the concatenation alone: its steps suit it
    assert copies[0].output.quantisation.scale > 5 * copies[0].inputs[0].quantisation.scale
    plain = quantise(Cascade(), [noise()]).graph()
    assert not any(isinstance(op, Requantise) for op in plain.ops)


def test_small_features_of_a_cascade_lose_less() -> None:
    network, image = Cascade().eval(), noise(seed=1)
    exact = np.clip(execute(trace(network), image[None].astype(np.float32))[0], 0, 255)
    loss = [
        float(np.mean((to_levels(quantise(network, [noise()], rounding="nearest", own_steps=own), image) - exact) ** 2))
        for own in (False, True)
    ]
    assert loss[1] < 0.5 * loss[0]


@pytest.mark.parametrize("factor", [1, 300, 3000, 20000])
def test_steps_are_such_as_files_can_hold_and_stay_so(factor: float) -> None:
    network = trained_a_little(quantise(Cascade(factor), [noise()], own_steps=True))
    execute(network.graph(), as_int8(noise()))


def test_a_branch_that_does_next_to_nothing_has_steps_that_its_sum_can_take() -> None:
    class Branch(Cascade):
        def forward(self, x: Tensor) -> Tensor:
            first = self.head(x)
            return F.pixel_shuffle(self.tail(torch.cat([first + 1e-7 * self.body(F.relu(first)), first], dim=1)), 2)

    network = trained_a_little(quantise(Branch(1), [noise()], own_steps=True))
    sums = [op for op in network.graph().ops if isinstance(op, Add)]
    assert min(sums[0].ratios()) < 2**-8


def test_one_value_twice_in_a_concatenation_is_copied_once() -> None:
    class Twice(Cascade):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.tail = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(24, 12, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            first = self.head(x)
            return F.pixel_shuffle(self.tail(torch.cat([first, first, self.inner(first)], dim=1)), 2)

    graph = quantise(Twice(), [noise()], own_steps=True).graph()
    assert sum(isinstance(op, Requantise) for op in graph.ops) == 1


@pytest.mark.parametrize("name", ["abpn", "scsrn", "ncnet"])
def test_what_shares_bytes_with_the_image_stays_exact(name: str) -> None:
    graphs = [quantise(of(name), [noise()], own_steps=own).graph() for own in (False, True)]
    kinds, again = ([(type(op).__name__, op.output.quantisation) for op in graph.ops] for graph in graphs)
    assert kinds == again


def test_half_a_prelu_stays_exact() -> None:
    random = np.random.default_rng(0)
    values = [Value(name, channels) for name, channels in (("image", 3), ("features", 4), ("bent", 4), ("out", 3))]
    image, features, bent, out = values

    def conv(source: Value, made: Value) -> Conv2D:
        weight = random.normal(0, 0.3, (made.channels, 3, 3, source.channels)).astype(np.float32)
        return Conv2D((source,), made, weight, np.zeros(made.channels, np.float32))

    bending = PRelu((features,), bent, np.array([0, 0.1, 0.5, 1], np.float32))
    ops = prepared(Graph(image, out, (conv(image, features), bending, conv(bent, out))))
    assert any(isinstance(op, Add) for op in ops)
    assert with_own_steps(image, ops) == (ops, frozenset())
    # x + depthwise 3×3 of x is no PReLU.
    smooth = Conv2D((features,), bent, np.ones((4, 3, 3, 1), np.float32), np.zeros(4, np.float32), groups=4)
    total = Add((features, bent), Value("total", 4))
    _, apart = with_own_steps(image, (conv(image, features), smooth, total, conv(total.output, out)))
    assert apart == {"total"}


def test_16_bits_and_own_steps_exclude_each_other() -> None:
    with pytest.raises(SettingError, match="exclude each other"):
        quantise(of("carn-m"), [noise()], own_steps=True, wide=["ends"])
