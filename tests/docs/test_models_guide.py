"""The models guide's commands are ones that exist, and those that are quick run as they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pocketsr.cli import VERBS, main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "models.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL) for line in block.splitlines()]
QUICK = [shlex.split(line)[1:] for line in LINES if re.match(r"pocketsr (models|upscale)", line)]


@pytest.mark.parametrize("command", QUICK, ids=shlex.join)
def test_a_command_does_what_it_says(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 12), (90, 120, 150)).save("photo.jpg")
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    if command[0] == "upscale":
        assert done.stdout.strip() == f"photo_x{2 if '2' in command else 3}.jpg"


def test_every_other_command_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in LINES:
        words = line.split()
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file()
        elif words[0] == "pocketsr":
            assert words[1] in VERBS
        else:
            assert words[0] == "export"


def test_the_python_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pocketsr

    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 12), (90, 120, 150)).save("photo.jpg")
    (block,) = re.findall(r"```python\n(.+?)\n```", GUIDE, re.DOTALL)
    names = {"pocketsr": pocketsr, "pixels": np.zeros((8, 8, 3), np.uint8)}
    for line in block.splitlines():
        if "jpeg" not in line or _has_jpeg():
            exec(line, names)


def _has_jpeg() -> bool:
    from pocketsr.weights import defaults

    return bool(defaults("jpeg"))
