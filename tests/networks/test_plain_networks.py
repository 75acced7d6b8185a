"""The plain networks are those of their papers: what joins where, which layers carry which branches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pocketsr.blocks import Network, RepConv2d, SandwichConv2d
from pocketsr.errors import SettingError
from pocketsr.graph import Conv2D, Minimum
from pocketsr.lower import trace
from pocketsr.networks import build
from pocketsr.networks.etds import ETDS
from pocketsr.networks.lrsrn import LRSRN
from pocketsr.networks.rtsrn import RTSRN
from pocketsr.networks.scsrn import SCSRN
from pocketsr.networks.sesr import SESR, SIZES
from pocketsr.networks.xlsr import XLSR


def count(network: Network) -> int:
    return sum(p.numel() for p in network.folded().parameters())


def rep_convs(network: Network) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, RepConv2d)]


# -- SCSRN ------------------------------------------------------------------------------------------------------------


def test_scsrn_trains_layers_of_equal_width_as_rep_conv() -> None:
    assert rep_convs(SCSRN(scale=3)) == ["body.0", "body.1", "body.2", "body.3", "transition"]
    assert rep_convs(SCSRN(scale=3, rep_conv="none")) == []
    assert len(rep_convs(SCSRN(scale=3, rep_conv="all"))) == 7


@pytest.mark.parametrize(("skip", "parameters"), [("concat", 53_008), ("add", 52_279), ("none", 52_279)])
def test_scsrn_s_ways_to_join_cost_what_table_1_says(skip: str, parameters: int) -> None:
    assert count(SCSRN(scale=3, skip=skip)) == parameters


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scsrn_clips_alike_before_and_after_the_shuffle(scale: int) -> None:
    torch.manual_seed(0)
    first = SCSRN(scale=scale, rep_conv="none").eval()
    second = SCSRN(scale=scale, rep_conv="none", min_clip=False).eval()
    second.load_state_dict(first.state_dict())
    image = 3 * torch.rand(1, 3, 6, 5) - 1
    assert torch.equal(first(image), second(image))


def test_scsrn_s_last_layer_clips_from_both_sides_before_the_shuffle() -> None:
    *_, last, minimum, _ = trace(SCSRN(scale=3)).ops
    assert isinstance(last, Conv2D)
    assert last.activation == "relu"
    assert isinstance(minimum, Minimum)
    assert minimum.bound == 255


# -- LRSRN and RTSRN --------------------------------------------------------------------------------------------------


def test_lrsrn_s_rep_conv_is_in_the_body_or_everywhere() -> None:
    assert rep_convs(LRSRN(scale=2, rep_conv="backbone")) == [f"body.{index}" for index in range(4)]
    everywhere = LRSRN(scale=3, rep_conv="all")
    assert len(rep_convs(everywhere)) == 6
    assert everywhere.head.skip is not None
    assert everywhere.body[0].has_identity


@pytest.mark.parametrize(("scale", "rep_conv", "parameters"), [(2, "backbone", 333_196), (3, "all", 426_166)])
def test_lrsrn_trains_the_published_number(scale: int, rep_conv: str, parameters: int) -> None:
    assert sum(p.numel() for p in LRSRN(scale=scale, rep_conv=rep_conv).parameters()) == parameters


def test_rtsrn_without_relu_is_one_linear_filter() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 9, 9)
    for linear in (True, False):
        network = RTSRN(scale=2, linear=linear).eval()
        middle = 0.5 * (network(image) + network(torch.zeros_like(image)))
        assert torch.allclose(network(0.5 * image), middle, atol=1e-6) == linear


# -- XLSR, SESR, ETDS, SPAN -------------------------------------------------------------------------------------------


def test_xlsr_starts_small_with_biases_of_a_hundredth() -> None:
    torch.manual_seed(0)
    network = XLSR(scale=3)
    assert torch.all(network.tail.bias == 0.01)
    assert network.tail.weight.std().item() == pytest.approx((0.2 / (27 * 9)) ** 0.5, rel=0.05)


@pytest.mark.parametrize(("size", "parameters"), [("m5", 13_520), ("m11", 27_344), ("xl", 105_376)])
def test_sesr_s_published_sizes_on_luma(size: str, parameters: int) -> None:
    assert count(SESR(scale=2, channels=1, bias=False, **SIZES[size])) == parameters


def test_sesr_without_weights_repeats_pixels() -> None:
    network = SESR(scale=4, expansion=4)
    nn.init.zeros_(network.tail.squeeze.weight)
    nn.init.zeros_(network.tail.squeeze.bias)
    image = torch.rand(1, 3, 5, 4)
    assert torch.allclose(network(image), F.interpolate(image, scale_factor=4.0), atol=1e-6)


def test_sesr_sees_grey_as_zero_at_its_border() -> None:
    network = SESR(scale=2, expansion=4, bias=False).eval()
    grey = torch.full((1, 3, 6, 6), 0.5)
    assert torch.allclose(network(grey), torch.full((1, 3, 12, 12), 0.5), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_etds_starts_as_nearest_neighbour_beside_its_features(scale: int) -> None:
    network = ETDS(scale=scale)
    nn.init.zeros_(network.tail.features.weight)
    nn.init.zeros_(network.tail.features.bias)
    image = torch.rand(1, 3, 5, 6)
    assert torch.allclose(network(image), F.interpolate(image, scale_factor=float(scale)), atol=1e-6)


def test_etds_folds_to_plain_convolutions_whose_features_do_not_reach_the_image_stream() -> None:
    folded = ETDS(scale=3, width=16, depth=5).folded()
    assert [type(conv) for conv in folded.body] == [nn.Conv2d] * 5
    assert not folded.body[0].weight[-3:, :-3].any()


def test_span_s_convolutions_all_fold() -> None:
    assert sum(isinstance(module, SandwichConv2d) for module in build("span", {}).modules()) == 20
    assert not any(isinstance(module, SandwichConv2d) for module in build("span", {}).folded().modules())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("scsrn", {"skip": "multiply"}, "concat, add, none"),
        ("scsrn", {"rep_conv": "some"}, "none, selective, all"),
        ("lrsrn", {"activation": "tanh"}, "relu, gelu"),
        ("lrsrn", {"rep_conv": "some"}, "none, backbone, all"),
        ("xlsr", {"width": 30}, "multiple of 4"),
        ("sesr", {"channels": 2}, "1 or 3 channels"),
        ("sesr", {"activation": "gelu"}, "relu, prelu"),
        ("etds", {"image_width": 2}, "3 or more"),
        ("span", {"depth": 1}, "2 blocks or more"),
        ("rtsrn", {"scale": 5}, "by 2, 3 or 4, not 5"),
        ("ncnet", {"scale": 5}, "by 2, 3 or 4, not 5"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build(name, options)
