from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketsr.errors import SettingError
from pocketsr.runtime.target import Target, choose_scales


@pytest.mark.parametrize(
    ("target", "size", "name"),
    [
        (Target(scale=2), (600, 800), "x2"),
        (Target(scale=2.5), (750, 1000), "x2.5"),
        (Target(scale=1.3), (390, 520), "x1.3"),
        (Target(width=1000), (750, 1000), "1000w"),
        (Target(height=1000), (1000, 1333), "1000h"),
        (Target(fit=(1920, 1080)), (1080, 1440), "1920x1080"),
        (Target(fit=(1000, 5000)), (750, 1000), "1000x5000"),
        (Target(longest=3000), (2250, 3000), "3000px"),
        (Target(megapixels=12), (3000, 4000), "12mp"),
    ],
    ids=str,
)
def test_a_size_is_what_was_asked_for(target: Target, size: tuple[int, int], name: str) -> None:
    assert target.size(300, 400) == size
    assert str(target) == name


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "nothing came"),
        ({"width": 3, "height": 4}, "use fit"),
        ({"scale": 0}, "above 0"),
        ({"scale": math.inf}, "above 0"),
        ({"fit": (10, -1)}, "above 0"),
    ],
)
def test_nonsense_is_refused(settings: dict, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Target(**settings)


def test_a_slip_of_the_finger_does_not_fill_the_disk() -> None:
    with pytest.raises(SettingError, match="at most 64 times"):
        Target(width=100_000).size(10, 10)


@given(needed=st.floats(0.1, 64), known=st.sets(st.integers(2, 4), min_size=1))
def test_models_come_to_the_size_or_past_it_by_as_little_as_they_can(needed: float, known: set[int]) -> None:
    made = choose_scales(needed, known)
    assert set(made) <= known
    if needed <= 1:
        assert made == ()
        return
    product = math.prod(made)
    assert product >= needed - 1e-9
    assert all(product // scale < needed for scale in made), "no model is more than needed"


def test_no_model_is_an_error_where_one_is_needed() -> None:
    with pytest.raises(SettingError, match="no model enlarges"):
        choose_scales(2, [])
