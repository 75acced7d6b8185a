"""What ``pocketsr train`` shows: a live panel on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pocketsr.train import Event, Recipe

_SECONDS_BETWEEN_LINES = 60.0
#: Below this share of the time, waiting for data is not worth a word.
_WORTH_SAYING = 0.05


class TrainPanel:
    """Shows the events of a run.

    Args:
        console: Where to.
        recipe: What runs.
        history: Validations before this run went on, as checkpoints keep them.
    """

    def __init__(self, console: Console, recipe: Recipe, history: Sequence[Mapping[str, float | str]] = ()) -> None:
        self._console, self._recipe, self._history = console, recipe, history
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._best: float | None = None
        self._validated: Event | None = None
        self._stage = ""
        self._last_line = time.monotonic()

    def __enter__(self) -> TrainPanel:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def note(self, words: str) -> None:
        """Show a sentence that stays."""
        self._console.print(words, highlight=False, soft_wrap=True)

    def show(self, event: Event) -> None:
        """Show one event."""
        if event.stage.name != self._stage:
            self._stage, self._validated = event.stage.name, None
            before = (float(row["psnr_db"]) for row in self._history if row["stage"] == event.stage.name)
            self._best = max(before, default=None)
        if event.psnr_db is not None:
            self._validated = event
            self._best = max(event.psnr_db, self._best or event.psnr_db)
        if self._live:
            self._live.update(self._panel(event), refresh=True)
        elif event.psnr_db is not None or time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            parts = (f"{event.stage.name} {event.step}/{event.stage.steps}", *self._lines(event).values())
            self.note(": ".join([parts[0], ", ".join(parts[1:])]))

    def _panel(self, event: Event) -> RenderableType:
        names = [stage.name for stage in self._recipe.stages]
        place = f"stage {event.stage.name}, {names.index(event.stage.name) + 1} of {len(names)}"
        table = Table.grid(padding=(0, 2))
        for name, words in self._lines(event).items():
            table.add_row(Text(name, style="dim"), words)
        bar = Table.grid(padding=(0, 1))
        steps = f"{event.step:,} of {event.stage.steps:,} steps"
        bar.add_row(ProgressBar(total=event.stage.steps, completed=event.step, width=40), steps)
        return Panel(Group(bar, table), title=f"{self._recipe.name}: {place}", title_align="left", expand=False)

    def _lines(self, event: Event) -> dict[str, str]:
        lines = {"loss": f"loss {event.loss:.5f}"}
        if len(event.terms) > 1:
            lines["loss"] += f" ({', '.join(f'{name} {value:.5f}' for name, value in event.terms.items())})"
        lines["rate"] = f"learning rate {event.learning_rate:.2g}"
        if self._validated is not None and self._validated.psnr_db is not None and self._best is not None:
            lines["PSNR"] = f"{self._validated.psnr_db:.3f} dB (best {self._best:.3f}"
            bicubic = self._validated.bicubic_db
            lines["PSNR"] += f", bicubic {bicubic:.3f})" if bicubic is not None else ")"
        lines["speed"] = f"{event.steps_per_second:.1f} steps/s"
        if event.waiting > _WORTH_SAYING:
            lines["speed"] += f", {event.waiting:.0%} of it waiting for data"
        lines["left"] = f"{_duration(event.seconds_left)} left" + self._left_in_all(event)
        return lines

    def _left_in_all(self, event: Event) -> str:
        """Say what later stages add at this one's pace; of a stage that is no part of the recipe, nothing."""
        names = [stage.name for stage in self._recipe.stages]
        if event.stage.name not in names:
            return ""
        later = sum(stage.steps for stage in self._recipe.stages[names.index(event.stage.name) + 1 :])
        if not later or not event.steps_per_second:
            return ""
        return f" of this stage, {_duration(event.seconds_left + later / event.steps_per_second)} of all at this pace"


def _duration(seconds: float) -> str:
    """Say a duration in the unit that fits.

    >>> [_duration(seconds) for seconds in (20, 600, 7200, 864000)]
    ['20 s', '10 min', '2.0 h', '10.0 days']
    """
    for limit, unit, digits in ((90, 1, "s"), (5400, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {digits}"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
