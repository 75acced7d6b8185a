from __future__ import annotations

import shutil
from pathlib import Path

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
def exact() -> Upscaler:
    """A model of the catalogue, which has a float32 form."""
    return Upscaler("abpn-x3", threads=1)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Upscaler:
    """The same model as a file of someone's own: there is no other form of it."""
    path = tmp_path_factory.mktemp("model") / "mine.tflite"
    shutil.copy(find("abpn-x3").path, path)
    return Upscaler(path, threads=1)


@pytest.fixture(params=["exact", "alone"])
def upscaler(request: pytest.FixtureRequest) -> Upscaler:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Upscaler)
    return made


def _whole(upscaler: Upscaler, image: np.ndarray) -> np.ndarray:
    return np.concatenate(list(deep_strips(upscaler, image)))


def _ramp(low: float, high: float, height: int = 40, width: int = 96) -> np.ndarray:
    """A sky, in 16 bits, from one level of 8 bits to another."""
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = low + (high - low) * (columns + 0.3 * rows) / (width + 0.3 * height)
    return np.rint(np.stack([ramp, 0.9 * ramp + 3, 0.8 * ramp + 7], axis=2) * LEVEL).astype(np.uint16)


def _error_of(upscaler: Upscaler) -> tuple[float, float]:
    """Mean errors against the float model on the samples themselves, in levels of 8 bits: in 16 bits, and in 8."""
    image = np.stack([photograph(40, 50, seed) for seed in range(3)], axis=2)
    samples = np.rint(np.clip(image, 0, 255) * LEVEL).astype(np.uint16)
    graph, _ = read_model(find("abpn-x3-float").path)
    exact = execute(graph, (samples / np.float32(LEVEL))[None].astype(np.float32))[0].astype(np.float64)
    in_8_bits = upscaler(np.rint(samples / LEVEL).astype(np.uint8))
    return float(np.abs(_whole(upscaler, samples) / LEVEL - exact).mean()), float(np.abs(in_8_bits - exact).mean())


def test_a_model_of_the_catalogue_is_run_in_floating_point_and_exact(exact: Upscaler) -> None:
    assert _error_of(exact)[0] < 0.01
    assert _error_of(Upscaler("abpn-x3-float", threads=1))[0] < 0.01


def test_a_model_without_a_float32_form_adds_no_error_of_8_bits_to_its_own(alone: Upscaler) -> None:
    assert alone.for_16_bits() is alone
    deep_error, flat_error = _error_of(alone)
    assert deep_error < flat_error


def test_the_float32_form_is_opened_once_and_only_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = Upscaler("abpn-x3", threads=1)
    opened: list[object] = []
    real = Upscaler.__init__

    def counted(self: Upscaler, model: Path | str, **options: object) -> None:
        opened.append(model)
        real(self, model, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Upscaler, "__init__", counted)
    upscaler(np.zeros((4, 4, 3), np.uint8))
    assert opened == []
    assert upscaler.for_16_bits() is upscaler.for_16_bits()
    assert opened == [find("abpn-x3-float").path]


@pytest.mark.parametrize(("low", "high"), [(20, 40), (180, 184), (100, 101)])
def test_a_smooth_ramp_shows_no_bands(upscaler: Upscaler, low: float, high: float) -> None:
    ramp = _ramp(low, high)
    made = _whole(upscaler, ramp)[12:-12, 12:-12].astype(float) / LEVEL
    true = resize_bicubic(ramp.astype(float), 120, 288)[12:-12, 12:-12] / LEVEL
    # What is drawn is the ramp, and no step stands out from its neighbours; bands of 8 bits would be whole levels.
    assert np.abs(made - true).max() < 0.1
    assert np.abs(np.diff(made, 2, axis=1)).max() < 0.2
    in_8_bits = upscaler(np.rint(ramp / LEVEL).astype(np.uint8))[12:-12, 12:-12]
    assert np.abs(np.diff(in_8_bits.astype(float), 2, axis=1)).max() >= 1


@pytest.mark.parametrize("slab", ["_SLAB_PIXELS", "_FLOAT_SLAB_PIXELS"])
def test_strips_do_not_show(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch, slab: str) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (70, 40, 3), np.uint16)
    whole = _whole(upscaler, samples)
    monkeypatch.setattr(deep, slab, 40 * 9 * 10)
    strips = list(deep_strips(upscaler, samples))
    assert len(strips) > 3 or upscaler.for_16_bits().takes_levels != (slab == "_FLOAT_SLAB_PIXELS")
    assert np.abs(np.concatenate(strips).astype(int) - whole).max() <= 1


def test_grey_gets_no_colour(upscaler: Upscaler) -> None:
    samples = _ramp(10, 200)[:, :, 0]
    assert _whole(upscaler, samples).shape == (120, 288)


@pytest.mark.parametrize("value", [0, 65535])
def test_black_and_white_stay(upscaler: Upscaler, value: int) -> None:
    made = _whole(upscaler, np.full((9, 9), value, np.uint16)).astype(int)
    assert np.abs(made - value).max() <= (LEVEL // 2 if upscaler.for_16_bits().takes_levels else 0)


@pytest.mark.parametrize(("name", "calls"), [("exact", [(1, 1)]), ("alone", [(1, 2), (2, 2)])])
def test_progress_counts_every_pass(request: pytest.FixtureRequest, name: str, calls: list[tuple[int, int]]) -> None:
    came: list[tuple[int, int]] = []
    list(deep_strips(request.getfixturevalue(name), _ramp(0, 9), on_progress=lambda *call: came.append(call)))
    assert came == calls


def test_the_mean_over_orientations_is_taken_of_unrounded_levels() -> None:
    image = np.stack([photograph(12, 17, seed) for seed in range(3)], axis=2)
    samples = np.rint(np.clip(image, 0, 255) * LEVEL).astype(np.uint16)
    once, mean = (_whole(Upscaler("abpn-x3", threads=1, tta=tta), samples).astype(int) for tta in (False, True))
    assert mean.shape == once.shape
    assert 0 < np.abs(mean - once).mean() < 8 * LEVEL
    assert len(np.unique(mean % LEVEL)) > 200, "all bits are used"
