"""Events reach TensorBoard where it is installed, and nothing is missed where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pocketsr.train import Event, Stage
from pocketsr.train.tensorboard import TensorBoard


def event(stage: str, step: int, psnr_db: float | None = None) -> Event:
    return Event(
        stage=Stage(name=stage, steps=100),
        step=step,
        loss=1 / step,
        learning_rate=1e-3,
        seconds_left=1,
        terms={"l1": 0.5},
        psnr_db=psnr_db,
        bicubic_db=None if psnr_db is None else 28.0,
    )


def test_steps_count_on_from_stage_to_stage(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path)
    for stage, step in (("a", 50), ("a", 100), ("b", 50)):
        board.add(event(stage, step, 30.0 if step == 100 else None))
    board.close()
    events = accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [one.step for one in events.Scalars("loss")] == [50, 100, 150]
    assert [(one.step, one.value) for one in events.Scalars("psnr_db")] == [(100, 30.0)]
    assert {"loss/l1", "learning_rate", "steps_per_second", "bicubic_db"} <= set(events.Tags()["scalars"])


def test_without_tensorboard_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = TensorBoard(tmp_path)
    board.add(event("a", 50))
    board.close()
    assert list(tmp_path.iterdir()) == []
