from __future__ import annotations

import numpy as np
import pytest

from pocketsr.image import resize_bicubic
from pocketsr.video.resample import chroma_shift, enlarge_plane


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(9, 11), (1, 2), (4, 5, 3)])
def test_centred_planes_are_those_of_resize_bicubic(scale: int, shape: tuple[int, ...]) -> None:
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    expected = resize_bicubic(plane, shape[0] * scale, shape[1] * scale, border="edge")
    assert np.abs(enlarge_plane(plane, scale) - expected).max() < 1e-6


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chroma_on_the_left_stays_over_its_luma(scale: int) -> None:
    """A ramp over places of luma is the same ramp after enlarging both."""
    luma_places = np.arange(40.0)
    chroma = np.tile(luma_places[::2], (8, 1))
    shift = chroma_shift(scale, subsampled_across=True)
    enlarged = enlarge_plane(chroma, scale, shift=shift)[0]
    luma = enlarge_plane(np.tile(luma_places, (8, 1)), scale)[0]
    inner = slice(5 * scale, -5 * scale)
    assert np.abs(enlarged[inner] - luma[::2][inner]).max() < 1e-4
