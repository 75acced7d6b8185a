"""The classic networks are those of their papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError
from pocketsr.graph import receptive_field
from pocketsr.image import resize_bicubic
from pocketsr.lower import trace
from pocketsr.networks import build
from pocketsr.networks.enhancenet import EnhanceNet
from pocketsr.networks.espcn import ESPCN
from pocketsr.networks.feqe import FEQE
from pocketsr.networks.imdn import IMDN, DistillationBlock
from pocketsr.networks.mslapsrn import MSLapSRN
from pocketsr.networks.srcnn import SRCNN
from pocketsr.networks.srresnet import SRResNet

#: A deviation estimated from n weights is off by about 1/√(2n); the smallest layer tested has 576.
DEVIATION_TOLERANCE = 0.15


def bicubic(image: torch.Tensor, scale: int, a: float = -0.5) -> torch.Tensor:
    pixels = image[0].permute(1, 2, 0).numpy()
    enlarged = resize_bicubic(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale, a=a)
    return torch.from_numpy(np.ascontiguousarray(enlarged)).permute(2, 0, 1)[None]


def silence(layer: nn.Module, value: float = 0) -> None:
    """Make a layer say ``value`` and nothing else."""
    nn.init.zeros_(layer.get_parameter("weight"))
    nn.init.constant_(layer.get_parameter("bias"), value)


def inputs_of(layer: nn.Module, network: nn.Module, image: Tensor) -> Tensor:
    """Run the network and return what reached a layer last."""
    seen: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    network(image)
    return seen[-1]


@pytest.mark.parametrize("a", [-0.5, -0.75])
def test_bicubic_is_the_resizer_s(a: float) -> None:
    image = torch.rand(1, 3, 6, 7)
    assert torch.allclose(build("bicubic", {"scale": 3, "a": a})(image), bicubic(image, 3, a), atol=1e-5)


@pytest.mark.parametrize("kind", [EnhanceNet, FEQE])
def test_networks_on_top_of_bicubic_are_bicubic_when_silent(kind: type[nn.Module]) -> None:
    network = kind(scale=4)
    silence(network.get_submodule("tail"))
    image = torch.rand(1, 3, 5, 6)
    assert torch.allclose(network(image), bicubic(image, 4), atol=1e-5)


def test_mslapsrn_starts_its_image_branch_as_bilinear_and_shares_its_levels() -> None:
    network = MSLapSRN(scale=2)
    silence(network.residual)
    image = torch.rand(1, 1, 6, 6)
    expected = F.interpolate(image, scale_factor=2.0, mode="bilinear")
    assert torch.allclose(network(image)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-6)
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in MSLapSRN(scale=4).parameters())


def test_srresnet_counts_1_549_462_with_its_normalisation_and_none_when_folded() -> None:
    assert sum(p.numel() for p in SRResNet(scale=4).parameters()) == 1_549_462
    assert not any(isinstance(module, nn.BatchNorm2d) for module in SRResNet(scale=4).folded().modules())


def test_only_the_original_imdn_looks_at_the_whole_image() -> None:
    assert receptive_field(trace(IMDN(scale=2))) is None
    assert receptive_field(trace(IMDN(scale=2, form="ntire"))) == 35
    assert len(IMDN(form="ntire").body) == 8


def test_srcnn_looks_at_the_enlarged_image() -> None:
    image, network = torch.rand(1, 1, 6, 7), SRCNN(scale=3)
    assert torch.allclose(inputs_of(network.extract, network, image), bicubic(image, 3), atol=1e-5)


def test_espcn_passes_tanh_before_the_second_and_the_third_layer() -> None:
    network, image = ESPCN(), 10 * torch.rand(1, 1, 5, 6)
    assert torch.allclose(inputs_of(network.body, network, image), torch.tanh(network.head(image)))
    between = torch.tanh(network.head(image))
    assert torch.allclose(inputs_of(network.tail, network, image), torch.tanh(network.body(between)))


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("prelu", nn.PReLU)])
def test_fsrcnn_has_an_activation_after_every_layer_but_the_last(activation: str, kind: type[nn.Module]) -> None:
    network = build("fsrcnn", {"activation": activation, "depth": 2})
    layers = [type(layer) for layer in network.get_submodule("body").children()]
    assert layers == [nn.Conv2d, kind] * 5
    silence(network.get_submodule("enlarge"), -0.25)
    assert (network(torch.rand(1, 3, 4, 4)) == -0.25).all()


def test_a_distillation_block_keeps_activated_quarters_and_a_linear_one() -> None:
    torch.manual_seed(0)
    block, x = DistillationBlock(16, attention=False), torch.randn(1, 16, 6, 6)
    joined = inputs_of(block.fuse, block, x)
    first = F.leaky_relu(block.first(x), 0.05)
    second = F.leaky_relu(block.second(first[:, 4:]), 0.05)
    third = F.leaky_relu(block.third(second[:, 4:]), 0.05)
    fourth = block.fourth(third[:, 4:])
    expected = torch.cat([first[:, :4], second[:, :4], third[:, :4], fourth], dim=1)
    assert torch.allclose(joined, expected, atol=1e-6)
    silence(block.fuse)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(("bias", "value"), [(-1.0, 0.0), (0.0, 0.5), (1.0, 1.0)])
def test_srresnet_brings_its_minus_one_to_one_to_black_to_white(bias: float, value: float) -> None:
    network = SRResNet(scale=2, depth=1)
    silence(network.tail, bias)
    assert (network(torch.rand(1, 3, 4, 4)) == value).all()


def test_feqe_orders_channels_as_torch_does_and_loses_no_pixel() -> None:
    network, image = FEQE(depth=1), torch.rand(1, 3, 5, 6)
    enlarged = (bicubic(image, 4) - 0.5) * 255
    seen = inputs_of(network.squeeze, network, image)
    for channel in range(12):
        colour, row, column = channel // 4, channel % 4 // 2, channel % 2
        assert torch.allclose(seen[:, channel], enlarged[:, colour, row::2, column::2], atol=1e-2)


def test_mslapsrn_adds_the_level_s_input_after_every_recursion() -> None:
    network = MSLapSRN(scale=2, depth=1, recursions=3)
    silence(network.body[0], 1)
    image = torch.rand(1, 1, 5, 5)
    reached = inputs_of(network.enlarge, network, image)
    assert torch.allclose(reached, F.leaky_relu(network.head(image) + 1, 0.2), atol=1e-6)  # + source, not + 3 × 1


@pytest.mark.parametrize(
    ("name", "options", "layer", "deviation"),
    [
        ("srcnn", {}, "extract", 0.001),
        ("srcnn", {}, "reconstruct", 0.001),
        ("fsrcnn", {}, "body.0", math.sqrt(2 / (56 * 25))),
        ("fsrcnn", {}, "enlarge", 0.001),
        ("espcn", {}, "body", math.sqrt(2 / (32 * 9))),
        ("espcn", {}, "tail", 0.001),
        ("enhancenet", {}, "head", math.sqrt(2 / (67 * 9))),
        ("feqe", {}, "last", 1 / math.sqrt(3 * 16 * 9)),
        ("mslapsrn", {}, "head", 0.001),
        ("mslapsrn", {}, "body.4", math.sqrt(2 / (64 * 9))),
        ("mslapsrn", {}, "enlarge", math.sqrt(2 / (64 * 9))),
    ],
)
def test_layers_start_as_the_authors_do(name: str, options: dict[str, object], layer: str, deviation: float) -> None:
    torch.manual_seed(0)
    start = build(name, options).get_submodule(layer)
    weight, bias = (start.get_parameter(part).detach() for part in ("weight", "bias"))
    assert weight.std().item() == pytest.approx(deviation, rel=DEVIATION_TOLERANCE)
    assert bool(bias.any()) == (name == "feqe")  # all others start with zero biases


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("srcnn", {"middle_kernel": 4}, "1, 3 or 5"),
        ("srcnn", {"scale": 7}, "not 1 by 7"),
        ("fsrcnn", {"activation": "gelu"}, "relu, prelu"),
        ("fsrcnn", {"channels": 2}, "not 2 by 3"),
        ("espcn", {"scale": 1}, "not 1 by 1"),
        ("imdn", {"form": "kair"}, "original, ntire"),
        ("imdn", {"width": 30}, "multiple of 4"),
        ("srresnet", {"scale": 3}, "by 2 or 4"),
        ("enhancenet", {"scale": 2}, "by 4, not 2"),
        ("feqe", {"scale": 2}, "by 4, not 2"),
        ("mslapsrn", {"scale": 3}, "by 2 or 4"),
        ("bicubic", {"scale": 5}, "by 2, 3 or 4"),
        ("bicubic", {"channels": 2}, "not 2 by 3"),
        ("fsrcnn", {"narrow": 0}, "not 56, 0 and 4"),
        ("fsrcnn", {"depth": -1}, "56, 12 and -1"),
        ("imdn", {"width": 0}, "multiple of 4, not 0"),
        ("imdn", {"width": 8}, "8 channels cannot be reduced 16 times"),
        ("imdn", {"depth": 0}, "1 or more, not 0"),
        ("srresnet", {"depth": 0}, "not 64 and 0"),
        ("enhancenet", {"width": 0}, "not 0 and 10"),
        ("feqe", {"width": 0}, "not 0 and 20"),
        ("mslapsrn", {"recursions": 0}, "not 64, 5 and 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build(name, options)
