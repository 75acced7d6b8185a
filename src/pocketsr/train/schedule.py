"""Learning rates as a pure function of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

import math

from pocketsr.train.recipe import Stage


def learning_rate(stage: Stage, step: int) -> float:
    """Return the learning rate of a step, counted from 0.

    >>> stage = Stage(name="a", steps=100, learning_rate=1.0, warmup_steps=10)
    >>> [round(learning_rate(stage, step), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if step < stage.warmup_steps:
        return stage.learning_rate * (step + 1) / stage.warmup_steps
    if stage.schedule == "constant":
        return stage.learning_rate
    if stage.schedule == "step":
        return float(stage.learning_rate * 0.5 ** (step // stage.halve_every))
    progress = (step - stage.warmup_steps) / (stage.steps - stage.warmup_steps)
    fall = 0.5 * (1 + math.cos(math.pi * progress))
    return stage.final_learning_rate + (stage.learning_rate - stage.final_learning_rate) * fall
