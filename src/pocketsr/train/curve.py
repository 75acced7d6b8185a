"""The curve of a run: a CSV that grows as training goes, and a picture drawn from it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from pocketsr.errors import MissingExtraError
from pocketsr.train.event import Event

CSV_FILE, PICTURE_FILE = "curve.csv", "curve.png"
_COLUMNS = ("stage", "step", "loss", "learning_rate", "psnr_db")


class Curve:
    """Keeps ``curve.csv`` in a run's folder.

    Args:
        folder: The run's folder; it must exist.
        stage: Stage that a resumed run goes on with, and
        step: steps already done in it: rows beyond were seen by a run that was killed before it saved its state, and
            are dropped. Leave both out for a new run.
    """

    def __init__(self, folder: Path, *, stage: str | None = None, step: int = 0) -> None:
        self._folder = folder
        kept = list(self._rows_up_to(stage, step)) if stage is not None else []
        with self._path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_COLUMNS, *kept])

    def add(self, event: Event) -> None:
        """Append one row; the PSNR column stays empty where the event is no validation."""
        psnr = "" if event.psnr_db is None else f"{event.psnr_db:.4f}"
        row = (event.stage.name, event.step, f"{event.loss:.6g}", f"{event.learning_rate:.4g}", psnr)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)

    def draw(self) -> Path:
        """Draw loss and validation PSNR over all steps as ``curve.png``.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingExtraError.for_extra("matplotlib", "train") from error
        steps, losses, psnr_steps, psnrs = self._points()
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        axes.semilogy(steps, losses, color="tab:grey", linewidth=0.8, label="loss")
        axes.set_xlabel("step")
        axes.set_ylabel("training loss (0..1)")
        if psnrs:
            right = axes.twinx()
            right.plot(psnr_steps, psnrs, color="tab:blue", marker=".", label="validation")
            right.set_ylabel("validation PSNR (dB, RGB)")
        target = self._folder / PICTURE_FILE
        temporary = target.with_name(f".{os.getpid()}.{target.name}")
        try:
            figure.savefig(temporary, dpi=120)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    @property
    def _path(self) -> Path:
        return self._folder / CSV_FILE

    def _rows(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))[1:]

    def _rows_up_to(self, stage: str, step: int) -> Iterator[list[str]]:
        reached = False
        for row in self._rows():
            if row[0] == stage:
                reached = True
                if int(row[1]) > step:
                    return
            elif reached:
                return
            yield row

    def _points(self) -> tuple[list[int], list[float], list[int], list[float]]:
        """Return steps and losses, and steps and PSNRs, with steps counted on from stage to stage."""
        steps: list[int] = []
        losses: list[float] = []
        psnr_steps: list[int] = []
        psnrs: list[float] = []
        before, last_stage, last_step = 0, "", 0
        for stage, step, loss, _, psnr in self._rows():
            if stage != last_stage:
                before, last_stage = before + last_step, stage
            last_step = int(step)
            steps.append(before + last_step)
            losses.append(float(loss))
            if psnr:
                psnr_steps.append(before + last_step)
                psnrs.append(float(psnr))
        return steps, losses, psnr_steps, psnrs
