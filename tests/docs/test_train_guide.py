"""The training guide's commands are ones that exist, and its own recipe trains as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pocketsr.cli import main
from pocketsr.train import load_recipe, readings_of

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "train.md").read_text(encoding="utf-8")
OWN = GUIDE.split("<!-- recipe -->")[1].split("<!-- end recipe -->")[0].split("```")[1].split("\n", 1)[1]
COMMANDS = [
    line.split("pocketsr", 1)[1].split()
    for block in re.findall(r"```sh\n(.+?)\n```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    if "pocketsr " in line and not line.startswith("pip")
]


@pytest.fixture
def _beside_the_guides_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.usefixtures("_beside_the_guides_recipe")
@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_is_understood(command: list[str]) -> None:
    verb, *rest = command
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    context = found.make_context(verb, rest)
    if verb != "train":
        return
    given = context.params
    recipe = load_recipe(given["recipe"], readings=given["readings"])
    assert set(given["readings"]) <= set(readings_of(given["recipe"]))
    if given["network"]:
        recipe = recipe.for_network(given["network"], {"scale": given["scale"]})
        assert recipe.scale == given["scale"]
    assert bool(recipe.starts_from) <= bool(given["start"] or given["dry_run"]), "it starts from another's result"


@pytest.mark.usefixtures("_beside_the_guides_recipe")
@pytest.mark.parametrize("reading", [(), ("--reading", "plain")])
def test_the_guide_s_own_recipe_trains(reading: tuple[str, ...], image_folder: Path) -> None:
    options = ["--data", str(image_folder), "--valid", str(image_folder), "-o", "run", "--steps", "1", "-t", "1"]
    done = CliRunner().invoke(main, ["train", "mine.toml", *reading, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert Path("run", "integer.pt").is_file()
