from __future__ import annotations

import numpy as np
import pytest

from pocketsr.image import bleed_colour


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_pixels_take_the_colour_around_and_visible_ones_keep_theirs(dtype: type) -> None:
    white = np.iinfo(dtype).max
    pixels = np.zeros((33, 50, 3), dtype)
    alpha = np.zeros((33, 50), dtype)
    pixels[:, 20:30], alpha[:, 20:30] = (white, white // 2, 0), white // 3
    made = bleed_colour(pixels, alpha)
    assert made.dtype == dtype
    assert np.array_equal(made[:, 20:30], pixels[:, 20:30])
    assert np.abs(made.astype(int) - (white, white // 2, 0)).max() <= 1


def test_nothing_is_done_where_all_is_visible_or_nothing_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for value in (0, 1, 255):
        assert bleed_colour(pixels, np.full((5, 7), value, np.uint8)) is pixels


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (1, 9), (8, 8), (13, 1)], ids=str)
def test_all_sizes_work(size: tuple[int, int]) -> None:
    alpha = np.zeros(size, np.uint8)
    alpha[0, 0] = 255
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[0, 0] = 77
    assert (bleed_colour(pixels, alpha) == 77).all()


def test_nearer_colours_count_more() -> None:
    pixels, alpha = np.zeros((16, 64, 3), np.uint8), np.zeros((16, 64), np.uint8)
    pixels[:, 0], pixels[:, -1] = 200, 20
    alpha[:, 0] = alpha[:, -1] = 255
    made = bleed_colour(pixels, alpha)[8, :, 0].astype(int)
    assert made[1] > 150
    assert made[-2] < 70
