"""Changes keep both sides of a patch aligned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pocketsr.choice import Choice
from pocketsr.data import AUGMENTATIONS, Pair, PatchSampler, make_augmentations
from pocketsr.data.augment import Patch
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.image import downscale, resize_bicubic


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Smooth images, so that shrinking a patch is the patch of the shrunk but for rounding and borders."""
    made = []
    for phase in range(3):
        rows, columns = np.mgrid[0:96, 0:120]
        waves = [127 + 100 * np.sin(rows / (20 + phase) + k) * np.cos(columns / 25 + k) for k in range(3)]
        high = np.stack(waves, axis=2).astype(np.uint8)
        made.append(Pair(downscale(high, 2), high, f"{phase}.png"))
    return made


def sampler(pairs: list[Pair], *names: str, **options: Any) -> PatchSampler:
    chosen = [Choice(name=name, options=options) for name in names]
    return PatchSampler(pairs, patch=16, batch=8, seed=0, augmentations=chosen)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "rotate-any"])
def test_shrinking_the_high_side_gives_the_low_side(pairs: list[Pair], name: str) -> None:
    batch = sampler(pairs, name).batch_at(0)
    plain = sampler(pairs).batch_at(0)
    assert not np.array_equal(batch.high, plain.high)
    for low, high in zip(batch.low, batch.high, strict=True):
        inner = (slice(3, -3), slice(3, -3))  # the border of a patch is mirrored in shrinking, that of an image is not
        assert np.abs(downscale(high, 2)[inner].astype(int) - low[inner]).max() <= 2


def test_shuffled_colours_are_a_permutation(pairs: list[Pair]) -> None:
    shuffled, plain = sampler(pairs, "shuffle-colours", probability=1.0).batch_at(0), sampler(pairs).batch_at(0)
    for one, other in zip(shuffled.high, plain.high, strict=True):
        assert sorted(one[..., k].tobytes() for k in range(3)) == sorted(other[..., k].tobytes() for k in range(3))


def test_intensity_darkens_by_one_of_the_factors(pairs: list[Pair]) -> None:
    dark, plain = sampler(pairs, "intensity", factors=[0.5]).batch_at(0), sampler(pairs).batch_at(0)
    assert np.array_equal(dark.high, np.rint(plain.high * 0.5))
    assert np.array_equal(dark.low, np.rint(plain.low * 0.5))


def test_mixup_blends_two_patches_in_the_same_shares() -> None:
    flat = [Pair(np.full((20, 20, 3), v, np.uint8), np.full((40, 40, 3), v, np.uint8), "x") for v in (0, 200)]
    shades = set()
    for step in range(5):
        batch = sampler(flat, "mixup", probability=1.0).batch_at(step)
        for low, high in zip(batch.low, batch.high, strict=True):
            assert low.min() == low.max() == high.min() == high.max()
            shades.add(int(low[0, 0, 0]))
    assert len(shades - {0, 200}) > 5


def test_cutblur_changes_a_rectangle_and_leaves_the_rest() -> None:
    random = np.random.default_rng(0)
    high = random.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    noisy = [Pair(downscale(high, 2), high, "x")]
    cut, plain = sampler(noisy, "cutblur", probability=1.0).batch_at(0), sampler(noisy).batch_at(0)
    for one, other in zip(cut.high, plain.high, strict=True):
        rows, columns = np.nonzero((one != other).any(axis=2))
        assert rows.min() % 2 == columns.min() % 2 == 0
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert one[box].std() < other[box].std() or one[box].size <= 12


def test_cutblur_softens_the_low_side_in_the_same_rectangle() -> None:
    high = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    noisy = [Pair(downscale(high, 2), high, "x")]
    cut, plain = sampler(noisy, "cutblur", probability=1.0).batch_at(0), sampler(noisy).batch_at(0)
    for index in range(len(cut.low)):
        changed = (cut.high[index] != plain.high[index]).any(axis=2)
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) // 2 for axis in (1, 0))
        inside = np.zeros((16, 16), bool)
        inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        assert np.array_equal(cut.low[index][~inside], plain.low[index][~inside])
        soft = downscale(resize_bicubic(downscale(plain.high[index], 2), 32, 32), 2)
        assert np.array_equal(cut.low[index][inside], soft[inside])
        assert not np.array_equal(cut.low[index][inside], plain.low[index][inside])


def test_rotation_needs_its_low_side_made_afterwards(pairs: list[Pair]) -> None:
    with pytest.raises(SettingError, match="degrade_patches"):
        sampler(pairs, "rotate-any")
    chosen = [Choice(name="rotate-any", options={"probability": 1.0, "degrees": 45.0})]
    bicubic = [Choice(name="bicubic")]
    turning = PatchSampler(pairs, patch=16, batch=8, seed=0, augmentations=chosen, degradation=bicubic)
    batch = turning.batch_at(0)
    assert (batch.high[:, 0, 0] == 0).all(axis=1).any()  # black corners
    assert all(np.array_equal(downscale(high, 2), low) for low, high in zip(batch.low, batch.high, strict=True))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("mixup", {"alpha": 0}, "alpha is above 0"),
        ("mixup", {"probability": 2}, "probability is 0 to 1, not 2"),
        ("cutblur", {"ratio": 0}, "ratio is above 0"),
        ("mixup", {"alpha": "1"}, "alpha is a number, not '1'"),
        ("shuffle-colours", {"probability": True}, "probability is a number, not True"),
        ("intensity", {"factors": []}, "factors are above 0"),
        ("intensity", {"factors": 0.5}, "factors are above 0 and up to 1, one or more, not 0.5"),
        ("intensity", {"factors": [0.5, "x"]}, "each factor is above 0 and up to 1, not 'x'"),
        ("rotate-any", {"degrees": -5.0}, "degrees is above 0 and up to 180, not -5.0"),
        ("flip", {"probability": 0.5}, "its options: none"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    pairs: list[Pair], name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        sampler(pairs, name, **options)


def test_unknown_augmentations_are_refused(pairs: list[Pair]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'flip'"):
        sampler(pairs, "flp")


@pytest.mark.parametrize("name", ["flip", "transpose"])
def test_symmetries_copy_nothing(pairs: list[Pair], name: str) -> None:
    (change,) = make_augmentations([Choice(name=name)], degrades_patches=False)
    whole = Patch(pairs[0].low, pairs[0].high, 2)
    for seed in range(8):
        changed = change(whole, np.random.default_rng(seed), lambda: whole)
        assert changed.low is not None
        assert np.shares_memory(changed.low, pairs[0].low)
        assert np.shares_memory(changed.high, pairs[0].high)
