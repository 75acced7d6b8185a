"""The wheel alone, in a clean environment without extras, upscales an image; torch is nowhere near."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from pocketsr.weights import bank_names, bundled

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, env=without_bank())
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def without_bank() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("POCKETSR_BANK", "PYTHONPATH")}


@pytest.mark.install
@pytest.mark.slow
def test_the_wheel_upscales_without_torch(tmp_path: Path) -> None:
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("pocketsr-*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    weights = {name.removeprefix("pocketsr/weights/") for name in inside if name.startswith("pocketsr/weights/")}
    assert {name for entry in bundled() for name in (entry.file, entry.card)} | {"catalogue.toml"} <= weights
    assert not [name for name in inside if name.startswith("bank") or name.endswith(".safetensors")]
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    pocketsr = python.with_name("pocketsr")
    written = run(pocketsr, "upscale", ROOT / "examples" / "astronaut.png", "-o", tmp_path / "large.png", cwd=tmp_path)
    assert written.strip() == str(tmp_path / "large.png")
    code = (
        "import importlib.util, sys; from PIL import Image;"
        "print(Image.open(sys.argv[1]).size, importlib.util.find_spec('torch'))"
    )
    assert run(python, "-c", code, tmp_path / "large.png", cwd=tmp_path).strip() == "(768, 768) None"
    listed = run(pocketsr, "models", "--json", cwd=tmp_path)
    assert [entry["name"] for entry in json.loads(listed)] == [entry.name for entry in bundled()]
    for name in list(bank_names())[:1]:
        absent = subprocess.run(
            [pocketsr, "models", name], cwd=tmp_path, capture_output=True, text=True, check=False, env=without_bank()
        )
        assert (absent.returncode, absent.stdout) == (1, "")
        assert "is in the bank, which is no part of the package: clone" in absent.stderr
    missing = subprocess.run(
        [pocketsr, "train", "abpn-x3", "--data", tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert missing.returncode == 1
    assert "pip install 'pocketsr[train]'" in missing.stderr
    assert "Traceback" not in missing.stderr
