"""The curve of a run: a CSV that grows as training goes, and a picture drawn from it."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from pocketsr.errors import MissingExtraError
from pocketsr.image.writing import replacing
from pocketsr.train.event import Event

CSV_FILE, PICTURE_FILE = "curve.csv", "curve.png"
_COLUMNS = ("stage", "step", "loss", "learning_rate", "psnr_db", "bicubic_db", "steps_per_second", "waiting", "terms")


class Curve:
    """Keeps ``curve.csv`` in a run's folder.

    Args:
        folder: The run's folder; it must exist.
        stage: Stage that a resumed run goes on with, and
        step: steps already done in it: rows beyond were seen by a run that was killed before it saved its state, and
            are dropped. Leave both out for a new run.

    Attributes:
        unread_rows: Rows that a resumed run found torn, or in an older form, and left out.

    Raises:
        ImageFileError: The file cannot be written; what it held before is still there.
    """

    def __init__(self, folder: Path, *, stage: str | None = None, step: int = 0) -> None:
        self._folder = folder
        self.unread_rows = 0
        kept: list[list[str]] = []
        if stage is not None:
            rows = self._rows()
            self.unread_rows = sum(not _is_whole(row) for row in rows)
            kept = list(_up_to(rows, stage, step))
        with replacing(self._path, overwrite=True) as temporary:
            temporary.write_bytes(_as_csv([_COLUMNS, *kept]))

    def add(self, event: Event) -> None:
        """Append one row; the PSNR columns stay empty where the event is no validation.

        Raises:
            OSError: The disk is full, or the folder cannot be written any more.
        """
        decibels = ("" if value is None else f"{value:.4f}" for value in (event.psnr_db, event.bicubic_db))
        terms = " ".join(f"{name}={value:.6g}" for name, value in event.terms.items())
        row = (event.stage.name, event.step, f"{event.loss:.6g}", f"{event.learning_rate:.4g}", *decibels)
        row = (*row, f"{event.steps_per_second:.2f}", f"{event.waiting:.3f}", terms)
        with self._path.open("ab") as file:
            file.write(_as_csv([row]))

    def draw(self) -> Path:
        """Draw loss, and validation PSNR beside that of bicubic, over all steps as ``curve.png``.

        Raises:
            MissingExtraError: matplotlib is not installed.
            ImageFileError: The picture cannot be written; the one before is still there.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingExtraError.for_extra("matplotlib", "train") from error
        points = self._points()
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        axes.semilogy(points.steps, points.losses, color="tab:grey", linewidth=0.8, label="loss")
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")
        if points.psnrs:
            right = axes.twinx()
            right.plot(points.psnr_steps, points.psnrs, color="tab:blue", marker=".", label="validation")
            right.axhline(points.bicubic, color="tab:blue", linestyle="--", linewidth=0.8, label="bicubic")
            right.set_ylabel("validation PSNR (dB, RGB)")
            right.legend(loc="lower right")
        target = self._folder / PICTURE_FILE
        with replacing(target, overwrite=True) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        return target

    @property
    def _path(self) -> Path:
        return self._folder / CSV_FILE

    def _rows(self) -> list[list[str]]:
        """Return all rows below the heading, those that cannot be read among them."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [_cells(line) for line in lines[1:] if line]

    def _points(self) -> _Points:
        """Return what is drawn, with steps counted on from stage to stage."""
        points = _Points()
        before, last_stage, last_step = 0, "", 0
        for stage, step, loss, _, psnr, bicubic, *_ in filter(_is_whole, self._rows()):
            if stage != last_stage:
                before, last_stage = before + last_step, stage
            last_step = int(step)
            points.steps.append(before + last_step)
            points.losses.append(float(loss))
            if psnr:
                points.psnr_steps.append(before + last_step)
                points.psnrs.append(float(psnr))
                points.bicubic = float(bicubic) if bicubic else math.nan
        return points


def _as_csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(line: str) -> list[str]:
    """Return the cells of a line, read by itself: what a torn one opens ends with it."""
    try:
        return next(csv.reader([line]))
    except csv.Error:  # longer than any row
        return []


def _up_to(rows: Iterable[list[str]], stage: str, step: int) -> Iterator[list[str]]:
    """Yield what was reported up to a step of a stage."""
    reached = False
    for row in filter(_is_whole, rows):
        if row[0] == stage:
            reached = True
            if int(row[1]) > step:
                return
        elif reached:
            return
        yield row


def _is_whole(row: list[str]) -> bool:
    """Whether a row can be read: one that a killed run tore, or that an older form left, is passed over."""
    if len(row) != len(_COLUMNS):
        return False
    try:
        int(row[1])
        [float(cell) for cell in (row[2], row[4] or 0, row[5] or 0)]
    except ValueError:
        return False
    return True


@dataclasses.dataclass
class _Points:
    steps: list[int] = dataclasses.field(default_factory=list)
    losses: list[float] = dataclasses.field(default_factory=list)
    psnr_steps: list[int] = dataclasses.field(default_factory=list)
    psnrs: list[float] = dataclasses.field(default_factory=list)
    bicubic: float = math.nan
