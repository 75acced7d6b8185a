"""A choice becomes the thing it names, or an error in the user's words."""

from __future__ import annotations

import pytest

from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError, UnknownNameError


def box(width: int, *, height: int = 1, colour: str) -> tuple[int, int, str]:
    return width, height, colour


MAKERS = {"box": box, "cube": lambda width: (width, width)}


def test_what_is_given_and_what_is_chosen_meet_in_the_maker() -> None:
    assert make("shape", MAKERS, Choice(name="box", options={"colour": "red"}), 3) == (3, 1, "red")
    assert make("shape", MAKERS, Choice(name="cube"), 2) == (2, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": "red", "hight": 2}, "shape 'box' got an unexpected .* 'hight'; its options: height, colour"),
        ({}, "missing a required.* 'colour'"),
        ({"colour": "red", "width": 1}, "multiple values for argument 'width'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        make("shape", MAKERS, Choice(name="box", options=options), 3)


def test_a_maker_without_options_says_so() -> None:
    with pytest.raises(SettingError, match="its options: none"):
        make("shape", MAKERS, Choice(name="cube", options={"height": 1}), 2)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown shape 'bix'; did you mean 'box'"):
        make("shape", MAKERS, Choice(name="bix"))
