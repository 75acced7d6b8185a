"""The curve of a run grows, survives a resume, and can be drawn."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pocketsr.train import Curve, Event, Stage


def event(stage: str, step: int, psnr_db: float | None = None) -> Event:
    return Event(
        stage=Stage(name=stage, steps=100),
        step=step,
        loss=1 / step,
        learning_rate=1e-3,
        seconds_left=1,
        terms={"l1": 0.5, "tv": 0.25},
        steps_per_second=20,
        waiting=0.01,
        psnr_db=psnr_db,
        bicubic_db=None if psnr_db is None else 28.25,
    )


def test_rows_beyond_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    for stage, step in (("a", 50), ("a", 100), ("b", 50), ("b", 100)):
        curve.add(event(stage, step))
    Curve(tmp_path, stage="b", step=50).add(event("b", 75, 30.5))
    rows = (tmp_path / "curve.csv").read_text().splitlines()
    assert rows[0] == "stage,step,loss,learning_rate,psnr_db,bicubic_db,steps_per_second,waiting,terms"
    assert [row.split(",")[:2] for row in rows[1:]] == [["a", "50"], ["a", "100"], ["b", "50"], ["b", "75"]]
    assert rows[-1].endswith(",30.5000,28.2500,20.00,0.010,l1=0.5 tv=0.25")
    assert rows[1].endswith(",,,20.00,0.010,l1=0.5 tv=0.25")


def test_a_new_run_starts_an_empty_curve(tmp_path: Path) -> None:
    Curve(tmp_path).add(event("a", 1))
    Curve(tmp_path)
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 1


def test_the_picture_is_a_picture(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    for step in (10, 20, 30):
        curve.add(event("a", step, 28 + step / 10))
    curve.add(event("b", 10, 32.0))
    with Image.open(curve.draw()) as picture:
        assert picture.width > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.csv", "curve.png"]


def test_a_torn_row_and_one_of_an_older_form_are_passed_over(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    curve.add(event("a", 50, 30.0))
    with (tmp_path / "curve.csv").open("a", encoding="utf-8") as file:
        file.write("a,75,0.01,0.001\na,8x,0.01,0.001,,,20.0,0.01,l1=0.5\na,9")
    again = Curve(tmp_path, stage="a", step=60)
    again.add(event("a", 100))
    rows = (tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["50", "100"]
    assert again.draw().exists()
