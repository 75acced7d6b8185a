from __future__ import annotations

import numpy as np
import pytest

from pocketsr.image import resize_bicubic
from pocketsr.video.resample import enlarge_plane


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(9, 11), (1, 2), (4, 5, 3)])
def test_centred_planes_are_those_of_resize_bicubic(scale: int, shape: tuple[int, ...]) -> None:
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    expected = resize_bicubic(plane, shape[0] * scale, shape[1] * scale, border="edge")
    assert np.abs(enlarge_plane(plane, scale) - expected).max() < 1e-6
