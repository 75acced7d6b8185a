from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.batch.names import FIELDS, Naming, check_inside, target_in
from pocketsr.errors import ImageFileError, SettingError
from pocketsr.runtime import Target


def _name(pattern: str, source: str = "trip/rome.JPG") -> str:
    return Naming(pattern).name(Path(source), ending=".webp", target=Target(scale=3), model="abpn-x3", number=7)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{stem}_x{scale}.{ext}", "rome_x3.webp"),
        ("{folder}/{number:04}-{stem}.png", "trip/0007-rome.png"),
        ("{{{model}}}.{ext}", "{abpn-x3}.webp"),
    ],
)
def test_fields_are_filled(pattern: str, name: str) -> None:
    assert _name(pattern) == name


def test_every_field_can_be_asked_for_alone() -> None:
    assert all(_name(f"{{{field}}}.{{ext}}") for field in FIELDS)


@pytest.mark.parametrize(
    "pattern",
    [
        "{name}.{ext}", "{stem.__class__}.{ext}", "{stem[0]}.{ext}", "{}.{ext}", "{0}.{ext}", "{stem!r}.{ext}",
        "{number:999999999}.{ext}", "{stem:>9}.{ext}", "{number:{scale}}.{ext}", "{stem.{ext}", "{stem}", "",
        "{stem}.xyz", "../{stem}.{ext}", "/{stem}.{ext}", "a//{stem}.{ext}", "./{stem}.{ext}", "..\\{stem}.{ext}",
        "a\0.{ext}",
    ],
)  # fmt: skip
def test_what_is_no_pattern_or_leads_out_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(SettingError, match="name"):
        Naming(pattern)


def test_a_field_cannot_lead_out_either(tmp_path: Path) -> None:
    source = Path("...png")
    assert source.stem == ".."
    name = Naming("{stem}/a.{ext}").name(source, ending=".png", target=Target(scale=3))
    with pytest.raises(SettingError, match="inside the output folder"):
        target_in(tmp_path, name)
    assert "/" not in Naming("{model}.{ext}").name(source, ending=".png", target=Target(scale=3), model="../../etc/x")


def test_an_image_without_an_ending_keeps_none() -> None:
    assert Naming("{stem}_x{scale}.{ext}").name(Path("photo"), ending="", target=Target(scale=3)) == "photo_x3"


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "real").mkdir(parents=True)
    (out / "away").symlink_to(tmp_path)
    (out / "near").symlink_to(out / "real")
    with pytest.raises(ImageFileError, match="outside"):
        target_in(out, "away/a.png")
    assert target_in(out, "near/a.png") == out / "near" / "a.png"
    link = tmp_path / "link"  # the output folder itself may be one
    link.symlink_to(out)
    check_inside(link / "real" / "a.png", link)
    with pytest.raises(ImageFileError):
        check_inside(tmp_path / "out2" / "a.png", out)  # a longer name is not inside
