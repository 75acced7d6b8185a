"""What a run leaves to look at never stops it, and goes on where the run goes on."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from runs import recipe

from pocketsr.train import Checkpoint, Event, Records
from pocketsr.train.curve import Curve

CHOSEN = recipe({"name": "a", "steps": 100}, {"name": "b", "steps": 100})


def event(stage: int, step: int, psnr_db: float | None = None) -> Event:
    return Event(
        stage=CHOSEN.stages[stage],
        step=step,
        loss=1 / step,
        learning_rate=1e-3,
        seconds_left=1,
        psnr_db=psnr_db,
        bicubic_db=None if psnr_db is None else 28.0,
    )


def state(stage: int, step: int) -> Checkpoint:
    return Checkpoint(recipe=CHOSEN, stage=stage, step=step, network={}, average={}, learner={}, history=())


def test_a_run_leaves_a_curve_and_a_picture_of_it(tmp_path: Path) -> None:
    notes: list[str] = []
    records = Records(tmp_path, CHOSEN, None, notes.append)
    records.add(event(0, 50))
    assert not (tmp_path / "curve.png").exists()
    records.add(event(0, 100, 30.0))
    assert (tmp_path / "curve.png").exists()
    records.close()
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 3
    assert notes == []


def test_a_run_that_goes_on_drops_what_was_seen_beyond_its_state(tmp_path: Path) -> None:
    first = Records(tmp_path, CHOSEN, None)
    for stage, step in ((0, 100), (1, 50), (1, 75)):
        first.add(event(stage, step))
    first.close()
    again = Records(tmp_path, CHOSEN, state(1, 60))
    again.add(event(1, 100))
    again.close()
    rows = (tmp_path / "curve.csv").read_text().splitlines()[1:]
    assert [row.split(",")[:2] for row in rows] == [["a", "100"], ["b", "50"], ["b", "100"]]


def test_tensorboard_counts_on_where_a_run_goes_on(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = Records(tmp_path, CHOSEN, None)
    for stage, step in ((0, 100), (1, 50), (1, 75)):
        first.add(event(stage, step))
    first.close()
    again = Records(tmp_path, CHOSEN, state(1, 60))
    again.add(event(1, 100))
    again.close()
    events = accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [one.step for one in events.Scalars("loss")] == [100, 150, 200]


def test_rows_that_cannot_be_read_are_counted_in_a_note(tmp_path: Path) -> None:
    Records(tmp_path, CHOSEN, None).add(event(0, 50))
    with (tmp_path / "curve.csv").open("a", encoding="utf-8") as file:
        file.write('a,7\n"a,80,0.1')
    notes: list[str] = []
    Records(tmp_path, CHOSEN, state(0, 90), notes.append).close()
    assert notes == [f"2 rows of {tmp_path / 'curve.csv'} cannot be read and are left out"]


def test_a_full_disk_is_said_once_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    notes: list[str] = []
    records = Records(tmp_path, CHOSEN, None, notes.append)
    with monkeypatch.context() as patched:
        patched.setattr(Curve, "add", is_full)
        for step in (25, 50, 75):
            records.add(event(0, step))
    records.add(event(0, 100))  # there is space again
    records.close()
    assert [note.split(":")[0] for note in notes] == ["no curve for now, training goes on"]
    assert "No space left" in notes[0]
    assert [row.split(",")[1] for row in (tmp_path / "curve.csv").read_text().splitlines()[1:]] == ["100"]


def test_a_curve_that_cannot_be_begun_is_said(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").mkdir()
    notes: list[str] = []
    records = Records(tmp_path, CHOSEN, None, notes.append)
    records.add(event(0, 50, 30.0))
    records.close()
    assert len(notes) == 1
    assert "it is a folder" in notes[0]


def test_without_matplotlib_there_are_rows_and_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    notes: list[str] = []
    records = Records(tmp_path, CHOSEN, None, notes.append)
    for step in (50, 100):
        records.add(event(0, step, 30.0))
    records.close()
    assert [note.split(":")[0] for note in notes] == ["no picture of the curve for now, training goes on"]
    assert "pocketsr[train]" in notes[0]
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 3
