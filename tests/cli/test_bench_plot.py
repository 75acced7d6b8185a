"""Pictures of records: what they need, what they refuse, and that they are the same each time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from bench.records import MEASURED, RECORD, TIMING
from pocketsr.bench.measure import size_figures
from pocketsr.cli import main
from pocketsr.cli.bench_plot import draw_plane, draw_sweep
from pocketsr.errors import DataError, SettingError

SWEPT = dataclasses.replace(
    RECORD,
    results=(
        dataclasses.replace(MEASURED, sizes=tuple(size_figures((side, side), 3, None, TIMING) for side in (144, 360))),
        MEASURED,
    ),
)


def test_a_sweep_names_what_has_several_sizes_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "c.png"):
        draw_sweep(SWEPT, tmp_path / name)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ">m[x], litert, 2 threads<" in text
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "c.png") as image:
        assert image.width > image.height > 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg", "c.png"]


def test_a_plane_has_a_point_for_each_model(tmp_path: Path) -> None:
    draw_plane({"abpn": (10.0, 30.0), "scsrn": (20.0, 31.0)}, tmp_path / "p.svg", quality="Set5, dB")
    text = (tmp_path / "p.svg").read_text(encoding="utf-8")
    assert all(f">{word}<" in text for word in ("abpn", "scsrn", "Set5, dB", "10", "20"))


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give --size more than once"):
        draw_sweep(RECORD, tmp_path / "a.png")
    with pytest.raises(DataError, match="none came"):
        draw_plane({}, tmp_path / "a.png", quality="dB")
    with pytest.raises(SettingError, match=r"a plot is a \.png or \.svg"):
        draw_sweep(SWEPT, tmp_path / "a.pdf")
    done = CliRunner().invoke(main, ["bench", "--plot", str(tmp_path / "a.png")])
    assert (done.exit_code, "give --size more than once" in done.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
