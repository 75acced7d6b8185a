"""Scoring from the command line: the organisers' scores, where one stands, records, pictures, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.evaluate.challenge import TRACKS, standings
from pocketsr.evaluate.record import JudgedFolder, JudgedModel, Latency, Metric, Record, write_record

MINE = ("--track", "mai21", "--psnr", 29.87, "--runtime", 36.89)


def score(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def write(path: Path, *, scale: int = 3, size: tuple[int, int] | None = (360, 640), psnr_db: float = 30.0) -> Path:
    latency = Latency(median_ms=40.0, height=size[0], width=size[1], threads=4) if size else None
    folders = []
    for number, name in enumerate(("Set5", "Set14")):
        figures = {"scsrn": {"psnr_db": psnr_db + number}, "abpn": {"psnr_db": psnr_db + number + 0.5}}
        folders.append(JudgedFolder(folder=name, scale=scale, means=figures, rows={"a.png": figures}))
    model = JudgedModel(name="small", scale=scale, precision="int8")
    metrics = {"psnr_db": Metric(is_higher_better=True, unit="dB")}
    facts = {"command": "pocketsr evaluate", "date": "2026-01-02", "processor": "a laptop"}
    write_record(Record(model=model, **facts, latency=latency, reports=tuple(folders), metrics=metrics), path)
    return path


@pytest.mark.parametrize(
    ("track", "psnr_db", "runtime_ms", "printed"),
    [
        ("mai21", 29.87, 36.89, 92.72),
        ("aim22", 30.03, 19.20, 22.22),
        ("ntire23-x2", 32.83, 9.77, 14.11),
        ("ntire23-x3", 30.15, 4.75, 20.36),
    ],
)
def test_the_winners_scores_are_the_printed_ones(track: str, psnr_db: float, runtime_ms: float, printed: float) -> None:
    done = score("--track", track, "--psnr", psnr_db, "--runtime", runtime_ms)
    assert done.exit_code == 0, done.output
    assert float(done.stdout) == pytest.approx(printed, rel=0.01), "PSNR is printed to 0.01 dB, which is 1.4 %"


@pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.name)
def test_all_official_rows_stand_against_mine(track) -> None:
    done = score("--track", track.name, "--psnr", 31.0, "--runtime", 30, "--name", "mine", "--against")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    ranked = [line.split(". ")[1].split("  ")[0] for line in lines if line[:2].strip().isdigit() and line[2:4] == ". "]
    assert sorted(ranked) == sorted(["mine", *(row.name for row in standings(track))])
    assert sum("< here" in line for line in lines) == 1
    assert f"Terms: {track.terms}." in lines


def test_what_first_place_needs_would_be_first() -> None:
    line = score("--track", "mai21", "--psnr", 29, "--runtime", 40, "--against").stdout.splitlines()[-1]
    assert line.startswith("First place needs")
    needed = float(line.split()[3])
    assert float(score("--track", "mai21", "--psnr", needed, "--runtime", 40).stdout) == pytest.approx(92.7, abs=0.2)


def test_doubtful_rows_are_marked_with_the_reason() -> None:
    lines = score("--track", "ntire23-x2", "--against").stdout.splitlines()
    assert any(line.endswith(" *") for line in lines)
    assert "* the ×2 column of PSNR is a copy of the ×3 one; recovered from score and runtime." in lines


def test_json_has_score_place_rows_and_terms() -> None:
    values = json.loads(score(*MINE, "--json").stdout)
    assert values["score"] == pytest.approx(92.72, abs=0.05)
    assert values["rows"][values["place"] - 1]["name"] == "this one"
    assert len(values["rows"]) == 6
    assert "VS680" in values["track"]["terms"]
    assert len(json.loads(score("--track", "mai21", "--json").stdout)["rows"]) == 5


def test_reach_says_what_the_other_must_be() -> None:
    assert score("--track", "mai21", "--reach", 92.72, "--runtime", 36.89).stdout == "29.870 dB\n"
    assert float(score("--track", "mai21", "--reach", 92.72, "--psnr", 29.87).stdout.split()[0]) == pytest.approx(
        36.89, rel=0.001
    )


def test_a_record_brings_both_and_its_terms_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "run.json")
    chosen = ("--record", file, "--folder", "Set14", "--protocol", "abpn")
    done = score("--track", "mai21", *chosen)
    assert done.exit_code == 0, done.output
    assert done.stdout == score("--track", "mai21", "--psnr", 31.5, "--runtime", 40).stdout
    assert "int8 PSNR on Set14 under abpn and runtime on 4 threads of a laptop" in done.stderr
    assert "VS680" in done.stderr
    assert "small" in score("--track", "mai21", *chosen, "--against").stdout
    assert "a laptop" in json.loads(score("--track", "mai21", *chosen, "--json").stdout)["measured"]


@pytest.mark.parametrize(
    ("made", "options", "words"),
    [
        ({}, ("mai21",), "--folder among Set5, Set14"),
        ({}, ("mai21", "--folder", "Set5"), "--protocol among scsrn, abpn"),
        ({}, ("mai21", "--folder", "DIV2K"), "no 'DIV2K'"),
        ({}, ("ntire23-x2",), "upscales by 3"),
        ({}, ("ntire23-x3",), "inputs of 720×1280; the record's latency is of 360×640"),
        ({"size": None}, ("mai21",), "evaluate --time -o"),
        ({"psnr_db": float("inf")}, ("mai21", "--folder", "Set5", "-p", "abpn"), "no finite PSNR"),
        ({}, ("mai21", "--psnr", 30), "leave out --psnr"),
    ],
)
def test_a_record_that_does_not_do_is_refused(tmp_path: Path, made, options, words: str) -> None:
    done = score("--track", *options, "--record", write(tmp_path / "run.json", **made))
    assert done.exit_code in (1, 2)
    assert words in done.stderr
    assert done.stderr.startswith("error: ")


def test_a_picture_is_drawn_and_not_replaced_unasked(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "plane.png"
    done = score(*MINE, "--plot", file, "--name", "cost $5 or $6")
    assert (done.exit_code, done.stdout) == (0, "92.72\n"), done.output
    assert file.read_bytes().startswith(b"\x89PNG")
    assert score(*MINE, "--plot", file).exit_code == 1
    assert score(*MINE, "--plot", file, "--overwrite").exit_code == 0
    for track in TRACKS:
        done = score("--track", track.name, "--plot", tmp_path / f"{track.name}.png")
        assert done.exit_code == 0, done.output


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = score(*MINE, "--plot", tmp_path / "plane.png")
    assert done.exit_code == 1
    assert "pocketsr[train]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--track", "mai2021", "--psnr", 30, "--runtime", 30), "unknown track 'mai2021'"),
        (("--track", "mai21", "--psnr", 30), "takes both --psnr and --runtime"),
        (("--track", "mai21"), "takes both --psnr and --runtime"),
        (("--track", "mai21", "--psnr", "inf", "--runtime", 30), "ground truth was judged"),
        (("--track", "mai21", "--psnr", 30, "--runtime", 0), "above 0"),
        (("--track", "mai21", "--reach", 90), "--reach takes one of"),
        (("--track", "mai21", "--reach", 90, "--psnr", 30, "--json"), "--reach prints one number"),
        ((*MINE, "--plot", "plane.jpg"), "ends in .png"),
        ((*MINE, "--folder", "Set5"), "of a --record"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: tuple[object, ...], words: str) -> None:
    done = score(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
