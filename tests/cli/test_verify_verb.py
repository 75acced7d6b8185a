"""``pocketsr verify`` on the bundled model: figures, advice, exit codes."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pocketsr.cli import main
from pocketsr.evaluate import Bounds

CHECKS = ["quality", "worst image", "pixels", "darkening", "black and white", "banding", "grid", "odd sizes"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for index in range(2):
        small = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((49, 40), Image.Resampling.BICUBIC).save(tmp_path / "images" / f"[{index}].png")
    return tmp_path / "images"


def verify(model: str, reference: str, folder: Path, *more: str) -> Result:
    command = ["verify", model, "--against", reference, "--data", str(folder), "-t", "1", *more]
    return CliRunner().invoke(main, command)


def test_the_bundled_file_passes_against_its_float_file(folder: Path) -> None:
    result = verify("abpn-x3", "abpn-x3-float", folder)
    assert result.exit_code == 0, result.output
    for name in CHECKS:
        assert f"\n{name} " in result.stdout
    assert "FAIL" not in result.stdout
    assert "[0].png" in result.stdout or "[1].png" in result.stdout, "names of files are no markup"
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_json_is_printed_or_written_to_a_file(folder: Path, tmp_path: Path) -> None:
    printed = verify("abpn-x3", "abpn-x3-float", folder, "--json")
    written = verify("abpn-x3", "abpn-x3-float", folder, "--json", str(tmp_path / "found.json"))
    found = json.loads(printed.stdout)
    assert "quality" in written.stdout, "the table stays"
    assert json.loads((tmp_path / "found.json").read_text()) == found
    assert (found["model"], found["against"], found["scale"]) == ("abpn-x3", "abpn-x3-float", 3)
    assert found["passed"] is True
    assert [check["name"] for check in found["checks"]] == CHECKS
    assert {image["name"] for image in found["images"]} == {"[0].png", "[1].png"}


def test_its_page_names_every_key_of_the_json(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "verify.md").read_text(encoding="utf-8")
    found = json.loads(verify("abpn-x3", "abpn-x3-float", folder, "--json").stdout)
    keys = {*found, *found["images"][0]}
    for check in found["checks"]:
        keys |= {*check, *check["measures"]}
        assert f"| {check['name']} |" in page
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_a_bound_that_is_missed_gives_advice_and_exit_code_1(folder: Path) -> None:
    result = verify("abpn-x3", "abpn-x3-float", folder, "--max-shift", "0")
    assert result.exit_code == 1
    (line,) = (line for line in result.stdout.splitlines() if "FAIL" in line)
    assert line.startswith("darkening")
    assert "darkening: biases were rounded" in result.stdout
    found = json.loads(verify("abpn-x3", "abpn-x3-float", folder, "--max-shift", "0", "--json").stdout)
    assert found["passed"] is False
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["darkening"]


def test_each_bound_is_its_check_s(folder: Path) -> None:
    options = ["drop", "worst", "pixels", "shift", "ends", "banding", "grid"]
    bounds = [option for index, name in enumerate(options) for option in (f"--max-{name}", str(index + 0.5))]
    found = json.loads(verify("abpn-x3", "abpn-x3-float", folder, "--json", *bounds).stdout)
    assert [check["bound"] for check in found["checks"]] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 0.0]


def test_bounds_not_asked_for_are_those_of_the_library(folder: Path) -> None:
    found = json.loads(verify("abpn-x3", "abpn-x3-float", folder, "--json").stdout)
    assert [check["bound"] for check in found["checks"]] == [*dataclasses.asdict(Bounds()).values(), 0.0]


def test_a_saved_network_is_a_reference(folder: Path, teacher_file: Path) -> None:
    result = verify("abpn-x3", str(teacher_file), folder)
    assert result.exit_code == 1, "it has random weights"
    assert "worst image" in result.stdout


def test_without_torch_files_are_compared_and_networks_name_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert verify("abpn-x3", "abpn-x3-float", folder).exit_code == 0
    result = verify("abpn-x3", "float.pt", folder)
    assert result.exit_code == 1
    assert "pip install 'pocketsr[train]'" in result.stderr


def test_bicubic_takes_the_models_factor(folder: Path) -> None:
    result = verify("abpn-x3", "bicubic", folder)
    assert "abpn-x3 against bicubic, ×3" in result.stdout


def test_wrong_usage_is_said_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for result, code, words in (
        (verify("float.pt", "abpn-x3", folder), 2, "a .tflite file or a bundled model; float.pt is not one"),
        (verify("abpn-x3", "nothing", folder), 2, "unknown model 'nothing'"),
        (verify("abpn-x3", "abpn-x3", nowhere), 1, "nowhere"),
        (verify("abpn-x3", "abpn-x3", folder, "--json", str(nowhere / "a.json")), 2, "no folder"),
        (verify("abpn-x3", "abpn-x3", folder, "--max-drop", "-1"), 2, "max-drop"),
    ):
        assert result.exit_code == code, result.output
        assert words in result.stderr
        assert not result.stdout


def test_an_image_too_small_is_named(folder: Path) -> None:
    Image.new("RGB", (2, 2)).save(folder / "tiny.png")
    result = verify("abpn-x3", "abpn-x3-float", folder)
    assert result.exit_code == 1
    assert "tiny.png" in result.stderr
    assert "take it out" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [({"scale": 2}, "upscales by 3, "), ({"scale": 3, "channels": 1}, "knows colour, ")],
)
def test_another_factor_and_luma_are_refused(folder: Path, tmp_path: Path, options: dict[str, int], words: str) -> None:
    from pocketsr.networks import build
    from pocketsr.networks.saved import save_network

    file = tmp_path / "other.safetensors"
    save_network(build("espcn", options), file, name="espcn", options=options)
    result = verify("abpn-x3", str(file), folder)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_damaged_file_is_an_error_and_no_verdict(folder: Path, tmp_path: Path) -> None:
    from pocketsr.runtime import model_path

    shutil.copy(model_path("abpn-x3"), tmp_path / "cut.tflite")
    whole = (tmp_path / "cut.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    result = verify(str(tmp_path / "cut.tflite"), "abpn-x3", folder)
    assert result.exit_code == 1
    assert "cut.tflite" in result.stderr
    assert not result.stdout
