"""Learning rates rise, hold and fall as their names say."""

from __future__ import annotations

import pytest

from pocketsr.train.recipe import Stage
from pocketsr.train.schedule import learning_rate


def rates(**settings: object) -> list[float]:
    stage = Stage(**{"name": "a", "steps": 100, "learning_rate": 1.0, **settings})
    return [learning_rate(stage, step) for step in range(100)]


def test_constant_never_changes() -> None:
    assert set(rates(schedule="constant")) == {1.0}


def test_step_halves() -> None:
    made = rates(schedule="step", halve_every=40)
    assert (made[39], made[40], made[80]) == (1.0, 0.5, 0.25)


def test_cosine_falls_to_its_final_rate() -> None:
    made = rates(schedule="cosine", final_learning_rate=0.1)
    assert made[0] == 1.0
    assert made[50] == pytest.approx(0.55)
    assert made[99] == pytest.approx(0.1, abs=1e-3)
    assert made == sorted(made, reverse=True)


def test_warm_up_rises_in_equal_steps() -> None:
    made = rates(warmup_steps=4)
    assert made[:4] == [0.25, 0.5, 0.75, 1.0]
    assert made[4] == 1.0
