from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bench.records import MEASURED, RECORD
from pocketsr.bench.record import Correctness, Record, read_record, schema, write_record
from pocketsr.errors import DataError, ImageFileError

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "bench.schema.json"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "r.json")
    assert read_record(tmp_path / "r.json") == RECORD
    write_record(dataclasses.replace(RECORD, roofline=None, profiles=(), nodes=(), idle=None), tmp_path / "r.json")
    assert read_record(tmp_path / "r.json").roofline is None


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == schema()


def test_frames_and_pixels_follow_from_the_median() -> None:
    (figures,) = MEASURED.sizes
    assert figures.output_megapixels_per_s == pytest.approx(103.68)
    assert figures.frames_per_second["1080p"] == pytest.approx(50.0)


def _spoilt(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(RECORD.to_dict())), **changes}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "pocketsr bench -o"),
        (_spoilt(kind="other"), "pocketsr bench -o"),
        (_spoilt(version=2), "version must be 1, not 2"),
        (_spoilt(version=True), "version must be 1, not True"),
        (_spoilt(machine={}), "machine lacks the field 'processor'"),
        (_spoilt(speed=1), "unknown field 'speed'"),
        (_spoilt(results=[{**_spoilt()["results"][0], "sizes": []}]), "no size"),
        (_spoilt(results=[], nodes=[], predictions=[]), "needs a measurement"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_that_makes_no_sense_is_refused(values: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Record.from_dict(values)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("no")
    for name in ("text.json", "none.json"):
        with pytest.raises(DataError, match=name):
            read_record(tmp_path / name)
    with pytest.raises(ImageFileError, match=r"r\.json"):
        write_record(RECORD, tmp_path / "none" / "r.json")


def test_identical_bytes_do_not_differ() -> None:
    with pytest.raises(DataError, match="differ by 0 levels"):
        Correctness(height=1, width=1, is_identical=True, largest_levels=1, different=0.1)
