"""A paper's rows beside ours: what is printed, what is judged how, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.evaluate import bicubic, evaluate, find_protocol
from pocketsr.evaluate.official import official_tables


def reproduce(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


@pytest.fixture
def root(image_folder: Path, tmp_path: Path) -> Path:
    for name in ("Set5", "B100"):
        shutil.copytree(image_folder, tmp_path / name)
    return tmp_path


def test_every_table_is_listed_and_printed_without_data() -> None:
    names = [line.split()[0] for line in reproduce("--list").stdout.splitlines()]
    assert names == [table.name for table in official_tables()]
    for name in names:
        assert reproduce(name).exit_code == 0


def test_ours_stand_under_the_row_with_difference_and_doubts(root: Path) -> None:
    done = reproduce("scsrn-table2", "--data", root, "--limit", 1)
    assert done.exit_code == 0, done.output
    assert "bicubic-opencv, misaligned-bicubic" in done.stdout
    assert "abpn-x3, scsrn" in done.stdout
    assert "×3 BSD100 (1 images)" in done.stdout
    assert "*1 misaligned" in done.stdout
    assert "Ours: abpn-x3: abpn, int8, trained on 582" in done.stdout
    assert "only the first 1 of 6 images of Set5" in done.stdout
    assert "25.58" in done.stdout


def test_figures_are_those_of_evaluate(root: Path) -> None:
    values = json.loads(reproduce("lrsrn-table2", "--data", root, "--json").stdout)
    found = {
        (one["scale"], one["measure"]["quantity"]): one["value"]
        for one in values["ours"]
        if one["data"] == "Set5" and one["row"].lower() == "bicubic"
    }
    chosen = [find_protocol(name) for name in ("lrsrn", "lrsrn-y")]
    report = evaluate(bicubic(2, like="opencv"), root / "Set5", scale=2, protocols=chosen)
    assert found[2, "psnr_db"] == pytest.approx(report.mean("lrsrn").psnr_db)
    assert found[2, "psnr_y_db"] == pytest.approx(report.mean("lrsrn-y").psnr_db)
    assert found[2, "ssim"] == pytest.approx(report.mean("lrsrn").ssim)


def test_a_file_answers_its_row_in_its_precision(root: Path, teacher_file: Path) -> None:
    done = reproduce("scsrn-table2", "--data", root, "--limit", 1, "--model", f"ABPN={teacher_file}", "--json")
    assert done.exit_code == 0, done.output
    mine = [one for one in json.loads(done.stdout)["ours"] if one["name"] == teacher_file.name]
    assert {(one["row"], one["scale"], one["measure"]["precision"]) for one in mine} == {("ABPN", 3, "float32")}
    assert {one["protocol"] for one in mine} == {"scsrn"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--list"),
        (("scsrn-table22",), "did you mean"),
        (("scsrn-table2", "--limit", 1), "--data"),
        (("scsrn-table2", "--data", "{root}", "--model", "ABPN"), "NAME=FILE"),
        (("scsrn-table2", "--data", "{root}", "--model", "ABPM=a.tflite"), "unknown row"),
        (("scsrn-table2", "--data", "{root}/Set5"), "none of Set5"),
        (("scsrn-table2", "--data", "{root}/nowhere"), "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_said(root: Path, arguments: tuple[object, ...], words: str) -> None:
    done = reproduce(*(str(one).format(root=root) for one in arguments))
    assert done.exit_code in (1, 2)
    assert words in done.stderr


@pytest.mark.data
def test_scsrn_s_rows_of_bicubic_come_out(data_folder: Path) -> None:
    values = json.loads(reproduce("scsrn-table2", "--data", data_folder / "benchmarks", "--limit", 14, "--json").stdout)
    found = {
        one["data"]: one["difference"]
        for one in values["ours"]
        if (one["scale"], one["protocol"], one["measure"]["quantity"]) == (3, "misaligned-bicubic", "psnr_db")
    }
    assert found["Set5"] == pytest.approx(0, abs=0.02)
    assert found["Set14"] == pytest.approx(0, abs=0.02)
