"""Learning rates as pure functions of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence

from pocketsr.choice import make
from pocketsr.errors import SettingError
from pocketsr.train.recipe import Stage

#: Rate of a step, counted from the beginning of the stage.
Rate = Callable[[int], float]


def constant(peak: float, first: int, last: int) -> Rate:  # noqa: ARG001 - every schedule takes the same three
    """Stay at the peak."""
    return lambda _: peak


def cosine(peak: float, first: int, last: int, *, final: float = 0.0) -> Rate:
    """Fall from the peak to ``final`` along half a period."""
    return lambda step: _slope(peak, final, (step - first) / max(1, last - first))


def step(peak: float, first: int, last: int, *, every: int, factor: float = 0.5) -> Rate:  # noqa: ARG001
    """Multiply by ``factor`` every ``every`` steps, counted from the beginning of the stage."""
    if every < 1:
        raise SettingError(f"schedule 'step': every must be 1 or more, not {every}")
    return lambda step: float(peak * factor ** (step // every))


def piecewise(peak: float, first: int, last: int, *, at: Sequence[int], factors: Sequence[float]) -> Rate:  # noqa: ARG001
    """From each step of ``at`` on, the peak times the factor of the same place."""
    if len(at) != len(factors) or list(at) != sorted(at):
        raise SettingError(
            f"schedule 'piecewise': 'at' must rise and have as many entries as 'factors', not {list(at)}"
        )
    return lambda step: peak * (1.0, *factors)[bisect.bisect_right(at, step)]


def restarts(peak: float, first: int, last: int, *, cycle: int, decay: float = 0.5, final: float = 1e-6) -> Rate:  # noqa: ARG001
    """Fall along a cosine again and again, each ``cycle`` steps long, each peak ``decay`` times the one before."""
    if cycle < 1:
        raise SettingError(f"schedule 'restarts': cycle must be 1 or more, not {cycle}")

    def rate(step: int) -> float:
        turn, within = divmod(step - first, cycle)
        return _slope(max(final, peak * decay**turn), final, within / cycle)

    return rate


def one_cycle(peak: float, first: int, last: int, *, start: float, peak_at: int, final: float) -> Rate:
    """Rise from ``start`` to the peak at step ``peak_at``, then fall to ``final``; both along half a cosine."""

    def rate(step: int) -> float:
        top = min(peak_at, last)  # a shortened stage may end before its peak
        if step < top:
            return _slope(start, peak, (step - first) / max(1, top - first))
        return _slope(peak, final, (step - top) / max(1, last - top))

    return rate


#: Each is called with the peak, the first step after warm-up, and the number of steps of the stage.
SCHEDULES: Mapping[str, Callable[..., Rate]] = {
    "constant": constant,
    "cosine": cosine,
    "step": step,
    "piecewise": piecewise,
    "restarts": restarts,
    "one-cycle": one_cycle,
}


def rate_of(stage: Stage, peak: float | None = None) -> Rate:
    """Return the learning rate as a function of the step, warm-up included.

    Args:
        stage: Its schedule, warm-up and length.
        peak: Highest rate; None is the stage's own.

    Raises:
        UnknownNameError: No schedule has that name.
        SettingError: It does not take one of the options.

    >>> rate = rate_of(Stage(name="a", steps=100, learning_rate=1.0, warmup_steps=10))
    >>> [round(rate(step), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    highest, warmup = stage.learning_rate if peak is None else peak, stage.warmup_steps
    after = make("schedule", SCHEDULES, stage.schedule, highest, warmup, stage.steps)
    return lambda step: highest * (step + 1) / warmup if step < warmup else after(step)


def _slope(begin: float, end: float, progress: float) -> float:
    """Go from ``begin`` to ``end`` along half a cosine, for a progress of 0..1."""
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * progress))
