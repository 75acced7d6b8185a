"""TensorFlow Lite's fixed-point multiplication: what its documentation promises, and its odd roundings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketsr.graph.fixed_point import fixed_point, reduced, rescaled

FACTORS = st.floats(2.0**-20, 2.0**6)


@given(FACTORS)
def test_a_multiplier_and_a_shift_are_the_factor(factor: float) -> None:
    multiplier, shift = fixed_point(np.array(factor))
    assert 1 << 30 <= multiplier < 1 << 31
    assert float(multiplier) * 2.0 ** (int(shift) - 31) == pytest.approx(factor, rel=2**-31)


@given(FACTORS)
def test_a_short_multiplier_is_the_factor_to_15_bits(factor: float) -> None:
    short, right = reduced(np.array(factor))
    assert 1 << 14 <= short < 1 << 15
    assert float(short) * 2.0 ** -float(right) == pytest.approx(factor, rel=2**-14)


def test_a_factor_just_below_a_power_of_two_does_not_overflow() -> None:
    multiplier, shift = fixed_point(np.array(1 - 2.0**-40))
    assert (int(multiplier), int(shift)) == (1 << 30, 1)
    short, right = reduced(np.array(1 - 2.0**-20))
    assert (int(short), int(right)) == (0x7FFF, 15)


@given(st.integers(-(1 << 15), (1 << 15) - 1), st.floats(2.0**-12, 2.0**6))
def test_rescaling_rounds_to_within_one(x: int, factor: float) -> None:
    assert abs(int(rescaled(np.array([x]), factor)[0]) - x * factor) < 1


def test_widening_is_exact_and_rounding_is_twice() -> None:
    assert rescaled(np.arange(-255, 256), 128).tolist() == [128 * x for x in range(-255, 256)]
    # 63 is rounded to 32 halves, and these to 1: a single rounding would give 0.
    assert rescaled(np.array([63, -63, -64, -65, 62]), 1 / 128).tolist() == [1, 0, -1, -1, 0]
