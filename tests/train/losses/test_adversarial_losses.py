"""Both sides of the game, by formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pocketsr.choice import Choice, make
from pocketsr.train.losses import ADVERSARIAL_LOSSES, AdversarialLoss

ROUNDING = 1e-6


def loss(name: str, **options: object) -> AdversarialLoss:
    return make("adversarial loss", ADVERSARIAL_LOSSES, Choice(name=name, options=options))


def logits(seed: int = 0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(4, 1, 2, 2), torch.randn(4, 1, 2, 2)


def bce(logits_: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(logits_), torch.full_like(logits_, label))


def test_bce_is_the_cross_entropy_of_both_halves() -> None:
    fake, real = logits()
    chosen = loss("bce")
    assert torch.allclose(chosen.of_network(fake, real), bce(fake, 1), atol=ROUNDING)
    assert torch.allclose(chosen.of_discriminator(fake, real), bce(real, 1) + bce(fake, 0), atol=ROUNDING)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_the_relativistic_loss_judges_pairs(sigmoid: bool) -> None:
    fake, real = logits()
    chosen = loss("relativistic", sigmoid=sigmoid)
    a, b = (torch.sigmoid(fake), torch.sigmoid(real)) if sigmoid else (fake, real)
    assert torch.allclose(chosen.of_network(fake, real), bce(a - b, 1), atol=ROUNDING)
    assert torch.allclose(chosen.of_discriminator(fake, real), bce(b - a, 1), atol=ROUNDING)


def test_the_average_relativistic_loss_judges_against_the_mean() -> None:
    fake, real = logits()
    expected = (bce(real - fake.mean(), 1) + bce(fake - real.mean(), 0)) / 2
    assert torch.allclose(loss("relativistic", average=True).of_discriminator(fake, real), expected, atol=ROUNDING)


def test_least_squares_measures_the_distance_from_the_labels() -> None:
    fake, real = logits()
    chosen = loss("least-squares")
    assert torch.allclose(chosen.of_network(fake, real), F.mse_loss(fake, torch.ones_like(fake)) / 2)
    both = (F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))) / 2
    assert torch.allclose(chosen.of_discriminator(fake, real), both)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_several_discriminators_add_up(name: str) -> None:
    chosen, (fake, real), (other_fake, other_real) = loss(name), logits(0), logits(1)
    for side in (chosen.of_network, chosen.of_discriminator):
        both = side((fake, other_fake), (real, other_real))
        assert torch.allclose(both, side(fake, real) + side(other_fake, other_real))


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_each_side_is_glad_of_what_the_other_fears(name: str) -> None:
    chosen, low, high = loss(name), torch.full((2, 1), -3.0), torch.full((2, 1), 3.0)
    assert chosen.of_discriminator(low, high) < chosen.of_discriminator(high, low)
    assert chosen.of_network(torch.ones(2, 1), low) < chosen.of_network(low, low)
    assert all(side(torch.full((1, 1), 1e4), -1e4 * torch.ones(1, 1)).isfinite() for side in (chosen.of_network,))
