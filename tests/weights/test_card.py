"""Cards: read back as written, strictly; text that follows from the head."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pocketsr.errors import ModelFileError
from pocketsr.weights import card_text, read_card
from sample_cards import CARD


def _written(folder: Path, text: str) -> Path:
    path = folder / "card.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_card(_written(tmp_path, card_text(CARD))) == CARD
    odd = dataclasses.replace(CARD, summary="lines\u2028that only\u0085some call so", intended_use=("a\nb",))
    assert read_card(_written(tmp_path, card_text(odd))) == odd
    bare = dataclasses.replace(CARD, options={}, speed=(), int8_drop_db=None, receptive_field=None)
    assert read_card(_written(tmp_path, card_text(bare))) == bare


def test_its_head_is_yaml_to_others() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads heads as others would")
    text = card_text(CARD)
    assert yaml.safe_load(text.split("---\n")[1]) == CARD.to_dict()


def test_its_text_has_every_figure() -> None:
    text = card_text(CARD).split("\n---\n", 1)[1]
    for words in (
        "31.366",
        "31.354",
        "0.012",
        "31.29 (scsrn-table2)",
        "CC-BY-SA-4.0",
        "36.5",
        "7 pixels",
        "288 CC BY-SA",
    ):
        assert words in text


def test_figures_are_those_of_a_file_s_arithmetic() -> None:
    assert CARD.figures("int8") == {"Set5 scsrn PSNR dB": 31.354}
    assert CARD.figures("float32") == {"Set5 scsrn PSNR dB": 31.366}
    assert CARD.scores[0].drop_db == 0.012


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('name: "tiny-x3"\n', "", "lacks the field 'name'"),
        ("\nscale: 3\n", "\nscale: 3\nspeed_limit: 3\n", "unknown field 'speed_limit'"),
        ("\nscale: 3\n", "\nscale: 3\nscale: 3\n", "'scale' for the second time"),
        ("\nscale: 3\n", '\nscale: "3"\n', "scale is '3', which is not of the kind"),
        ("\nscale: 3\n", "\nscale: three\n", "'three' is no JSON value"),
        ("\nscale: 3\n", "\nscale 3\n", "is no 'key: value'"),
        ('"images": 5', '"images": 5.5', "images is 5.5"),
        ('  recipe: "bank"\n', '  recipe: "bank"\n  - "bank"\n', "mixes a list and a mapping"),
        ("---\n", "", "begins with a head"),
    ],
)
def test_what_is_no_card_is_refused(tmp_path: Path, before: str, after: str, words: str) -> None:
    text = card_text(CARD)
    assert before in text
    with pytest.raises(ModelFileError, match=words):
        read_card(_written(tmp_path, text.replace(before, after, 1)))


def test_a_card_that_is_missing_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is not a model card"):
        read_card(tmp_path / "none.md")
