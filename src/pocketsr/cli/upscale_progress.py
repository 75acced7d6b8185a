"""The bar of ``pocketsr upscale`` on a terminal: images done, megapixels a second, time left.

Threads tell it how far their images are; only the main thread draws, and wipes the bar away before anything is printed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pocketsr.batch import Job, Outcome

#: Seconds between two drawings.
_PAUSE_S = 0.1


class ProgressBar:
    """How far a batch is. Where it is not shown, every call does nothing."""

    def __init__(self, jobs: Sequence[Job], *, is_shown: bool) -> None:
        """Begin the clock; draw nothing yet."""
        self._jobs = jobs
        self._parts: dict[Path, float] = {}  # of images in work, by their input
        self._finished = self._worked = 0
        self._megapixels = 0.0
        self._start = self._drawn_at = time.monotonic()
        self._is_drawn = False
        self._bar: Any = None
        self._task: Any = None
        if is_shown and jobs:
            self._make()

    def __enter__(self) -> ProgressBar:
        self.draw()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.wipe()

    def tile_done(self, job: Job, done: int, total: int) -> None:
        """Note how far an image is. Any thread may."""
        self._parts[job.source] = done / total

    def image_done(self, outcome: Outcome) -> None:
        """Note that an image is finished, failed or skipped."""
        self._finished += 1
        self._worked += not outcome.skipped
        self._parts.pop(outcome.source, None)
        if outcome.size is not None:
            self._megapixels += outcome.size[0] * outcome.size[1] / 1e6

    def draw(self) -> None:
        """Show how things stand, if they were not shown just now."""
        now = time.monotonic()
        if self._bar is None or (self._is_drawn and now - self._drawn_at < _PAUSE_S) or self._finished >= self._count:
            return
        parts = sum(self._parts.copy().values())
        seconds = now - self._start
        worked = self._worked + parts
        left = seconds / worked * (self._count - self._finished - parts) if worked else None
        name = self._jobs[self._finished].source.name
        title = name if self._count == 1 else f"{self._finished + 1}/{self._count} {name}"
        speed = f"{self._megapixels / seconds:.1f} MP/s" if self._megapixels and seconds else ""
        words = " ".join(filter(None, (speed, "" if left is None else f"{_clock(left)} left")))
        if not self._is_drawn:
            self._bar.start()
        self._bar.update(self._task, completed=self._finished + parts, description=title, words=words, refresh=True)
        self._is_drawn, self._drawn_at = True, now

    def wipe(self) -> None:
        """Take the bar from the screen, so that something can be printed there."""
        if self._is_drawn:
            self._bar.stop()
            self._is_drawn = False

    @property
    def _count(self) -> int:
        return len(self._jobs)

    def _make(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        title, words = (TextColumn(f"{{task.{field}}}", markup=False) for field in ("description", "fields[words]"))
        console = Console(stderr=True)
        self._bar = Progress(
            *(title, BarColumn(), TaskProgressColumn(), words),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=console.is_dumb_terminal,
        )
        self._task = self._bar.add_task("", total=self._count, words="")


def _clock(seconds: float) -> str:
    """Return a time as a clock has it.

    >>> _clock(59.6), _clock(3661)
    ('1:00', '1:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
