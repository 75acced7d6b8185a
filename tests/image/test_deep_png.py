from __future__ import annotations

import io

import numpy as np
import pytest

from pocketsr.image.deep_png import read_deep_png
from pocketsr.image.streaming import write_png_bands
from sample_files import deep_png, deep_samples


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(24, 32), (1, 1), (3, 9)], ids=str)
def test_every_filter_and_channel_is_undone(size: tuple[int, int], channels: int, interlaced: bool) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (*size, channels), np.uint16)
    assert np.array_equal(read_deep_png(io.BytesIO(deep_png(samples, interlaced=interlaced))), samples)


def test_a_transparent_colour_becomes_alpha() -> None:
    samples = deep_samples()
    key = tuple(int(value) for value in samples[3, 5])
    made = read_deep_png(io.BytesIO(deep_png(samples, key=key)))
    assert np.array_equal(made[:, :, :3], samples)
    assert np.array_equal(made[:, :, 3] == 0, (samples == samples[3, 5]).all(axis=2))
    assert made[:, :, 3].max() == 65535


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_in_bands_is_read_back_by_us_and_by_others(channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (9, 13, channels), np.uint16)
    bands = samples[:, :, 0] if channels == 1 else samples
    file = io.BytesIO()
    write_png_bands(file, [bands[:2], bands[2:7], bands[7:]], height=9, options={})
    assert np.array_equal(read_deep_png(file), samples)
    cv2 = pytest.importorskip("cv2")
    theirs = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    if channels in (3, 4):
        assert np.array_equal(theirs[:, :, [2, 1, 0, 3][:channels]], samples)


@pytest.mark.parametrize("size", [60, 200, 400])
def test_a_file_cut_short_is_an_error(size: int) -> None:
    whole = deep_png(np.random.default_rng(0).integers(0, 65536, (24, 32, 3), np.uint16))
    with pytest.raises(ValueError, match=r"cut short|announced"):
        read_deep_png(io.BytesIO(whole[:size]))
