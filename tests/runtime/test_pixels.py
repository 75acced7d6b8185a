"""Every way pixels go in and out of a model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.errors import ModelFileError
from pocketsr.runtime.pixels import PixelForm

_BYTES = np.arange(256, dtype=np.uint8)
FORMS = [
    PixelForm("int8"),
    PixelForm("uint8", zero_point=0),
    PixelForm("int8", scale=0.99869),
    PixelForm("int8", white=1, scale=1 / 255),
    PixelForm("float32"),
    PixelForm("float32", white=1),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_byte_survives_the_way_in_and_out(form: PixelForm) -> None:
    numbers, pixels = np.empty(256, form.dtype), np.empty(256, np.uint8)
    form.encode(_BYTES, numbers)
    form.decode(numbers, pixels)
    assert np.abs(pixels.astype(int) - _BYTES).max() <= (1 if form.scale == 0.99869 else 0)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (PixelForm("int8"), [-128, 127]),
        (PixelForm("uint8", zero_point=0), [0, 255]),
        (PixelForm("int8", scale=2.0, zero_point=-28), [-28, 100]),
        (PixelForm("float32"), [0, 255]),
        (PixelForm("float32", white=1), [0, 1]),
    ],
)
def test_black_and_white_are_what_the_form_says(form: PixelForm, expected: list[float]) -> None:
    numbers = np.empty(2, form.dtype)
    form.encode(np.array([0, 255], np.uint8), numbers)
    assert numbers.tolist() == expected


def test_a_step_of_another_size_is_rounded_to_the_nearest_level() -> None:
    numbers, pixels = np.array([-128, -127, -1, 127], np.int8), np.empty(4, np.uint8)
    PixelForm("int8", scale=1.25).decode(numbers, pixels)
    assert pixels.tolist() == [0, 1, 159, 255]  # 1.25, 158.75, and 318.75 that is clipped


@settings(deadline=None, max_examples=100)
@given(st.floats(-1e6, 1e6, width=32))
def test_decoding_rounds_half_to_even_and_clips(value: float) -> None:
    pixels = np.empty(1, np.uint8)
    numbers = np.array([value], np.float32)
    PixelForm("float32").decode(numbers, pixels)
    assert pixels[0] == min(max(round(float(numbers[0])), 0), 255)
    assert numbers[0] == np.float32(value)  # not changed


def test_other_numbers_are_refused() -> None:
    with pytest.raises(ModelFileError, match="an image of int16 is not known"):
        PixelForm("int16")
