"""What a run leaves for people to look at: its curve, and events for TensorBoard. Never a reason to stop training.

What cannot be written or drawn is said once, and training goes on: hours of it are worth more than a curve. A disk that
is full still ends the run where it matters, when a state cannot be saved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pocketsr.errors import PocketsrError
from pocketsr.train.checkpoint import Checkpoint
from pocketsr.train.curve import CSV_FILE, Curve
from pocketsr.train.event import Event
from pocketsr.train.recipe import Recipe
from pocketsr.train.tensorboard import TensorBoard


class Records:
    """Keeps a run's curve and its events.

    Args:
        folder: The run's folder; it must exist.
        recipe: What runs.
        state: Where the run goes on; None is a new run.
        on_note: Called with a sentence that people should read.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, state: Checkpoint | None, on_note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._on_note = on_note
        self._said: set[str] = set()
        self._curve: Curve | None = None
        self._board: TensorBoard | None = None
        done = _done(recipe, state)
        self._attempt("curve", partial(self._open_curve, folder, done))
        self._attempt("TensorBoard", partial(self._open_board, folder, done))

    def add(self, event: Event) -> None:
        """Write one event; draw the curve anew after a validation."""
        if self._curve is not None:
            self._attempt("curve", partial(self._curve.add, event))
        if self._board is not None:
            self._attempt("TensorBoard", partial(self._board.add, event))
        if event.psnr_db is not None:
            self.draw()

    def draw(self) -> None:
        """Draw the curve as it stands."""
        if self._curve is not None:
            self._attempt("picture of the curve", self._curve.draw)

    def close(self) -> None:
        """Draw the curve for the last time and write what is still in memory."""
        self.draw()
        if self._board is not None:
            self._attempt("TensorBoard", self._board.close)

    def _open_curve(self, folder: Path, done: dict[str, int]) -> None:
        stage = next(reversed(done), None)
        self._curve = Curve(folder, stage=stage, step=done.get(stage or "", 0))
        if self._curve.unread_rows:
            self._on_note(f"{self._curve.unread_rows} rows of {folder / CSV_FILE} cannot be read and are left out")

    def _open_board(self, folder: Path, done: dict[str, int]) -> None:
        self._board = TensorBoard(folder, done=done)

    def _attempt(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except (OSError, PocketsrError, RuntimeError, ValueError) as error:
            if what not in self._said:
                self._said.add(what)
                self._on_note(f"no {what} for now, training goes on: {' '.join(str(error).split())}")


def _done(recipe: Recipe, state: Checkpoint | None) -> dict[str, int]:
    """Return the steps done of every stage that has begun, in order."""
    if state is None:
        return {}
    before = {stage.name: stage.steps for stage in recipe.stages[: state.stage]}
    return {**before, recipe.stages[state.stage].name: state.step}
