"""What the training loop reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pocketsr.train.recipe import Stage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """The state of a stage after some step. Losses and times are means since the last event.

    Attributes:
        stage: The stage that runs.
        step: Steps done in it.
        loss: Mean loss.
        terms: Mean of each term of it, weighted; a discriminator's own loss beside them.
        learning_rate: Of the last step.
        steps_per_second: Validations and checkpoints not counted.
        waiting: Share of the time spent waiting for data, 0..1.
        seconds_left: Expected time to the end of the stage, validations not counted.
        psnr_db: Validation PSNR where this event is a validation, else None.
        bicubic_db: What bicubic reaches on the same images, where this event is a validation.
    """

    stage: Stage
    step: int
    loss: float
    learning_rate: float
    seconds_left: float
    steps_per_second: float = 0.0
    waiting: float = 0.0
    terms: Mapping[str, float] = dataclasses.field(default_factory=dict)
    psnr_db: float | None = None
    bicubic_db: float | None = None
