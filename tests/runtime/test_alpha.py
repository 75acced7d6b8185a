from __future__ import annotations

import numpy as np
import pytest

from pocketsr.image import downscale, resize_bicubic
from pocketsr.runtime import Upscaler
from pocketsr.runtime.alpha import alpha_strips


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("abpn-x3", threads=1)


def _soft_shape(size: int, edge: float) -> np.ndarray:
    """A rounded star that fades out over so many pixels, 0..255, sampled 4×4 times a pixel."""
    rows, columns = np.mgrid[0 : 4 * size, 0 : 4 * size] / 4
    down, right = rows - size / 2, columns - size / 2
    distance = np.hypot(down, right) - size * (0.32 + 0.08 * np.sin(9 * np.arctan2(down, right)))
    covered = np.clip(0.5 - distance / edge, 0, 1)
    return np.rint(255 * covered.reshape(size, 4, size, 4).mean(axis=(1, 3)))


def _errors(upscaler: Upscaler, edge: float) -> tuple[float, float]:
    """Root-mean-square errors of the network and of bicubic, in levels."""
    whole = _soft_shape(192, edge).astype(np.uint8)
    small = downscale(whole, 3)
    network = np.concatenate(list(alpha_strips(upscaler, small)))
    made = [image.astype(float) - whole for image in (network, resize_bicubic(small, 192, 192))]
    return tuple(float(np.sqrt((difference**2).mean())) for difference in made)


@pytest.mark.parametrize("edge", [0.5, 1, 2])
def test_soft_edges_have_half_the_error_of_bicubic(upscaler: Upscaler, edge: float) -> None:
    ours, bicubics = _errors(upscaler, edge)
    assert ours <= bicubics / 2


def test_edges_softer_than_a_pixel_of_the_input_are_still_better_than_bicubic(upscaler: Upscaler) -> None:
    ours, bicubics = _errors(upscaler, 4)
    assert ours <= 0.7 * bicubics


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opaque_stays_opaque_and_transparent_transparent(upscaler: Upscaler, dtype: type) -> None:
    white = np.iinfo(dtype).max
    for value in (0, white):
        made = np.concatenate(list(alpha_strips(upscaler, np.full((9, 11), value, dtype))))
        assert made.shape == (27, 33)
        assert (made == value).all()
    alpha = np.zeros((40, 40), dtype)
    alpha[:, 20:] = white
    made = np.concatenate(list(alpha_strips(upscaler, alpha)))
    assert made.dtype == dtype
    assert (made[:, : 3 * 19] == 0).all()
    assert (made[:, 3 * 21 :] == white).all()
