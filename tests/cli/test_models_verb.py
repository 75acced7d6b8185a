"""The catalogue and its cards on the command line, and the bank judged again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.evaluate import bank
from pocketsr.evaluate.bank import Checked, check_entry
from pocketsr.weights import Entry, entries, find, read_card


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_models_are_chosen_by_style_and_scale() -> None:
    done = call("models", "--style", "clean", "-s", 3, "--json")
    assert {entry["name"] for entry in json.loads(done.stdout)} == {
        entry.name for entry in entries() if (entry.style, entry.scale) == ("clean", 3)
    }
    assert "abpn-x3" in call("models", "-s", 3).stdout
    done = call("models", "-s", 7)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no model is like that" in done.stderr


def test_exactly_one_model_of_a_scale_and_style_is_the_default() -> None:
    lines = call("models").stdout.splitlines()
    defaults = [tuple(line.split()[1:3]) for line in lines if "(default)" in line]
    assert len(defaults) == len(set(defaults)) > 0


def test_a_model_s_card_is_shown_with_its_file() -> None:
    done = call("models", "abpn-x3-float")
    assert done.exit_code == 0
    assert done.stdout.startswith("# abpn-x3\n")
    assert "CC-BY-SA-4.0" in done.stdout
    assert done.stdout.endswith(f"File: {find('abpn-x3-float').path}\n")


def test_a_model_s_card_as_json_has_every_field() -> None:
    facts = json.loads(call("models", "abpn-x3", "--json").stdout)
    entry = find("abpn-x3")
    assert facts == {**entry.to_dict(), "card": read_card(entry.folder / entry.card).to_dict()}


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    done = call("models", "abpn-x33")
    assert done.exit_code == 2
    assert "did you mean 'abpn-x3'" in done.stderr


def _judged(said: float, found: float) -> Checked:
    return Checked(name="abpn-x3", data="Set5", protocol="scsrn", said_db=said, found_db=found, tolerance_db=0.0006)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Checked]:
    """What judging a model again brings, in place of a minute's work."""
    made: list[Checked] = []

    def check(entry: Entry, root: Path, *, sets: object) -> Iterator[Checked]:
        del entry, root, sets
        yield from made

    monkeypatch.setattr(bank, "check_entry", check)
    return made


def test_a_bank_whose_figures_are_its_cards_is_reproduced(found: list[Checked], tmp_path: Path) -> None:
    found.append(_judged(31.354, 31.354))
    done = call("reproduce", "bank", "--data", tmp_path, "--model", "abpn-x3")
    assert done.exit_code == 0
    assert done.stdout.endswith("1 figures of 1 models: all as their cards say\n")


def test_what_differs_is_named_and_ends_with_1(found: list[Checked], tmp_path: Path) -> None:
    found += [_judged(31.354, 31.354), _judged(31.354, 31.352)]
    done = call("reproduce", "bank", "--data", tmp_path, "--model", "abpn-x3")
    assert done.exit_code == 1
    assert done.stderr.startswith("differs: abpn-x3")
    assert "31.352 dB, card 31.354: -0.002" in done.stderr
    done = call("reproduce", "bank", "--data", tmp_path, "--model", "abpn-x3", "--json")
    assert done.exit_code == 1
    facts = json.loads(done.stdout)
    assert (facts["models"], facts["different"], [one["is_same"] for one in facts["figures"]]) == (1, 1, [True, False])


def test_the_bank_is_judged_on_whole_sets_only(tmp_path: Path, image_folder: Path) -> None:
    assert "say where" in call("reproduce", "bank").stderr
    assert "leave out --limit" in call("reproduce", "bank", "--data", tmp_path, "--limit", 1).stderr
    done = call("reproduce", "bank", "--data", tmp_path, "--model", "abpn-x3")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Set5, Set14, BSD100 not found" in done.stderr
    for name in ("Set5", "Set14", "BSD100"):
        shutil.copytree(image_folder, tmp_path / name)
    done = call("reproduce", "bank", "--data", tmp_path, "--model", "abpn-x3")
    assert "has 6 images; the card of abpn-x3 is of 5" in done.stderr


@pytest.mark.data
@pytest.mark.parametrize("name", ["abpn-x3"])
def test_one_model_gives_the_figures_of_its_card_on_set5(name: str, data_folder: Path) -> None:
    checked = list(check_entry(find(name), data_folder / "benchmarks", sets=("Set5",)))
    assert checked
    assert all(one.is_same for one in checked), checked


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_model_gives_the_figures_of_its_card_on_set5(entry: Entry, data_folder: Path) -> None:
    """All sets take minutes: `make reproduce-bank`."""
    assert all(one.is_same for one in check_entry(entry, data_folder / "benchmarks", sets=("Set5",)))
