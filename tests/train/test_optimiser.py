"""Optimisers by name, each parameter at its own rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketsr.choice import Choice
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.optimiser import OPTIMISERS, make_optimiser, set_rate


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))


@pytest.mark.parametrize("name", sorted(OPTIMISERS.keys() - {"Muon"}))  # torch's Muon takes matrices only
def test_every_optimiser_lowers_a_loss(name: str) -> None:
    chosen, image = network(), torch.rand(2, 3, 6, 6)
    optimiser = make_optimiser(Choice(name=name), chosen, 1e-2, {})
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = (chosen(image) - 0.5).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_toml_list_stands_for_a_pair_and_one_kernel_serves_all_parameters() -> None:
    optimiser = make_optimiser(Choice(name="Adam", options={"betas": [0.8, 0.9]}), network(), 1e-3, {})
    assert optimiser.defaults["betas"] == (0.8, 0.9)
    assert optimiser.defaults["fused"]


def test_factors_set_the_rate_of_parameters_by_name() -> None:
    chosen = network()
    optimiser = make_optimiser(Choice(name="Adam"), chosen, 1.0, {"1.*": 0.1, "*.bias": 10.0})
    set_rate(optimiser, 2.0)
    rates = {id(parameter): group["lr"] for group in optimiser.param_groups for parameter in group["params"]}
    expected = {"0.weight": 2.0, "0.bias": 20.0, "1.weight": 0.2, "1.bias": 20.0}
    assert {name: rates[id(parameter)] for name, parameter in chosen.named_parameters()} == pytest.approx(expected)


def test_parameters_that_are_not_trained_are_left_out() -> None:
    chosen = network()
    chosen[0].requires_grad_(False)
    optimiser = make_optimiser(Choice(name="Adam"), chosen, 1.0, {})
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 2


def test_what_does_not_exist_or_fit_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'AdamW'"):
        make_optimiser(Choice(name="adamW"), network(), 1.0, {})
    with pytest.raises(UnknownNameError, match="LBFGS"):
        make_optimiser(Choice(name="LBFGS"), network(), 1.0, {})
    with pytest.raises(SettingError, match="momentum"):
        make_optimiser(Choice(name="Adam", options={"momentum": 0.9}), network(), 1.0, {})
    with pytest.raises(SettingError, match="Invalid beta"):
        make_optimiser(Choice(name="Adam", options={"betas": [2.0, 0.9]}), network(), 1.0, {})
    with pytest.raises(SettingError, match=r"no parameter is called 'tail.\*'"):
        make_optimiser(Choice(name="Adam"), network(), 1.0, {"tail.*": 0.1})
