from __future__ import annotations

import numpy as np
import pytest

from pocketsr.graph.reference import execute
from pocketsr.graph.tflite import read_model
from pocketsr.image import resize_bicubic
from pocketsr.runtime import Upscaler, deep
from pocketsr.runtime.deep import deep_strips
from pocketsr.weights import find
from sample_photographs import photograph

LEVEL = 257


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("abpn-x3", threads=1)


def _whole(upscaler: Upscaler, image: np.ndarray) -> np.ndarray:
    return np.concatenate(list(deep_strips(upscaler, image)))


def _ramp(low: float, high: float, height: int = 40, width: int = 96) -> np.ndarray:
    """A sky, in 16 bits, from one level of 8 bits to another."""
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = low + (high - low) * (columns + 0.3 * rows) / (width + 0.3 * height)
    return np.rint(np.stack([ramp, 0.9 * ramp + 3, 0.8 * ramp + 7], axis=2) * LEVEL).astype(np.uint16)


def _error_of(model: str, samples: np.ndarray) -> tuple[float, float]:
    """Mean errors against the float model on the samples themselves, in levels of 8 bits: in 16 bits, and in 8."""
    graph, _ = read_model(find("abpn-x3-float").path)
    exact = execute(graph, (samples / np.float32(LEVEL))[None].astype(np.float32))[0].astype(np.float64)
    upscaler = Upscaler(model, threads=1)
    in_8_bits = upscaler(np.rint(samples / LEVEL).astype(np.uint8))
    return float(np.abs(_whole(upscaler, samples) / LEVEL - exact).mean()), float(np.abs(in_8_bits - exact).mean())


def test_the_error_against_floating_point_is_below_half_a_level() -> None:
    image = np.stack([photograph(40, 50, seed) for seed in range(3)], axis=2)
    samples = np.rint(np.clip(image, 0, 255) * LEVEL).astype(np.uint16)
    deep_error, flat_error = _error_of("abpn-x3-float", samples)
    assert deep_error <= 0.5
    assert deep_error < flat_error
    # An int8 model has an error of its own, to which nothing is added.
    deep_error, flat_error = _error_of("abpn-x3", samples)
    assert deep_error < flat_error


@pytest.mark.parametrize(("low", "high"), [(20, 40), (180, 184), (100, 101)])
def test_a_smooth_ramp_shows_no_bands(upscaler: Upscaler, low: float, high: float) -> None:
    ramp = _ramp(low, high)
    made = _whole(upscaler, ramp)[12:-12, 12:-12].astype(float) / LEVEL
    true = resize_bicubic(ramp.astype(float), 120, 288)[12:-12, 12:-12] / LEVEL
    assert np.abs(made - true).max() < 0.02
    # Next to each other, steps differ by next to nothing; bands of 8 bits would be whole levels.
    assert np.abs(np.diff(made, 2, axis=1)).max() < 0.02
    in_8_bits = upscaler(np.rint(ramp / LEVEL).astype(np.uint8))[12:-12, 12:-12]
    assert np.abs(np.diff(in_8_bits.astype(float), 2, axis=1)).max() >= 1


def test_strips_do_not_show(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (70, 40, 3), np.uint16)
    whole = _whole(upscaler, samples)
    monkeypatch.setattr(deep, "_SLAB_PIXELS", 40 * 9 * 10)
    strips = list(deep_strips(upscaler, samples))
    assert len(strips) > 3
    assert np.abs(np.concatenate(strips).astype(int) - whole).max() <= 1


def test_grey_gets_no_colour(upscaler: Upscaler) -> None:
    samples = _ramp(10, 200)[:, :, 0]
    assert _whole(upscaler, samples).shape == (120, 288)


def test_black_and_white_stay(upscaler: Upscaler) -> None:
    for value in (0, 65535):
        assert (_whole(upscaler, np.full((9, 9), value, np.uint16)) == value).all()


def test_progress_counts_every_pass(upscaler: Upscaler) -> None:
    calls: list[tuple[int, int]] = []
    list(deep_strips(upscaler, _ramp(0, 9), on_progress=lambda *call: calls.append(call)))
    assert calls == [(1, 2), (2, 2)]
