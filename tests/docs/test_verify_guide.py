"""The verification guide's commands are ones that exist, and its table is what the bundled file gives."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pocketsr.cli import main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "verify.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "reference" / "verify.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split()[1:] for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL) for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_is_understood(command: list[str]) -> None:
    verb, *rest = command
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    given = found.make_context(verb, rest).params
    assert given["report"] in (None, "found.json")


def test_the_page_s_bounds_are_the_options() -> None:
    found = main.get_command(click.Context(main), "verify")
    assert found is not None
    bounds = {option.opts[0]: option.default for option in found.params if option.opts[0].startswith("--max")}
    rows = re.findall(r"\| `(--max-\w+)` \| ([\d.]+)", PAGE)
    assert {option: float(bound) for option, bound in rows} == bounds


@pytest.mark.data
def test_the_guide_s_table_is_what_the_bundled_file_gives(data_folder: Path) -> None:
    arguments = ["--against", "abpn-x3-float", "--data", str(data_folder / "benchmarks" / "Set5"), "-t", "1"]
    result = CliRunner().invoke(main, ["verify", "abpn-x3", *arguments])
    (table,) = re.findall(r"```\n(abpn.+?)\n```", GUIDE, re.DOTALL)
    assert [line.rstrip() for line in result.stdout.splitlines()] == table.splitlines()


def test_links_lead_somewhere() -> None:
    for page, folder in ((GUIDE, "guides"), (PAGE, "reference")):
        for link in re.findall(r"\]\(([^)#]+)\)", page):
            assert (ROOT / "docs" / folder / link).exists(), link
