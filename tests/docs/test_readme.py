"""The README's two commands work as they are written, in a fresh clone; its tables are those of the result files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[str]:
    marked = (ROOT / "README.md").read_text().split("<!-- commands -->")[1].split("<!-- end -->")[0]
    return re.findall(r"```sh\n(.+?)\n```", marked, re.DOTALL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed."""
    folder = tmp_path_factory.mktemp("clone") / "pocketsr"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def test_there_are_two_commands_of_one_line_each() -> None:
    assert len(commands()) == 2
    assert not any("\n" in command for command in commands())


@pytest.mark.install
@pytest.mark.slow
def test_the_first_command_upscales_the_photo(clone: Path) -> None:
    done = run(commands()[0], clone)
    assert done.returncode == 0, done.stderr
    with Image.open(clone / "astronaut_x3.png") as image:
        assert image.size == (768, 768)
    assert not list((clone / ".venv").glob("lib/python*/site-packages/torch"))


@pytest.mark.install
@pytest.mark.slow
def test_the_second_command_passes_tests(clone: Path) -> None:
    """As written; an environment variable keeps it from running all tests again inside this one."""
    done = run(commands()[1], clone, PYTEST_ADDOPTS="-k 'graph or lower' --ignore=tests/docs --ignore=tests/install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def test_the_tables_are_those_of_the_result_files() -> None:
    done = subprocess.run([sys.executable, "benchmarks/tables.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "README.md is not current: run `make docs`"
