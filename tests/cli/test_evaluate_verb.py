"""Evaluating from the command line: records with everything a report needs, outputs kept, inputs kept, notes told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pocketsr.cli import main
from pocketsr.evaluate import bicubic, evaluate, find_protocol
from pocketsr.evaluate.record import read_record


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_a_record_holds_what_was_judged_how_and_where(image_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    done = run("abpn-x3", image_folder, "-p", "scsrn", "-p", "classic", "-t", 1, "-o", file, "--time")
    assert done.exit_code == 0, done.output
    record = read_record(file)
    assert (record.model.name, record.model.network, record.model.scale) == ("abpn-x3", "abpn", 3)
    assert (record.model.precision, record.model.parameters) == ("int8", 42_539)
    assert record.model.gmacs_720p == pytest.approx(4.34, abs=0.05)
    assert len(record.model.sha256 or "") == 64
    assert record.latency is not None
    assert (record.latency.height, record.latency.threads) == (360, 1)
    (folder,) = record.reports
    assert len(folder.rows) == 6
    assert set(folder.means) == {"scsrn", "classic"}
    assert set(record.metrics) == {"psnr_db", "ssim"}
    assert record.command.startswith("pocketsr ")
    assert record.processor
    assert record.outputs is None


def test_outputs_lie_beside_their_ground_truth(image_folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = run("bicubic", image_folder, "-s", 2, "-p", "scsrn", "-o", tmp_path / "run.json", "--save", kept)
    assert done.exit_code == 0, done.output
    assert read_record(tmp_path / "run.json").outputs == "kept"
    made = np.asarray(Image.open(kept / image_folder.name / "0.png"))
    truth = np.asarray(Image.open(kept / image_folder.name / "0.truth.png"))
    low, expected = find_protocol("scsrn").degrade(truth, 2)
    assert np.array_equal(made, bicubic(2)(low))
    assert np.array_equal(truth, expected)


def test_figures_of_the_table_of_json_and_of_the_record_are_the_same(image_folder: Path, tmp_path: Path) -> None:
    options = ("bicubic", image_folder, "-s", 3, "-p", "abpn", "-o", tmp_path / "run.json")
    (report,) = json.loads(run(*options, "--json").stdout)["reports"]
    expected = evaluate(bicubic(3), image_folder, scale=3, protocols=[find_protocol("abpn")]).mean("abpn")
    assert report["means"]["abpn"]["psnr_db"] == expected.psnr_db
    assert read_record(tmp_path / "run.json").reports[0].means["abpn"]["psnr_db"] == expected.psnr_db
    assert f"{expected.psnr_db:.3f}" in run(*options).stdout


def test_a_folder_that_is_not_what_it_is_called_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "Set5"
    folder.mkdir()
    Image.new("RGB", (40, 40), (9, 200, 9)).save(folder / "a.png")
    done = run("bicubic", folder, "-s", 2, "--no-ssim")
    assert done.exit_code == 0
    assert "note: Set5 has 1 images here; 5 are in the published set" in done.stderr


def test_inputs_can_be_kept(image_folder: Path, tmp_path: Path) -> None:
    first = run("bicubic", image_folder, "-s", 2, "--cache", tmp_path / "cache")
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 6
    assert run("bicubic", image_folder, "-s", 2, "--cache", tmp_path / "cache").stdout == first.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--save", "kept"), "say where to write it with -o"),
        (("-o", "none/run.json"), "there is no folder none"),
        (("-m", "lpipps"), "did you mean"),
    ],
)
def test_what_cannot_be_asked_is_said_before_images_are_read(options: tuple[str, ...], words: str) -> None:
    done = run("bicubic", "missing", "-s", 2, *options)
    assert done.exit_code == 2
    assert words in done.output
