"""The page on speed and its records: every record can be read, and the page says what they say."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.records import MEASURED, RECORD
from pocketsr.bench import read_record

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").rglob("*.json"))
RECORDS = [path for path in RESULTS if json.loads(path.read_text(encoding="utf-8")).get("kind") == "pocketsr benchmark"]


@pytest.fixture
def speed_page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("speed_page")
    for name in ("speed_page", "record"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_every_committed_record_is_one_and_names_no_place_of_its_machine(path: Path) -> None:
    record = read_record(path)
    assert record.commit
    assert record.commit.isalnum(), "a + says that files differed from the commit"
    assert "/tmp" not in path.read_text(encoding="utf-8")
    assert record.idle is None or record.idle.is_idle or (record.idle.busy or 0) <= 0.1, "measured on a busy machine"


def test_there_are_records_for_every_part_of_the_page() -> None:
    assert {path.name.partition("--")[0] for path in RECORDS} >= {"bench", "nodes", "predict", "profile", "sweep"}


def test_bars_are_worked_out_of_the_record(speed_page: ModuleType) -> None:
    figures = speed_page._figures(RECORD, "m[x]", "m[x]", "none.onnx")
    share, by_float, by_onnx, *_, bare = figures
    assert share == (0.5, pytest.approx(98 / MEASURED.sizes[0].timing.min_ms))
    assert (by_float, by_onnx, bare) == ((1.0, 1.0), None, None)


def test_a_missed_bar_is_said(speed_page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_page, "JUDGED", {"m[x]": ("m[x]", "none.onnx")})
    lines = "\n".join(speed_page._bars(RECORD))
    assert "50.0 % (515.8 %) **missed**" in lines
    assert "1.00× (1.00×) **missed**" in lines


def test_peers_stand_beside_the_first_model(speed_page: ModuleType) -> None:
    import dataclasses

    other = dataclasses.replace(MEASURED, backend="opencv 5.0")
    rows = speed_page.peers_table(dataclasses.replace(RECORD, results=(MEASURED, other)))
    assert rows[-1] == "| m[x], OpenCV 5.0 | 20.0 | 1.00 |"
    assert speed_page.peers_table(RECORD) == []
