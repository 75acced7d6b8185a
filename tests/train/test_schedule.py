"""Learning rates go where the recipe says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketsr.choice import Choice
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.recipe import Stage
from pocketsr.train.schedule import SCHEDULES, rate_of

ONE_CYCLE = {"start": 0.02, "peak_at": 10, "final": 0.04}


def stage(name: str, *, steps: int = 100, warmup_steps: int = 0, **options: Any) -> Stage:
    chosen = Choice(name=name, options=options)
    return Stage(name="a", steps=steps, learning_rate=1.0, warmup_steps=warmup_steps, schedule=chosen)


@pytest.mark.parametrize(
    ("chosen", "rates"),
    [
        (stage("constant"), {0: 1, 99: 1}),
        (stage("cosine"), {0: 1, 50: 0.5, 100: 0}),
        (stage("cosine", final=0.5), {0: 1, 50: 0.75, 100: 0.5}),
        (stage("step", every=40), {0: 1, 39: 1, 40: 0.5, 80: 0.25}),
        (stage("step", every=40, factor=0.1), {40: 0.1}),
        (stage("piecewise", at=[10, 30], factors=[0.5, 0.2]), {9: 1, 10: 0.5, 29: 0.5, 30: 0.2, 99: 0.2}),
        (stage("restarts", cycle=20, final=0.0), {0: 1, 10: 0.5, 20: 0.5, 30: 0.25, 40: 0.25}),
        (stage("restarts", cycle=20, final=0.4), {20: 0.5, 60: 0.4}),  # a peak below the minimum is the minimum
        (stage("one-cycle", **ONE_CYCLE), {0: 0.02, 5: 0.51, 10: 1, 55: 0.52, 100: 0.04}),
    ],
)
def test_rates_at_known_steps(chosen: Stage, rates: dict[int, float]) -> None:
    rate = rate_of(chosen)
    assert {step: rate(step) for step in rates} == pytest.approx(rates)


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_is_a_line_to_the_peak_before_any_schedule(name: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "step": {"every": 50},
        "piecewise": {"at": [50], "factors": [0.1]},
        "restarts": {"cycle": 30},
        "one-cycle": {**ONE_CYCLE, "start": 1.0, "peak_at": 40},
    }
    rate = rate_of(stage(name, warmup_steps=20, **options.get(name, {})))
    assert [rate(step) for step in (0, 9, 19)] == pytest.approx([0.05, 0.5, 1.0])
    assert rate(20) == pytest.approx(1.0)


@given(st.integers(1, 60), st.integers(0, 60))
def test_every_rate_is_positive_up_to_the_last_step(steps: int, warmup: int) -> None:
    rate = rate_of(stage("cosine", steps=steps, warmup_steps=min(warmup, steps)))
    assert all(0 < rate(step) <= 1 and math.isfinite(rate(step)) for step in range(steps))


def test_another_peak_moves_the_whole_schedule() -> None:
    chosen = stage("cosine", warmup_steps=10)
    assert rate_of(chosen, 0.1)(55) == pytest.approx(0.1 * rate_of(chosen)(55))


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (stage("step"), "missing a required argument: 'every'"),
        (stage("step", every=0), "every must be 1 or more"),
        (stage("cosine", finall=1), "its options: final"),
        (stage("piecewise", at=[5, 3], factors=[1, 2]), "must rise"),
        (stage("piecewise", at=[5], factors=[]), "as many entries"),
        (stage("restarts", cycle=0), "cycle must be 1 or more"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(chosen: Stage, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        rate_of(chosen)


def test_unknown_schedules_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        rate_of(stage("cosin"))
