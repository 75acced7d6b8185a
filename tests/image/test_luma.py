"""Colour images through a function that knows brightness only."""

from __future__ import annotations

import numpy as np
import pytest

from pocketsr.errors import SettingError
from pocketsr.image import enlarge_by_luma, resize_bicubic


def bicubic(luma: np.ndarray) -> np.ndarray:
    return resize_bicubic(luma.astype(np.float64), 2 * luma.shape[0], 2 * luma.shape[1])


def test_with_bicubic_luma_it_is_bicubic_colour() -> None:
    image = np.random.default_rng(0).integers(60, 190, (9, 7, 3), dtype=np.uint8)
    expected = resize_bicubic(image.astype(np.float64), 18, 14)
    assert np.abs(enlarge_by_luma(image, 2, bicubic) - expected).max() <= 0.51


@pytest.mark.parametrize("level", [0, 1, 90, 254, 255])
def test_grey_black_and_white_stay_what_they_are(level: int) -> None:
    image = np.full((4, 5, 3), level, np.uint8)
    assert np.all(enlarge_by_luma(image, 2, bicubic) == level)


def test_the_function_sees_studio_range_luma() -> None:
    seen: list[np.ndarray] = []
    image = np.zeros((2, 2, 3), np.uint8)
    image[0] = 255
    enlarge_by_luma(image, 2, lambda luma: [seen.append(luma), bicubic(luma)][1])
    assert seen[0].tolist() == [[235, 235], [16, 16]]


def test_grey_arrays_are_refused() -> None:
    with pytest.raises(SettingError, match="height, width, 3"):
        enlarge_by_luma(np.zeros((4, 4), np.uint8), 2, bicubic)
