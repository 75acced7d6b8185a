from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pocketsr.cli import VERBS, main, show_error
from pocketsr.errors import DataError, ImageFileError, PocketsrError, SettingError, UnknownNameError
from pocketsr.weights import entries


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_in_the_list_is_there_and_has_help(name: str) -> None:
    assert isinstance(importlib.import_module(VERBS[name].module).command, click.Command)
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert f"Usage: main {name}" in done.output


def test_help_lists_every_verb() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(name in output and verb.summary.split()[0] in output for name, verb in VERBS.items())


def test_an_unknown_verb_is_wrong_usage() -> None:
    done = CliRunner().invoke(main, ["upscail"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no such command 'upscail'")
    assert done.stderr.endswith("; see main --help\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--bad"], "error: no such option '--bad'; see main --help\n"),
        (["models", "abpn-x3", "more"], "error: got unexpected extra argument (more); see main models --help\n"),
        (["evaluate", "abpn-x3"], "error: missing argument 'FOLDER...'; see main evaluate --help\n"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_that_names_the_help(words: list[str], line: str) -> None:
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", line)


def test_no_verb_shows_the_help() -> None:
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 2
    assert "evaluate" in done.output
    assert "error:" not in done.output


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("no images\nin there"), 1, "error: no images in there\n"),
        (PocketsrError("broken"), 1, "error: broken\n"),
        (SettingError("out of range"), 2, "error: out of range\n"),
        (UnknownNameError("unknown"), 2, "error: unknown\n"),
        (MemoryError(), 1, "error: not enough memory\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_in_any_verb_is_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr("pocketsr.cli.models.command", command)
    done = CliRunner().invoke(main, ["models"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", line)


def test_models_lists_the_catalogue() -> None:
    done = CliRunner().invoke(main, ["models"])
    assert done.exit_code == 0
    assert all(entry.name in done.output and entry.licence in done.output for entry in entries())


def test_models_as_json_holds_every_field() -> None:
    done = CliRunner().invoke(main, ["models", "--json"])
    assert json.loads(done.output) == [entry.to_dict() for entry in entries()]


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import pocketsr", ["torch", "ai_edge_litert", "numpy", "PIL", "click", "rich"]),
        ("from pocketsr.cli import main; main(['--help'], standalone_mode=False)", ["torch", "numpy", "PIL", "rich"]),
        (
            "from pocketsr.cli import main; main(['upscale', '--help'], standalone_mode=False)",
            ["torch", "ai_edge_litert", "numpy", "PIL", "rich"],
        ),
        (
            "import numpy, pocketsr; pocketsr.upscale(numpy.zeros((4, 4, 3), 'uint8'), backend='reference', threads=1)",
            ["torch", "rich", "click"],
        ),
    ],
    ids=["import", "help", "upscale help", "upscale"],
)
def test_nothing_is_imported_before_it_is_needed(program: str, absent: list[str]) -> None:
    if "backend" in program and not entries():
        pytest.skip("the catalogue is empty")
    check = f"{program}\nimport sys\nassert not [name for name in {absent} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", check], check=True, stdout=subprocess.DEVNULL)


def test_an_error_does_not_reach_the_terminal_s_controls(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(ImageFileError("cannot read \x1b[31mred\x07.png: no\nsuch file"))
    assert capsys.readouterr().err == "error: cannot read ?[31mred?.png: no such file\n"
