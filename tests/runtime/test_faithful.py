from __future__ import annotations

import numpy as np
import pytest

from pocketsr.image import downscale, resize_bicubic
from pocketsr.runtime import Upscaler, faithful
from pocketsr.runtime.faithful import correct_colour, faithful_strips
from sample_photographs import photograph


def _photo(height: int = 60, width: int = 48) -> np.ndarray:
    planes = [photograph(height, width, seed) for seed in range(3)]
    return np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)


def test_a_shift_of_colour_is_taken_away_and_detail_kept() -> None:
    high = np.clip(_photo(90, 72), 30, 220)
    low = downscale(high, 3)
    shifted = high.astype(int) + np.array([9, -6, 3])
    made = correct_colour(shifted.astype(np.uint8), low)
    assert np.abs(made.astype(int) - high).mean() < 1
    shrunk = resize_bicubic(made.astype(float), *low.shape[:2])
    assert np.abs((shrunk - low).mean(axis=(0, 1))).max() < 0.2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strips_do_not_show(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = Upscaler("abpn-x3", threads=1)
    image = _photo().astype(dtype) * dtype(1 if dtype == np.uint8 else 257)
    whole = np.concatenate(list(faithful_strips(upscaler, image)))
    monkeypatch.setattr(faithful, "_SLAB_PIXELS", 48 * 9 * 8)
    calls: list[tuple[int, int]] = []
    strips = list(faithful_strips(upscaler, image, on_progress=lambda *call: calls.append(call)))
    assert len(strips) > 2
    assert calls[-1] == (len(strips), len(strips))
    assert np.abs(np.concatenate(strips).astype(int) - whole).max() <= 1
    assert whole.dtype == dtype
