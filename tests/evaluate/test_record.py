"""Records: what is written is read back, and what is no record is refused with words that help."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketsr.errors import DataError
from pocketsr.evaluate.record import (
    VERSION,
    JudgedFolder,
    JudgedModel,
    Latency,
    Metric,
    Record,
    read_record,
    write_record,
)


def record(**changes: Any) -> Record:
    figures = {"psnr_db": 31.5, "ssim": 0.91}
    equal = {"psnr_db": math.inf, "ssim": math.nan}
    values: dict[str, Any] = {
        "model": JudgedModel(name="small-x3", network="abpn", scale=3, precision="int8", parameters=1000, sha256="ab"),
        "command": "pocketsr evaluate small-x3 Set5 -o run.json",
        "date": "2026-01-02T03:04:05+00:00",
        "processor": "a test",
        "commit": "0123456",
        "versions": {"numpy": "2.0"},
        "latency": Latency(median_ms=12.5, height=360, width=640, threads=2),
        "reports": (
            JudgedFolder(
                folder="Set5",
                sha256="cd",
                scale=3,
                means={"abpn": figures},
                rows={"a.png": {"abpn": figures}, "b.png": {"abpn": equal}},
            ),
        ),
        "metrics": {"psnr_db": Metric(is_higher_better=True, unit="dB"), "ssim": Metric(is_higher_better=True)},
        "unavailable": {"lpips": "its weights are not here"},
        "outputs": "outputs",
    }
    return Record(**(values | changes))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    written = record()
    write_record(written, tmp_path / "run.json")
    read = read_record(tmp_path / "run.json")
    (before,), (after,) = written.reports, read.reports
    assert after.rows["b.png"] == {"abpn": {"psnr_db": None, "ssim": None}}
    assert after.rows["a.png"] == before.rows["a.png"]
    assert (read.model, read.latency, read.metrics) == (written.model, written.latency, written.metrics)
    assert read.to_dict() == written.to_dict()


def test_the_file_has_the_documented_fields_and_no_infinity(tmp_path: Path) -> None:
    write_record(record(latency=None, outputs=None), tmp_path / "run.json")
    values = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert (values["kind"], values["version"]) == ("pocketsr evaluation", VERSION)
    fields = [
        "model",
        "command",
        "date",
        "processor",
        "commit",
        "versions",
        "latency",
        "reports",
        "metrics",
        "unavailable",
        "outputs",
    ]
    assert list(values) == ["kind", "version", *fields]
    assert values["reports"][0]["images"] == 2
    assert (values["latency"], values["outputs"]) == (None, None)


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda values: values.update(kind="a photo"), "of kind 'pocketsr evaluation'; 'a photo' came"),
    (lambda values: values.update(version=VERSION + 1), "newer than 1; update pocketsr"),
    (lambda values: values.update(version="1"), "must be 1, not '1'"),
    (lambda values: values.update(extra=1), "unknown field 'extra'"),
    (lambda values: values.pop("commit"), "lacks the field 'commit'"),
    (lambda values: values["model"].update(scale=2.0), "model: scale must be a whole number, not float"),
    (lambda values: values["model"].update(scale=True), "must be a whole number"),
    (lambda values: values["model"].update(scale=0), "must be 1 or more"),
    (lambda values: values["model"].update(scale=2), "a record has one scale"),
    (lambda values: values["model"].update(name=""), "needs a name"),
    (lambda values: values["model"].update(parameters=-1), "parameters of model 'small-x3' must be 0 or more"),
    (lambda values: values["latency"].update(median_ms=0), "a median of more than 0 ms"),
    (lambda values: values["reports"][0].update(images=3), "says 3 images and has 2 rows"),
    (lambda values: values["reports"][0].update(rows={}, images=0), "at least one image"),
    (lambda values: values["reports"][0]["rows"]["a.png"].update(more={}), "must be those of the folder's means"),
    (lambda values: values["reports"][0].update(folder="../up"), "named without a path"),
    (lambda values: values["reports"].append(values["reports"][0]), "comes twice"),
    (lambda values: values.update(reports=[]), "at least one is needed"),
    (lambda values: values["metrics"].pop("ssim"), "'ssim' is not among them"),
    (lambda values: values.update(metrics={"ssim": 1}), "must be a table of fields"),
    (lambda values: values.update(outputs="/elsewhere"), "relative to the record's file"),
    (lambda values: values["reports"][0]["means"]["abpn"].update(ssim="good"), "abpn: ssim must be a number"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES, ids=[words for _, words in CHANGES])
def test_what_makes_no_sense_is_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    values = copy.deepcopy(record().to_dict())
    change(values)
    (tmp_path / "run.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_record(tmp_path / "run.json")
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "run.json"))


@pytest.mark.parametrize("text", ["", "[1", "\xff", '{"kind": NaN}', "[]", "3", "[" * 100_000], ids=repr)
def test_what_is_no_record_at_all_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"run\.json"):
        read_record(tmp_path / "run.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.json: No such file"):
        read_record(tmp_path / "none.json")
