"""Tracing keeps what a network computes, and says clearly what it cannot keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import BicubicUpsample, Network
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


@pytest.mark.parametrize("residual", ["none", "nearest", "bilinear", "feature", "anchor"])
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


class Attention(Network):
    """Every other form: constants, padding by reflection, attention, slopes, transposed convolution, splits."""

    scale = 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.register_buffer("average", torch.rand(1, 3, 1, 1))
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.slopes, self.slope = nn.PReLU(8), nn.PReLU()
        self.mirrored = nn.Conv2d(8, 8, 5, padding=2, padding_mode="reflect", groups=8)
        self.unpadded = nn.Conv2d(5, 8, 3)
        self.squeeze = nn.Sequential(nn.Conv2d(8, 4, 1), nn.LeakyReLU(0.05), nn.Conv2d(4, 8, 1), nn.Sigmoid())
        self.up = nn.ConvTranspose2d(8, 3, 9, stride=2, padding=4, output_padding=1)
        with torch.no_grad():
            self.slopes.weight.uniform_(0, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.slopes(self.head(image - self.average))
        kept, rest = torch.split(self.slope(self.mirrored(x)), [3, 5], dim=1)
        y = self.unpadded(F.pad(rest, (1, 1, 1, 1), mode="reflect")) - 0.5
        y = F.gelu(y) * 0.1 + x
        mean = y.mean(dim=(2, 3), keepdim=True)
        deviation = torch.sqrt(((y - mean) ** 2).mean(dim=(2, 3), keepdim=True))
        y = y * self.squeeze(deviation + mean)
        y = torch.cat([torch.tanh(y[:, 2:7]), F.leaky_relu(kept, 0.2)], 1)
        small = F.pixel_unshuffle(F.pixel_shuffle(y.repeat(1, 4, 1, 1), 2), 2)
        return self.up(small[:, :8]) + 0.5


def test_attention_padding_and_constants_compute_the_same() -> None:
    assert_same(Attention())


class Shuffles(Network):
    """Pixel shuffles in a row, and one behind a grouped convolution."""

    scale = 4

    def __init__(self, *, grouped: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.grouped = grouped
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 64, 3, padding=1, groups=4)
        self.tail = nn.Conv2d(16, 12, 3, padding=1)
        self.straight = nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image)
        if self.grouped:
            return F.pixel_shuffle(self.tail(F.pixel_shuffle(F.relu(self.wide(x)), 2)), 2)
        return F.pixel_shuffle(F.pixel_shuffle(self.straight(x), 2), 2)


def test_shuffles_in_a_row_are_one_depth_to_space() -> None:
    assert_same(Shuffles(grouped=False))
    assert [type(op).__name__ for op in trace(Shuffles(grouped=False)).ops] == ["Conv2D", "Conv2D", "DepthToSpace"]


def test_a_shuffle_behind_a_grouped_convolution_needs_no_reordering() -> None:
    assert_same(Shuffles(grouped=True))
    convolutions = [op for op in trace(Shuffles(grouped=True)).ops if isinstance(op, Conv2D)]
    assert len(convolutions) == 3


class Enlarged(Network):
    """Bicubic enlarging inside a network."""

    scale = 3

    def __init__(self) -> None:
        super().__init__()
        self.bicubic = BicubicUpsample(3, 3)
        self.tail = nn.Conv2d(3, 3, 5, padding=2)

    def forward(self, image: Tensor) -> Tensor:
        return self.tail(self.bicubic(image))


def test_bicubic_enlarging_computes_the_same() -> None:
    torch.manual_seed(0)
    assert_same(Enlarged())


class Odd(Network):
    """Does one thing that has no form in a graph."""

    scale = 1

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.strided = nn.Conv2d(3, 3, 3, padding=1, stride=2)
        self.overpadded = nn.Conv2d(3, 3, 3, padding=2)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, image: Tensor) -> Tensor:
        return {
            "strided": lambda: self.strided(image),
            "overpadded": lambda: self.overpadded(image),
            "Softmax": lambda: self.softmax(image),
            "erf": lambda: torch.erf(image),
            "constant": lambda: 1 - image,
            "division": lambda: 1 / image,
            "negative": lambda: image * -1,
            "area": lambda: F.interpolate(image, scale_factor=2.0, mode="area"),
            "rows": lambda: torch.cat([image, image], dim=2),
            "clamp": lambda: torch.clamp(image, 0.1, 1),
            "crop": lambda: image[:, :, 1:],
            "cube": lambda: image**3,
            "mean": lambda: image.mean(dim=1, keepdim=True),
            "zeros": lambda: F.pad(image, (1, 1, 1, 1)),
        }[self.what]()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("strided", "stride 1"),
        ("overpadded", "does not keep the size"),
        ("Softmax", "no operator for Softmax"),
        ("erf", "no operator for"),
        ("constant", "a constant less an image"),
        ("division", "division by an image"),
        ("negative", "above 0"),
        ("area", "nearest-neighbour and bilinear"),
        ("rows", "channel axis"),
        ("clamp", "only known at 0"),
        ("crop", "only slices of channels"),
        ("cube", "only the square"),
        ("mean", "height and width"),
        ("zeros", "only reflection"),
    ],
)
def test_what_cannot_be_lowered_is_named(what: str, words: str) -> None:
    with pytest.raises(LoweringError, match=words):
        trace(Odd(what))
