"""The classic networks are those of their papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pocketsr.blocks import ContrastAttention, ConvNorm2d
from pocketsr.errors import SettingError
from pocketsr.graph import receptive_field
from pocketsr.image import resize_bicubic
from pocketsr.lower import trace
from pocketsr.networks import build
from pocketsr.networks.enhancenet import EnhanceNet
from pocketsr.networks.feqe import FEQE
from pocketsr.networks.imdn import IMDN
from pocketsr.networks.mslapsrn import MSLapSRN
from pocketsr.networks.srresnet import SRResNet


def bicubic(image: torch.Tensor, scale: int, a: float = -0.5) -> torch.Tensor:
    pixels = image[0].permute(1, 2, 0).numpy()
    enlarged = resize_bicubic(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale, a=a)
    return torch.from_numpy(np.ascontiguousarray(enlarged)).permute(2, 0, 1)[None]


@pytest.mark.parametrize("a", [-0.5, -0.75])
def test_bicubic_is_the_resizer_s(a: float) -> None:
    image = torch.rand(1, 3, 6, 7)
    assert torch.allclose(build("bicubic", {"scale": 3, "a": a})(image), bicubic(image, 3, a), atol=1e-5)


@pytest.mark.parametrize("kind", [EnhanceNet, FEQE])
def test_networks_on_top_of_bicubic_are_bicubic_when_silent(kind: type[nn.Module]) -> None:
    network = kind(scale=4)
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    image = torch.rand(1, 3, 5, 6)
    assert torch.allclose(network(image), bicubic(image, 4), atol=1e-5)


def test_mslapsrn_starts_its_image_branch_as_bilinear_and_shares_its_levels() -> None:
    network = MSLapSRN(scale=2)
    nn.init.zeros_(network.residual.weight)
    nn.init.zeros_(network.residual.bias)
    image = torch.rand(1, 1, 6, 6)
    expected = torch.nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear")
    assert torch.allclose(network(image)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-6)
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in MSLapSRN(scale=4).parameters())


def test_srresnet_counts_1_549_462_with_its_normalisation_and_none_when_folded() -> None:
    assert sum(p.numel() for p in SRResNet(scale=4).parameters()) == 1_549_462
    assert not any(isinstance(module, nn.BatchNorm2d) for module in SRResNet(scale=4).folded().modules())


def test_a_normalised_convolution_folds_exactly() -> None:
    torch.manual_seed(0)
    block = ConvNorm2d(3, 5).double()
    block(torch.randn(8, 3, 9, 9, dtype=torch.float64))  # gives the normalisation a mean and a variance
    block.eval()
    x = torch.randn(1, 3, 6, 7, dtype=torch.float64)
    assert (block.folded()(x) - block(x)).abs().max() < 1e-12


def test_contrast_attention_uses_the_biased_deviation() -> None:
    torch.manual_seed(0)
    attention = ContrastAttention(16)
    x = torch.randn(1, 16, 4, 5)
    contrast = x.flatten(2).std(dim=2, unbiased=False) + x.flatten(2).mean(dim=2)
    weights = torch.sigmoid(attention.expand(torch.relu(attention.squeeze(contrast[..., None, None]))))
    assert torch.allclose(attention(x), x * weights, atol=1e-6)


def test_only_the_original_imdn_looks_at_the_whole_image() -> None:
    assert receptive_field(trace(IMDN(scale=2))) is None
    assert receptive_field(trace(IMDN(scale=2, form="ntire"))) == 35
    assert len(IMDN(form="ntire").body) == 8


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
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build(name, options)
