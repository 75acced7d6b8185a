"""Test-time augmentation: the mean over eight orientations, exactly, whatever the tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import pocketsr
from pocketsr.errors import SettingError
from pocketsr.runtime import Upscaler
from pocketsr.runtime import ensemble as module
from pocketsr.runtime.ensemble import ORIENTATIONS, ensemble_strips, turned, turned_back


@pytest.fixture(scope="module")
def plain() -> Upscaler:
    return Upscaler("abpn-x3", threads=1)


@pytest.fixture(scope="module")
def eightfold() -> Upscaler:
    return Upscaler("abpn-x3", threads=1, tta=True)


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _mean(plain: Upscaler, image: np.ndarray) -> np.ndarray:
    made = [turned_back(plain(turned(image, *one)), *one).astype(int) for one in ORIENTATIONS]
    return (np.sum(made, axis=0) + 4) // 8


def test_it_is_the_mean_of_eight_different_orientations(plain: Upscaler, eightfold: Upscaler) -> None:
    image = _image(20, 31, 3)
    assert len({turned(image, *one).tobytes() for one in ORIENTATIONS}) == 8
    assert np.array_equal(eightfold(image), _mean(plain, image))
    assert np.array_equal(eightfold(image[:, :, 0]), _mean(plain, image[:, :, 0]))
    assert not np.array_equal(eightfold(image), plain(image))


def test_it_commutes_with_turning_and_mirroring(eightfold: Upscaler) -> None:
    image = _image(17, 23, 3)
    whole = eightfold(image)
    for one in ORIENTATIONS:
        assert np.array_equal(eightfold(turned(image, *one)), turned(whole, *one))


def test_slabs_and_tiles_do_not_show(plain: Upscaler, eightfold: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    image = _image(70, 40, 3)
    whole = _mean(plain, image)
    tiled = Upscaler("abpn-x3", threads=1, tile=24, tta=True)
    assert np.array_equal(tiled(image), whole)
    monkeypatch.setattr(module, "_SLAB_PIXELS", 40 * 9 * 16)
    strips = list(eightfold.strips(image))
    assert len(strips) > 2
    assert np.array_equal(np.concatenate(strips), whole)


def test_halves_are_rounded_up() -> None:
    values: Iterator[int] = iter([1, 0] * 4)

    def upscale(image: np.ndarray) -> np.ndarray:
        return np.full_like(image, next(values))

    (made,) = ensemble_strips(upscale, np.zeros((2, 2), np.uint8), scale=1, reach=None)
    assert made.tolist() == [[1, 1], [1, 1]]


def test_progress_counts_every_orientation_of_every_slab(eightfold: Upscaler) -> None:
    calls: list[tuple[int, int]] = []
    eightfold(_image(9, 8, 3), on_progress=lambda *call: calls.append(call))
    assert calls == [(number, 8) for number in range(1, 9)]


def test_it_writes_into_an_array_that_is_given(plain: Upscaler, eightfold: Upscaler) -> None:
    image = _image(9, 8, 3)
    out = np.empty((27, 24, 3), np.uint8)
    assert eightfold(image, out=out) is out
    assert np.array_equal(out, _mean(plain, image))
    with pytest.raises(SettingError, match="output needs to be"):
        eightfold(image, out=out[:5])


def test_what_a_call_refuses_is_refused(eightfold: Upscaler) -> None:
    with pytest.raises(SettingError, match="needs to be uint8"):
        eightfold(np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]


def test_arrays_of_any_kind_take_it(plain: Upscaler) -> None:
    image = _image(12, 10, 3)
    assert np.array_equal(pocketsr.upscale(image, "abpn-x3", tta=True, threads=1), _mean(plain, image))
    assert pocketsr.upscale(image.astype(np.uint16) * 257, "abpn-x3", tta=True, threads=1).dtype == np.uint16
    assert np.array_equal(pocketsr.load("abpn-x3", tta=True, threads=1)(image), _mean(plain, image))
