from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.weights import DEFAULT_MODEL, catalogue
from pocketsr.weights.catalogue import Entry, find, find_float, read_catalogue

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
    monkeypatch.setattr(catalogue, "bundled", lambda: made)
    monkeypatch.setattr(catalogue, "bank_folder", lambda: None)
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


def test_models_are_found_by_name(two: tuple[Entry, ...]) -> None:
    assert catalogue.find("abpn-x3") is two[1]


def test_a_wrong_name_is_answered_with_the_nearest(two: tuple[Entry, ...]) -> None:
    del two
    with pytest.raises(UnknownNameError, match="did you mean 'abpn-x3'"):
        catalogue.find("abnp-x3")


def _entries(*described: tuple[str, int, str, int]) -> tuple[Entry, ...]:
    made = []
    for name, scale, style, order in described:
        facts: dict[str, Any] = {"precision": "int8", "sha256": "", "licence": "CC0-1.0", "data": "", "style": style}
        made.append(Entry(name=name, file="a.tflite", scale=scale, order=order, **facts))
    return tuple(made)


def test_where_none_is_named_the_lowest_of_a_scale_and_style_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _entries(
        ("second", 3, "clean", 2), (DEFAULT_MODEL, 3, "clean", 1), ("by-name-only", 2, "clean", 0),
        ("four", 4, "clean", 1), ("jpeg-two", 2, "jpeg", 1),
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "bundled", lambda: made)
    monkeypatch.setattr(catalogue, "bank_folder", lambda: None)
    monkeypatch.setattr(catalogue, "bank_names", dict)
    assert {scale: entry.name for scale, entry in catalogue.defaults().items()} == {3: DEFAULT_MODEL, 4: "four"}
    assert next(iter(catalogue.defaults())) == 3  # the scale that is taken where none is asked for
    assert {scale: entry.name for scale, entry in catalogue.defaults("jpeg").items()} == {2: "jpeg-two"}
    assert catalogue.defaults("gan") == {}


def _bank(folder: Path, *names: str) -> Path:
    folder.mkdir()
    return _catalogue(folder, *names).parent


def test_the_bank_s_models_are_found_where_it_is_named(
    two: tuple[Entry, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = _bank(tmp_path / "bank", "carn-x2")
    monkeypatch.undo()
    monkeypatch.setattr(catalogue, "bundled", lambda: two)
    monkeypatch.setenv("POCKETSR_BANK", str(bank))
    assert [entry.name for entry in catalogue.entries()] == ["abpn-x2", "abpn-x3", "carn-x2"]
    assert catalogue.find("carn-x2").path == bank / "model.tflite"
    assert not catalogue.find("carn-x2").is_bundled
    with pytest.raises(UnknownNameError, match="did you mean 'carn-x2'"):
        catalogue.find("carn-x3")
    monkeypatch.setenv("POCKETSR_BANK", str(tmp_path / "nowhere"))
    with pytest.raises(ModelFileError, match=r"nowhere', which has no catalogue\.toml; name the repository's bank/"):
        catalogue.entries()
    assert catalogue.find("abpn-x3") is two[1]  # what comes along needs no bank


def test_a_model_of_the_bank_may_not_have_the_name_of_a_bundled_one(
    two: tuple[Entry, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del two
    bank = _bank(tmp_path / "bank", "abpn-x3")
    monkeypatch.setattr(catalogue, "bank_folder", lambda: bank)
    with pytest.raises(ModelFileError, match="rename it there"):
        catalogue.entries()


def test_without_the_bank_the_error_says_where_its_models_are_to_be_had(
    two: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    del two
    monkeypatch.setattr(catalogue, "bank_names", lambda: {"pcarn-m-gan-x4": "gan"})
    with pytest.raises(ModelFileError, match=r"'pcarn-m-gan-x4' is in the bank.*clone .*POCKETSR_BANK"):
        catalogue.find("pcarn-m-gan-x4")
    with pytest.raises(ModelFileError, match=r"style 'gan', such as 'pcarn-m-gan-x4', is in the bank"):
        catalogue.defaults("gan")


def test_an_unknown_style_is_refused(tmp_path: Path) -> None:
    path = _catalogue(tmp_path, "a-x2")
    path.write_text(path.read_text().replace('precision = "int8"', 'precision = "int8"\nstyle = "anime"'))
    with pytest.raises(ModelFileError, match="style 'anime'; known: clean, jpeg, jpeg-444, jpeg-coarse, gan"):
        read_catalogue(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('scale = "2"', "scale of 'a-x2' is '2'; it has to be int"),
        ("scale = 2.0", "scale of 'a-x2' is 2.0; it has to be int"),
        ("scale = 2\norder = true", "order of 'a-x2' is True; it has to be int"),
        ("scale = 2\nnetwork = 3", "network of 'a-x2' is 3; it has to be str"),
    ],
)
def test_values_of_another_kind_are_refused(tmp_path: Path, line: str, words: str) -> None:
    path = _catalogue(tmp_path, "a-x2")
    path.write_text(path.read_text().replace("scale = 2", line))
    with pytest.raises(ModelFileError, match=words):
        read_catalogue(path)


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    path = _catalogue(tmp_path, "a-x2")
    path.write_text(path.read_text().replace('"int8"', '"int4"'))
    with pytest.raises(ModelFileError, match="precision 'int4'; known: "):
        read_catalogue(path)


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


def test_the_float_form_of_a_model_is_the_entry_of_its_name_with_float() -> None:
    found = find_float(find("abpn-x3").path)
    assert found == find("abpn-x3-float")
    assert find_float(find("abpn-x3-float").path) is None
    assert find_float(Path("abpn-x3.tflite")) is None, "a file of that name somewhere else is another"
