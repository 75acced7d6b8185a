"""Discriminators have the published sizes and judge what they should."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.networks.discriminators import build_discriminator

#: Counted from Figure 4: 4,689,088 in convolutions and normalisation, 512·6²→1024→1 in dense layers.
SRGAN_AT_96 = 4_689_088 + (512 * 36 + 1) * 1024 + 1025


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("pcarn", 5_295_809),
        ("pcarn-multiscale", 3 * 5_295_809),
        ("f2srgan", 19_416_543),
        ("srgan", SRGAN_AT_96),
    ],
)
def test_parameters_are_the_published_number(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in build_discriminator(name, {}).parameters()) == parameters


@pytest.mark.parametrize(("name", "shape"), [("pcarn", (2, 1, 4, 6)), ("f2srgan", (2, 1))])
def test_logits_have_the_shape_of_their_judgement(name: str, shape: tuple[int, ...]) -> None:
    assert build_discriminator(name, {})(torch.rand(2, 3, 32, 48)).shape == shape


def test_the_multiscale_one_judges_the_image_at_three_sizes() -> None:
    logits = build_discriminator("pcarn-multiscale", {})(torch.rand(2, 3, 64, 32))
    assert [tuple(judgement.shape[-2:]) for judgement in logits] == [(8, 4), (4, 2), (2, 1)]


def test_srgan_s_takes_patches_of_its_size() -> None:
    assert build_discriminator("srgan", {"patch": 32})(torch.rand(2, 3, 32, 32)).shape == (2, 1)
    with pytest.raises(SettingError, match="multiple of 16, not 40"):
        build_discriminator("srgan", {"patch": 40})


def test_srgan_s_halves_four_times_and_has_no_normalisation_after_its_first_layer() -> None:
    body = build_discriminator("srgan", {"patch": 32}).get_submodule("body")
    assert [layer.stride[0] for layer in body.children() if isinstance(layer, nn.Conv2d)] == [2, 1, 2, 1, 2, 1, 2]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in body.children()) == 7
    assert {layer.negative_slope for layer in body.children() if isinstance(layer, nn.LeakyReLU)} == {0.2}


def test_unknown_names_and_options_are_told() -> None:
    with pytest.raises(UnknownNameError, match="discriminator"):
        build_discriminator("pcarm", {})
    with pytest.raises(SettingError, match="width"):
        build_discriminator("pcarn", {"width": 3})
