"""Patches are aligned, repeatable, and the same for any number of workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.choice import Choice
from pocketsr.data import Pair, PatchSampler, load_pairs, stream_batches
from pocketsr.errors import DataError, SettingError
from pocketsr.image import downscale


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Pairs whose two sides say where they are: high holds low's numbers, each repeated."""
    random = np.random.default_rng(0)
    made = []
    for size in ((20, 24), (16, 30), (9, 9)):
        low = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        made.append(Pair(low, low.repeat(3, axis=0).repeat(3, axis=1), "x"))
    return made


def sampler(pairs: list[Pair], **options: object) -> PatchSampler:
    return PatchSampler(pairs, **{"patch": 12, "batch": 5, "seed": 1, **options})


def choices(*names: str) -> tuple[Choice, ...]:
    return tuple(Choice(name=name) for name in names)


def test_both_sides_of_a_patch_show_the_same_place(pairs: list[Pair]) -> None:
    for step in range(20):
        batch = sampler(pairs, augmentations=choices("flip", "transpose", "shuffle-colours")).batch_at(step)
        assert batch.low.shape == (5, 12, 12, 3)
        assert np.array_equal(batch.high, batch.low.repeat(3, axis=1).repeat(3, axis=2))


def test_a_step_always_gives_the_same_batch_and_another_seed_another(pairs: list[Pair]) -> None:
    first = sampler(pairs).batch_at(7)
    assert np.array_equal(first.low, sampler(pairs).batch_at(7).low)
    assert not np.array_equal(first.low, sampler(pairs).batch_at(8).low)
    assert not np.array_equal(first.low, sampler(pairs, seed=2).batch_at(7).low)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_any_number_of_workers_gives_the_same_stream(pairs: list[Pair], workers: int) -> None:
    stream = list(stream_batches(sampler(pairs), 3, 12, workers=workers))
    assert len(stream) == 9
    for step, batch in enumerate(stream, 3):
        assert np.array_equal(batch.low, sampler(pairs).batch_at(step).low)


def test_augmentations_reach_every_symmetry_and_only_those_asked_for(pairs: list[Pair]) -> None:
    one = [Pair(pairs[2].low, pairs[2].high, "x")]
    seen = {augmentations: set() for augmentations in ((), ("flip",), ("flip", "transpose"))}
    for augmentations, patches in seen.items():
        for step in range(40):
            patches.add(
                sampler(one, patch=9, batch=1, augmentations=choices(*augmentations)).batch_at(step).low.tobytes()
            )
    assert [len(patches) for patches in seen.values()] == [1, 4, 8]


def test_images_smaller_than_a_patch_are_an_error_only_when_there_are_no_others(pairs: list[Pair]) -> None:
    sampler(pairs, patch=16)
    with pytest.raises(DataError, match="smaller patch"):
        sampler(pairs, patch=40)


def test_pairs_of_a_folder_are_made_by_the_field_s_bicubic(image_folder: Path) -> None:
    pairs = load_pairs(image_folder, scale=3)
    assert [pair.name for pair in pairs] == [f"{index}.png" for index in range(6)]
    for pair in pairs:
        assert pair.high.shape == (96, 108, 3)
        assert np.array_equal(pair.low, downscale(pair.high, 3))


def test_the_number_of_threads_does_not_change_the_pairs(image_folder: Path) -> None:
    one, three = (load_pairs(image_folder, scale=4, workers=workers) for workers in (1, 3))
    assert all(np.array_equal(a.low, b.low) for a, b in zip(one, three, strict=True))


def test_shrinking_adds_smaller_pairs(image_folder: Path) -> None:
    pairs = load_pairs(image_folder, scale=3, shrink=(1.0, 0.5))
    assert [pair.high.shape[:2] for pair in pairs[:2]] == [(96, 108), (48, 54)]
    with pytest.raises(DataError, match="above 0"):
        load_pairs(image_folder, scale=3, shrink=(1.5,))


EVERYTHING = choices("flip", "transpose", "shuffle-colours", "intensity", "mixup", "cutblur")


@given(world=st.integers(1, 4), step=st.integers(0, 50), fixed_crops=st.sampled_from([0, 5]))
@settings(max_examples=20, deadline=None)
def test_processes_draw_the_parts_of_one_batch(pairs: list[Pair], world: int, step: int, fixed_crops: int) -> None:
    options = {"batch": 12, "augmentations": EVERYTHING, "fixed_crops": fixed_crops}
    whole = sampler(pairs, **options).batch_at(step)
    for rank in range(world):
        part = sampler(pairs, **options, rank=rank, world=world).batch_at(step)
        assert np.array_equal(part.low, whole.low[rank::world])
        assert np.array_equal(part.high, whole.high[rank::world])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch": 0}, "patch and batch must be 1 or more"),
        ({"batch": 0}, "patch and batch must be 1 or more"),
        ({"fixed_crops": -1}, "fixed_crops 0 or more, not 12, 5 and -1"),
        ({"world": 0}, "rank must be 0 to world − 1, not 0 of 0 processes"),
        ({"rank": 5, "world": 5}, "not 5 of 5"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(pairs: list[Pair], options: dict[str, int], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        sampler(pairs, **options)


@pytest.mark.parametrize("none", [(), {}, {3: ()}])
def test_no_images_at_all_are_an_error(none: object) -> None:
    with pytest.raises(DataError, match="there are no training images"):
        sampler(none)  # type: ignore[arg-type]


def test_a_batch_that_cannot_be_shared_out_is_refused(pairs: list[Pair]) -> None:
    with pytest.raises(SettingError, match="a batch of 5 cannot be shared out evenly to 2 processes"):
        sampler(pairs, world=2)


def test_of_several_scales_one_is_drawn_for_each_batch(pairs: list[Pair]) -> None:
    twice = [Pair(pair.low, pair.low.repeat(2, axis=0).repeat(2, axis=1), "x") for pair in pairs]
    both = {2: twice, 3: pairs}
    scales = []
    for step in range(40):
        batch, part = (sampler(both, batch=4, world=world).batch_at(step) for world in (1, 2))  # type: ignore[arg-type]
        assert np.array_equal(batch.high, batch.low.repeat(batch.scale, axis=1).repeat(batch.scale, axis=2))
        assert part.scale == batch.scale
        scales.append(batch.scale)
    assert 10 < scales.count(2) < 30


def test_fixed_crops_come_again_and_again(pairs: list[Pair]) -> None:
    chosen = sampler(pairs, batch=3, fixed_crops=6)
    first, second, third = (chosen.batch_at(step).low for step in range(3))
    assert np.array_equal(first, third)
    assert not np.array_equal(first, second)


def test_fixed_crops_go_on_across_batches_with_all_their_changes(pairs: list[Pair]) -> None:
    noise = [Choice(name="bicubic"), Choice(name="noise")]
    chosen = sampler(pairs, batch=3, fixed_crops=4, augmentations=EVERYTHING, degradation=noise)
    batches = [chosen.batch_at(step) for step in range(4)]
    low = np.concatenate([batch.low for batch in batches])
    high = np.concatenate([batch.high for batch in batches])
    assert np.array_equal(low, np.tile(low[:4], (3, 1, 1, 1)))
    assert np.array_equal(high, np.tile(high[:4], (3, 1, 1, 1)))
    assert len({patch.tobytes() for patch in low}) == 4


def test_patches_degraded_by_themselves_are_drawn_anew(pairs: list[Pair]) -> None:
    noise = [Choice(name="bicubic"), Choice(name="noise")]
    chosen = sampler(pairs, fixed_crops=0, augmentations=(), degradation=noise)
    batch = chosen.batch_at(0)
    assert all(
        np.abs(low.astype(int) - downscale(high, 3)).std() < 10 and not np.array_equal(low, downscale(high, 3))
        for low, high in zip(batch.low, batch.high, strict=True)
    )
    assert np.array_equal(batch.low, chosen.batch_at(0).low)


def test_images_that_are_too_small_are_counted(pairs: list[Pair]) -> None:
    assert sampler(pairs).left_out == 1
    with pytest.raises(DataError, match=r"no training image has 40×40 .* at ×3; the largest of 3 has 20×24"):
        sampler(pairs, patch=40)
