"""Tracing keeps what a network computes, and says clearly what it cannot keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import LoweringError
from pocketsr.graph import Concat, Conv2D, execute, receptive_field
from pocketsr.lower import trace
from pocketsr.networks import build
from pocketsr.train import to_levels

IMAGE = np.random.default_rng(0).integers(0, 256, (11, 9, 3), dtype=np.uint8)


def assert_same(network: Network, **options: str) -> None:
    network.eval()
    output = execute(trace(network, **options), IMAGE[None].astype(np.float32))[0]
    assert np.abs(output - to_levels(network, IMAGE)).max() <= 1e-4 * 255


class Unit(Network):
    """A network that works in 0..1 and uses every form of a call."""

    scale = 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.head = nn.Conv2d(3, 6, 3, padding="same")
        self.relu = nn.ReLU()
        self.grouped = nn.Conv2d(6, 6, 5, padding=2, groups=2)
        self.tail = nn.Conv2d(15, 12, 1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, image: Tensor) -> Tensor:
        first = self.relu(self.head(image))
        second = torch.relu(self.grouped(first) * 0.5)
        x = self.tail(torch.cat([second, first / 3, image], dim=1))
        return torch.clamp(self.shuffle(torch.add(x, image.repeat_interleave(4, dim=1))), 0, 1)


class Shared(Unit):
    """The value before pixel shuffle is used twice, so its channels cannot be reordered in place."""

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image).relu()
        y = self.tail(torch.cat((x, self.grouped(x), image), 1))
        both = F.pixel_shuffle(y, 2) + F.pixel_shuffle(F.relu(y), 2)
        return (both + F.interpolate(image, scale_factor=2, mode="nearest")).clamp(min=0, max=1)


@pytest.mark.parametrize("repeat", ["conv", "concat"])
@pytest.mark.parametrize("kind", [Unit, Shared])
def test_networks_in_0_to_1_compute_the_same(kind: type[Network], repeat: str) -> None:
    assert_same(kind(), repeat=repeat)


@pytest.mark.parametrize("residual", ["none", "nearest", "feature", "anchor"])
@pytest.mark.parametrize("repeat", ["conv", "concat"])
def test_abpn_s_variants_compute_the_same(residual: str, repeat: str) -> None:
    torch.manual_seed(0)
    assert_same(build("abpn", {"scale": 3, "residual": residual, "width": 8}), repeat=repeat)


def test_abpn_has_no_operator_that_only_rescales_or_reorders() -> None:
    graph = trace(build("abpn", {"scale": 3}))
    names = [type(op).__name__ for op in graph.ops]
    assert names == ["Conv2D"] * 8 + ["Add", "Minimum", "DepthToSpace"]
    assert receptive_field(graph) == 7
    assert graph.ops[-3].activation == "relu"


def test_the_anchor_can_be_a_concatenation() -> None:
    ops = trace(build("abpn", {"scale": 3}), repeat="concat").ops
    assert sum(isinstance(op, Concat) for op in ops) == 1
    assert sum(isinstance(op, Conv2D) for op in ops) == 7


def test_the_network_is_left_as_it_was() -> None:
    network = build("abpn", {"scale": 2, "expansion": 4})
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trace(network)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class Odd(Network):
    """Does one thing that has no form in a graph."""

    scale = 1

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.strided = nn.Conv2d(3, 3, 3, padding=1, stride=2)
        self.unpadded = nn.Conv2d(3, 3, 3)
        self.sigmoid = nn.Sigmoid()

    def forward(self, image: Tensor) -> Tensor:
        return {
            "strided": lambda: self.strided(image),
            "unpadded": lambda: self.unpadded(image),
            "Sigmoid": lambda: self.sigmoid(image),
            "tanh": lambda: torch.tanh(image),
            "constant": lambda: image + 1,
            "division": lambda: 1 / image,
            "negative": lambda: image * -1,
            "bilinear": lambda: F.interpolate(image, scale_factor=2.0, mode="bilinear"),
            "rows": lambda: torch.cat([image, image], dim=2),
            "clamp": lambda: torch.clamp(image, 0.1, 1),
        }[self.what]()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("strided", "stride 1"),
        ("unpadded", "does not keep the size"),
        ("Sigmoid", "no operator for Sigmoid"),
        ("tanh", "no operator for"),
        ("constant", "adding a constant"),
        ("division", "division by an image"),
        ("negative", "must be above 0"),
        ("bilinear", "nearest-neighbour"),
        ("rows", "channel axis"),
        ("clamp", "only known at 0"),
    ],
)
def test_what_cannot_be_lowered_is_named(what: str, words: str) -> None:
    with pytest.raises(LoweringError, match=words):
        trace(Odd(what))
