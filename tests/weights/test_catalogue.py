from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.weights import catalogue
from pocketsr.weights.catalogue import Entry, read_catalogue

_TABLE = """
[[entries]]
name = "{name}"
file = "model.tflite"
scale = {scale}
precision = "int8"
sha256 = "{sha256}"
licence = "Apache-2.0"
data = "CC0 photographs"
[entries.scores]
"Set5 RGB border 1 PSNR dB" = 31.0
"""


def _catalogue(folder: Path, *names: str) -> Path:
    (folder / "model.tflite").write_bytes(b"model")
    sha256 = hashlib.sha256(b"model").hexdigest()
    text = "".join(_TABLE.format(name=name, scale=2 + index, sha256=sha256) for index, name in enumerate(names))
    (folder / "catalogue.toml").write_text(text or "entries = []\n")
    return folder / "catalogue.toml"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Entry, ...]:
    made = read_catalogue(_catalogue(tmp_path, "abpn-x2", "abpn-x3"))
    monkeypatch.setattr(catalogue, "entries", lambda: made)
    return made


def test_an_entry_holds_what_its_table_says(two: tuple[Entry, ...], tmp_path: Path) -> None:
    assert two[0].name == "abpn-x2"
    assert two[0].path == tmp_path / "model.tflite"
    assert two[0].scores == {"Set5 RGB border 1 PSNR dB": 31.0}
    assert two[1].scale == 3
    values = two[1].to_dict()
    assert values["path"] == str(tmp_path / "model.tflite")
    assert values["licence"] == "Apache-2.0"
    assert "folder" not in values


def test_models_are_found_by_name_and_by_scale(two: tuple[Entry, ...]) -> None:
    assert catalogue.find("abpn-x3") is two[1]
    assert catalogue.find_scale(2) is two[0]


def test_a_wrong_name_is_answered_with_the_nearest(two: tuple[Entry, ...]) -> None:
    del two
    with pytest.raises(UnknownNameError, match="did you mean 'abpn-x3'"):
        catalogue.find("abnp-x3")


def test_a_scale_that_no_model_has_is_answered_with_those_there_are(two: tuple[Entry, ...]) -> None:
    del two
    with pytest.raises(UnknownNameError, match="scale 8; scales there are: 2, 3"):
        catalogue.find_scale(8)


def test_an_empty_catalogue_is_one(tmp_path: Path) -> None:
    assert read_catalogue(_catalogue(tmp_path)) == ()


def test_a_changed_or_missing_model_file_is_noticed(two: tuple[Entry, ...]) -> None:
    two[0].verify()
    two[0].path.write_bytes(b"mode1")
    with pytest.raises(ModelFileError, match="the catalogue says"):
        two[0].verify()
    two[0].path.unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        two[0].verify()


@pytest.mark.parametrize(
    ("text", "words"),
    [("entries = [", "not a catalogue"), ("[[entries]]\nname = 'a'\n", "missing"), ("models = []", "entries")],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "catalogue.toml").write_text(text)
    with pytest.raises(ModelFileError, match=words):
        read_catalogue(tmp_path / "catalogue.toml")


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="two models of one name"):
        read_catalogue(_catalogue(tmp_path, "abpn-x3", "abpn-x3"))
