import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr

from pocketsr.errors import SettingError
from pocketsr.image import rgb_to_grey, rgb_to_luma, rgb_to_y

#: Sums of three products in another order.
FLOAT_TOLERANCE = 1e-10


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def test_studio_y_is_the_formula_of_bt601_worked_by_hand() -> None:
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]]], np.uint8)
    # 16 + 65.481, 16 + 128.553, 16 + 24.966, 16 + 219 · 128 / 255
    expected = [81.481, 144.553, 40.966, 125.92941176470588]
    assert rgb_to_y(primaries, rounded=False)[0] == pytest.approx(expected, abs=FLOAT_TOLERANCE)
    assert rgb_to_y(primaries)[0].tolist() == [81, 145, 41, 126]


def test_a_half_is_rounded_up() -> None:
    # 128.553 · 204 + 24.966 · 68 = 27922.5 = 109.5 · 255, and 128.553 · 44 + 65.481 · 2 + 24.966 · 141 = 36.5 · 255
    halves = np.array([[[0, 204, 68], [2, 44, 141]]], np.uint8)
    assert rgb_to_y(halves, rounded=False)[0] == pytest.approx([125.5, 52.5], abs=FLOAT_TOLERANCE)
    assert rgb_to_y(halves)[0].tolist() == [126, 53]


def test_unrounded_y_agrees_with_scikit_image(noise: np.ndarray) -> None:
    assert np.abs(rgb_to_y(noise, rounded=False) - rgb2ycbcr(noise)[..., 0]).max() < FLOAT_TOLERANCE


def test_rounded_y_of_bytes_and_of_floats_agree(noise: np.ndarray) -> None:
    assert np.array_equal(rgb_to_y(noise), rgb_to_y(noise.astype(np.float64)))
    assert np.abs(rgb_to_y(noise) - rgb_to_y(noise, rounded=False)).max() <= 0.5 + FLOAT_TOLERANCE


def test_full_range_luma_differs_from_studio_y_by_the_ratio_of_ranges(noise: np.ndarray) -> None:
    # BT.601's printed studio weights are 219 times the luma weights, to three decimals.
    assert np.abs((rgb_to_y(noise, rounded=False) - 16) * 255 / 219 - rgb_to_luma(noise)).max() < 1e-3


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_grey_is_full_range_luma_rounded(colour: list[int]) -> None:
    pixel = np.array([[colour]], np.uint8)
    assert abs(int(rgb_to_grey(pixel)[0, 0]) - rgb_to_luma(pixel)[0, 0]) <= 0.5 + FLOAT_TOLERANCE


def test_grey_gives_every_level_back_unchanged() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(rgb_to_grey(np.repeat(levels[None, :, None], 3, axis=2))[0], levels)


@pytest.mark.parametrize("convert", [rgb_to_y, rgb_to_luma, rgb_to_grey])
def test_an_image_without_three_channels_is_refused(convert) -> None:
    with pytest.raises(SettingError, match=r"\(height, width, 3\), not \(4, 5\)"):
        convert(np.zeros((4, 5), np.uint8))
