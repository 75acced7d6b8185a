"""The video guide's commands are ones that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from pocketsr.cli import main
from pocketsr.cli.video import DAMAGED

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "video.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(part, comments=True)[1:]
    for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    for part in line.split(" | ")
    if part.startswith("pocketsr")
]


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_is_understood(command: list[str]) -> None:
    verb, *rest = command
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    given = found.make_context(verb, rest).params
    assert given.get("target") or given["images"]


def test_the_exit_code_is_the_one_that_is_given() -> None:
    assert f"| {DAMAGED} | OUT is there, and the input was damaged |" in GUIDE


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / "guides" / link).exists(), link
