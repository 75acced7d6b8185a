"""ABPN is the network of its paper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pocketsr.errors import SettingError
from pocketsr.networks.abpn import ABPN

RESIDUALS = ("none", "nearest", "bilinear", "feature", "anchor")


def silenced(network: ABPN) -> ABPN:
    """Make the convolutions say nothing, so that only the residual is left."""
    with torch.no_grad():
        network.transition.weight.zero_()
    return network


@pytest.mark.parametrize("residual", RESIDUALS)
def test_no_residual_variant_adds_weights(residual: str) -> None:
    assert sum(p.numel() for p in ABPN(scale=3, residual=residual).parameters()) == 42_539


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_anchor_alone_is_nearest_neighbour_upscaling(scale: int) -> None:
    image = torch.rand(1, 3, 5, 7)
    expected = F.interpolate(image, scale_factor=scale, mode="nearest")
    for residual in ("anchor", "nearest"):
        assert torch.allclose(silenced(ABPN(scale=scale, residual=residual))(image), expected, atol=1e-6)


def test_the_residual_decides_what_is_left_without_convolutions() -> None:
    image = torch.rand(1, 3, 5, 7)
    bilinear = F.interpolate(image, scale_factor=3, mode="bilinear", align_corners=False)
    assert torch.allclose(silenced(ABPN(scale=3, residual="bilinear"))(image), bilinear, atol=1e-6)
    for residual in ("none", "feature"):
        assert silenced(ABPN(scale=3, residual=residual))(image).abs().max() == 0


def test_the_feature_residual_changes_the_output() -> None:
    torch.manual_seed(0)
    plain, feature = ABPN(residual="none"), ABPN(residual="feature")
    feature.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 8, 8)
    assert not torch.allclose(plain(image), feature(image), atol=1e-3)


def test_output_stays_within_black_and_white() -> None:
    network = ABPN()
    with torch.no_grad():
        network.transition.bias.fill_(1000)
    assert network(torch.rand(1, 3, 4, 4)).max() == 1


def test_a_repconv_body_folds_to_the_paper_s_network() -> None:
    torch.manual_seed(0)
    network = ABPN(expansion=16)
    torch.nn.init.xavier_normal_(network.transition.weight)
    folded = network.folded()
    image = torch.rand(1, 3, 9, 11)
    assert sum(p.numel() for p in folded.parameters()) == 42_539
    assert torch.allclose(folded(image), network(image), atol=1e-5)


@pytest.mark.parametrize("options", [{"scale": 5}, {"residual": "bicubic"}])
def test_nonsense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        ABPN(**options)
