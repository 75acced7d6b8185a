"""The evaluation guide's commands are ones that exist, and its decibels are what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pocketsr.cli import main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "evaluate.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)[1:] for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL) for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_is_understood(command: list[str]) -> None:
    verb, *rest = command
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    found.make_context(verb, rest)


@pytest.mark.data
def test_the_decibels_are_those_of_the_command(data_folder: Path) -> None:
    folder = data_folder / "benchmarks" / "Set14"
    done = CliRunner().invoke(main, ["protocols", "f2srgan", "carn", "--data", str(folder)])
    (table,) = re.findall(r"```\n(bicubic.+?)\n```", GUIDE, re.DOTALL)
    assert table in done.stdout


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / "guides" / link).exists(), link
