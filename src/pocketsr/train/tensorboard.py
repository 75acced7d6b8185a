"""Events for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.train.event import Event

FOLDER = "events"


class TensorBoard:
    """Writes what the loop reports into ``events`` in a run's folder; does nothing where TensorBoard is missing.

    Args:
        folder: The run's folder.
        done: Steps done of each stage, of a run that goes on. Events beyond them, which a run saw that was killed
            before it saved its state, are not shown any more.
    """

    def __init__(self, folder: Path, *, done: Mapping[str, int] | None = None) -> None:
        self._writer: Any = None
        self._done: dict[str, int] = dict(done or {})
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        first = sum(self._done.values()) + 1
        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=first if self._done else None)

    def add(self, event: Event) -> None:
        """Write one event; steps are counted on from stage to stage."""
        if self._writer is None:
            return
        self._done[event.stage.name] = event.step
        step = sum(self._done.values())
        values = {"loss": event.loss, "learning_rate": event.learning_rate, "steps_per_second": event.steps_per_second}
        values |= {f"loss/{name}": value for name, value in event.terms.items()}
        if event.psnr_db is not None:
            values |= {"psnr_db": event.psnr_db, "bicubic_db": event.bicubic_db or 0.0}
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()
