"""The photo guide's commands are ones that exist, run as they say, and its tables name what there is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from pocketsr.batch.journal import FILE_NAME
from pocketsr.batch.names import FIELDS
from pocketsr.cli import main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "photos.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(re.split(r"[<&]", line)[0])[1:]
    for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_does_what_it_says(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday" / "rome").mkdir(parents=True)
    for name in ("photo.jpg", "holiday/a.jpg", "holiday/rome/b.jpg"):
        Image.new("RGB", (16, 12), (90, 120, 150)).save(tmp_path / name)
    done = CliRunner().invoke(main, command, input=(tmp_path / "photo.jpg").read_bytes())
    assert done.exit_code == 0
    assert all(line.startswith("note: ") and "enlarged by" in line for line in done.stderr.splitlines())
    if "--json" in command:
        assert [set(json.loads(line)) for line in done.stdout.splitlines()] == [
            set(json.loads(line)) for line in _examples() if "error" not in line and 'skipped": "' not in line
        ]
    elif "-" not in command:
        for path in done.stdout.splitlines():
            assert Path(path).exists() == ("--dry-run" not in command)


def test_the_table_of_fields_is_the_list() -> None:
    rows = dict(re.findall(r"^\| `\{(\w+)\}` \| (.+) \|$", GUIDE, re.MULTILINE))
    assert {field: words.replace("`", "") for field, words in rows.items()} == FIELDS


def test_options_files_and_lines_are_those_there_are() -> None:
    found = main.get_command(click.Context(main), "upscale")
    assert found is not None
    known = {name for option in found.params for name in option.opts}
    assert set(re.findall(r"(--[a-z][a-z-]+)", GUIDE)) <= known
    assert FILE_NAME in GUIDE
    assert [list(json.loads(line))[-1] for line in _examples()] == ["notes", "error", "skipped", "summary"]


def _examples() -> list[str]:
    (block,) = re.findall(r"```json\n(.+?)\n```", GUIDE, re.DOTALL)
    return block.splitlines()
