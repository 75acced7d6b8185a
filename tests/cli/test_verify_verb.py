"""``pocketsr verify`` on the bundled model: figures, advice, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pocketsr.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for index in range(2):
        small = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((49, 40), Image.Resampling.BICUBIC).save(tmp_path / f"{index}.png")
    return tmp_path


def test_the_bundled_file_passes_against_its_float_network(folder: Path) -> None:
    result = CliRunner().invoke(
        main, ["verify", "abpn-x3", "--against", "abpn-x3-float", "--data", str(folder), "--json"]
    )
    found = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert found["passed"]
    assert {check["name"] for check in found["checks"]} >= {"quality", "darkening", "black and white", "banding"}


def test_a_bound_that_is_missed_gives_advice_and_exit_code_1(folder: Path) -> None:
    command = ["verify", "abpn-x3", "--against", "abpn-x3-float", "--data", str(folder), "--max-shift", "0"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "FAIL darkening" in result.stdout
    assert "advice:" in result.stdout


def test_bicubic_takes_the_models_factor_and_what_is_unknown_is_named(folder: Path) -> None:
    result = CliRunner().invoke(main, ["verify", "abpn-x3", "--against", "bicubic", "--data", str(folder)])
    assert "quality" in result.stdout
    result = CliRunner().invoke(main, ["verify", "abpn-x3", "--against", "nothing", "--data", str(folder)])
    assert result.exit_code != 0
    assert "nothing" in result.output
