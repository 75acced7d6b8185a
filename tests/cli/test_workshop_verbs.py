"""Train, export and evaluate from the command line, end to end on a handful of steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.graph import Add, Requantise
from pocketsr.graph.tflite import read_model
from pocketsr.networks import build
from pocketsr.networks.saved import save_network

RECIPE = """
name = "small"
network = { name = "abpn", options = { scale = 3, width = 8, depth = 1, expansion = 4 } }
[[stages]]
name = "float"
steps = STEPS
batch = 2
patch = 12
validate_every = 4
checkpoint_every = 5
[[stages]]
name = "integer"
arithmetic = "integer"
precision = "fp32"
steps = 4
batch = 2
patch = 12
"""


def pocketsr(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, image_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(RECIPE.replace("STEPS", "8"))
    done = pocketsr(
        "train", folder / "small.toml", "--data", image_folder, "--valid", image_folder, "-o", folder / "run", "-t", 1
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(folder / "run" / "integer.pt")
    return folder / "run"


def test_a_run_leaves_its_results_and_its_curve(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    states = {"state.pt", "float.pt", "float-best.pt", "integer.pt", "integer-best.pt"}
    assert names - {"events"} == states | {"curve.csv", "curve.png"}


@pytest.mark.parametrize(("right", "wrong"), [('"abpn"', '"abpm"'), ("width", "wdith"), ("batch", "bacth")])
def test_a_wrong_recipe_is_one_error_before_images_are_read_or_anything_is_written(
    tmp_path: Path, right: str, wrong: str
) -> None:
    (tmp_path / "wrong.toml").write_text(RECIPE.replace("STEPS", "8").replace(right, wrong))
    done = pocketsr("train", tmp_path / "wrong.toml", "--data", tmp_path / "missing", "-o", tmp_path / "run")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert wrong.strip('"') in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", [("export", "-o", "m.tflite", "--images", "."), ("evaluate", ".")], ids=lambda v: v[0])
def test_text_is_no_checkpoint(tmp_path: Path, verb: tuple[str, ...]) -> None:
    (tmp_path / "text.pt").write_text("hello")
    done = pocketsr(verb[0], tmp_path / "text.pt", *verb[1:])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'text.pt'} is not a checkpoint")
    assert done.stderr.count("\n") == 1


def test_a_finished_run_is_not_overwritten(trained: Path, image_folder: Path) -> None:
    done = pocketsr("train", trained.parent / "small.toml", "--data", image_folder, "-o", trained)
    assert done.exit_code == 2
    assert "--resume" in done.stderr


@pytest.mark.parametrize(
    ("stage", "options", "precision"),
    [
        ("integer", (), "int8"),
        ("float", (), "float32"),
        ("float", ("--ptq", "minmax"), "int8"),
        ("float", ("--ptq", "mse", "--extremes"), "int8"),
        ("float", ("--ptq", "minmax", "--wide", "ends", "--wide", "body_0"), "int16x8"),
        ("float", ("--equivalent",), "float32"),
        ("float", ("--equivalent", "--ptq", "percentile"), "int8"),
    ],
)
def test_export_and_evaluate(
    trained: Path, image_folder: Path, tmp_path: Path, stage: str, options: tuple[str, ...], precision: str
) -> None:
    from pocketsr.graph.tflite import read_spec

    model = tmp_path / "model.tflite"
    done = pocketsr("export", trained / f"{stage}.pt", "-o", model, "--images", image_folder, *options)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(model)
    spec = read_spec(model)
    assert (spec.name, spec.network, spec.scale, spec.precision) == ("model", "abpn", 3, precision)
    figures = {}
    for judged in (model, trained / f"{stage}.pt"):
        done = pocketsr("evaluate", judged, image_folder, "--json", "-p", "abpn", "-p", "classic", "-t", 1)
        assert done.exit_code == 0, done.output
        (report,) = json.loads(done.stdout)["reports"]
        assert report["images"] == 6
        figures[judged.suffix] = report["means"]
    if stage == "integer":  # the number you train is the number you ship
        assert figures[".tflite"] == figures[".pt"]


def test_export_refuses_to_overwrite_and_to_quantise_twice(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there.tflite").touch()
    done = pocketsr("export", trained / "float.pt", "-o", tmp_path / "there.tflite", "--images", image_folder)
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
    for options in (
        ("--ptq", "minmax"),
        ("--ptq", "minmax", "--precision", "int8"),
        ("--precision", "float32"),
        ("--precision", "int8", "--wide", "all"),
    ):
        done = pocketsr(
            "export", trained / "integer.pt", "-o", tmp_path / "m.tflite", "--images", image_folder, *options
        )
        assert done.exit_code == 2
        assert "integer arithmetic" in done.stderr
    assert not (tmp_path / "m.tflite").exists()


def test_export_refuses_rounding_where_nothing_is_quantised(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    for given in (trained / "float.pt", "abpn-x3"):
        done = pocketsr("export", given, "-o", tmp_path / "m.tflite", "--images", image_folder, "--rounding", "nearest")
        assert done.exit_code == 2
        assert "--rounding is for files quantised here" in done.stderr
    assert not (tmp_path / "m.tflite").exists()


@pytest.mark.parametrize(("name", "option"), [("lrsrn", "--split-sums"), ("carn-m", "--own-steps")])
def test_export_treats_sums_as_it_is_told_to(name: str, option: str, tmp_path: Path, image_folder: Path) -> None:
    saved, made = tmp_path / "net.safetensors", tmp_path / "int8.tflite"
    options = {"scale": 2, **({"rep_conv": "none"} if name == "lrsrn" else {})}
    save_network(build(name, options), saved, name=name, options=options)
    command = ["export", str(saved), "--images", str(image_folder), "--count", "1", option]
    refused = pocketsr(*command, "-o", str(tmp_path / "float.tflite"))
    assert refused.exit_code != 0
    assert f"{option} is for files quantised here" in refused.output
    assert pocketsr(*command, "--ptq", "mse", "-o", str(made)).exit_code == 0
    kinds = {type(op) for op in read_model(made)[0].ops}
    assert (Add in kinds, Requantise in kinds) == ((False, False) if name == "lrsrn" else (True, True))


def test_a_stage_of_integer_arithmetic_is_an_onnx_file_of_bytes(
    trained: Path, image_folder: Path, tmp_path: Path
) -> None:
    done = pocketsr("export", trained / "integer.pt", "-o", tmp_path / "m.onnx", "--images", image_folder)
    assert done.exit_code == 0, done.output
    assert pocketsr("evaluate", tmp_path / "m.onnx", image_folder, "--no-ssim", "-t", 1).exit_code == 0


def test_evaluate_judges_bicubic_and_prints_a_table(image_folder: Path) -> None:
    done = pocketsr("evaluate", "bicubic", image_folder, "-s", 2, "-p", "scsrn")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].split()[1:3] == ["6", "scsrn"]
    assert pocketsr("evaluate", "bicubic", image_folder).exit_code == 2
    assert "did you mean 'scsrn'" in pocketsr("evaluate", "bicubic", image_folder, "-s", 2, "-p", "scsm").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train", "abpn-x9", "--data", "."), 2, "unknown recipe"),
        (("train", "abpn-x3", "--data", "nowhere"), 1, "nowhere is not a folder"),
        (("train", "abpn-x3", "--data", "nowhere", "--resume", "-o", "no-run"), 1, "no run to resume"),
        (("export", "none.pt", "-o", "x.tflite", "--images", "."), 1, "there is no checkpoint"),
        (("evaluate", "none.pt", "."), 1, "there is no checkpoint"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = pocketsr(*arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


@pytest.mark.slow
def test_ctrl_c_saves_and_resume_goes_on(tmp_path: Path, image_folder: Path) -> None:
    recipe = tmp_path / "long.toml"
    recipe.write_text(RECIPE.replace("STEPS", "100000"))
    command = [
        sys.executable,
        "-m",
        "pocketsr",
        "train",
        recipe,
        "--data",
        image_folder,
        "-o",
        tmp_path / "run",
        "-t",
        "1",
    ]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "state.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, words = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "--resume" in words
    assert "Traceback" not in words
