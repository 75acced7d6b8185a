"""An estimate takes real steps and counts them up to the whole."""

from __future__ import annotations

import pytest
import torch
from runs import recipe

from pocketsr.compress.integer import REWRITES
from pocketsr.networks import build
from pocketsr.train import Processes
from pocketsr.train.estimate import estimate


def test_time_is_counted_up_from_steps_and_parameters_are_those_that_are_trained() -> None:
    torch.set_num_threads(1)
    chosen = recipe({"steps": 3_600_000})
    found = estimate(chosen, 0, {}, Processes())
    assert found.hours == pytest.approx(found.step_ms)  # 3.6 million steps of as many milliseconds
    network = build(chosen.network.name, chosen.network.options)
    assert found.trained == sum(parameter.numel() for parameter in network.parameters())
    assert 20 < found.peak_mb < 20_000


def test_every_kind_of_stage_can_be_estimated() -> None:
    adversary = {"discriminator": {"name": "srgan", "options": {"patch": 16}}}
    integer = {"name": "b", "arithmetic": "integer"}
    chosen = recipe({"adversary": adversary, "losses": []}, integer)
    for index in range(2):
        assert estimate(chosen, index, REWRITES, Processes(), steps=1).step_ms > 0
