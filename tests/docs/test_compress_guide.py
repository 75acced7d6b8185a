"""The compression guide's commands are ones that exist, and its tables and snippets name what there is."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from pocketsr.cli import main
from pocketsr.train import Stage
from pocketsr.train.losses.distillation import FEATURE_LOSSES, OUTPUT_LOSSES
from pocketsr.train.recipe import Distillation
from pocketsr.train.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "compress.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("pocketsr", 1)[1].split()
    for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    if "pocketsr " in line and not line.startswith("pip")
]


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_is_understood(command: list[str]) -> None:
    verb, *rest = command
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    assert found.make_context(verb, rest).params


def test_every_key_of_the_table_is_a_stages() -> None:
    keys = re.findall(r"^\| `(\w+)", GUIDE, re.MULTILINE)
    assert len(keys) >= 6
    assert set(keys) <= {field.name for field in dataclasses.fields(Stage)}


def test_the_teacher_in_the_guide_can_be_read_and_names_losses_that_exist() -> None:
    (snippet,) = re.findall(r"```toml\n(.+?)\n```", GUIDE, re.DOTALL)
    table = tomllib.loads(snippet.replace("[stages.distillation]", ""))
    choice = read_table(Distillation, table, "recipe")
    assert {term.name for term in choice.terms} <= {*OUTPUT_LOSSES, *FEATURE_LOSSES}


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / "guides" / link).exists(), link
