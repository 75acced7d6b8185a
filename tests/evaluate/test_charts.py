"""The charts are as smooth as 8 bits allow, and the figures read off them are those of known faults."""

from __future__ import annotations

import numpy as np
import pytest

from pocketsr.evaluate import bicubic
from pocketsr.evaluate.charts import RAMP_LEVELS, cell_pattern, edge, flat, ramps, step_height


def test_a_ramp_passes_each_of_its_levels_and_none_twice() -> None:
    for name, image in ramps():
        rising = [channel for channel in range(3) if np.ptp(image[:, :, channel])]
        assert len(rising) == (3 if name.startswith("grey") else 1), name
        for channel in rising:
            assert len(np.unique(image[:, :, channel])) == RAMP_LEVELS, name
            for axis in (0, 1):
                assert set(np.unique(np.diff(image[:, :, channel].astype(int), axis=axis))) <= {0, 1}, name


def test_every_colour_rises_in_every_direction_in_shadows_middle_and_lights() -> None:
    names = [name for name, _ in ramps()]
    assert len(set(names)) == 4 * 3 * 3
    images = dict(ramps())
    across, down, diagonal = (images[f"grey ramp {way} from 96"] for way in ("across", "down", "diagonal"))
    assert np.array_equal(across, down.swapaxes(0, 1))
    assert np.ptp(diagonal[0, :, 0]) == np.ptp(diagonal[:, 0, 0])
    assert min(image.min() for image in images.values()) == 0
    assert max(image.max() for image in images.values()) >= 254


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_good_enlarger_makes_steps_of_one_level_and_no_pattern(scale: int) -> None:
    for name, image in ramps():
        made = bicubic(scale)(image) if scale > 1 else image
        assert step_height(made, scale=scale) <= 1.0, name
        assert cell_pattern(made, scale=scale) < 1.0, name


def test_missing_levels_long_treads_and_falling_back_make_taller_steps() -> None:
    ramp = dict(ramps())["grey ramp across from 96"]
    missing = np.where(ramp == 120, 119, ramp).astype(np.uint8)
    long_tread = np.where((ramp >= 120) & (ramp < 126), 120, ramp).astype(np.uint8)
    back = np.where(ramp == 120, 117, ramp).astype(np.uint8)
    heights = [step_height(image, scale=1) for image in (ramp, missing, long_tread, back)]
    assert heights == [1, 2, 6, 4]


def test_borders_are_not_judged() -> None:
    ramp = dict(ramps())["red ramp down from 0"]
    ramp[:8], ramp[-8:], ramp[:, :8], ramp[:, -8:] = 0, 255, 99, 9
    assert step_height(ramp, scale=1) == 1


def test_noise_is_no_pattern() -> None:
    ramp = dict(ramps())["grey ramp diagonal from 96"].repeat(3, axis=0).repeat(3, axis=1)
    noise = np.random.default_rng(0).integers(0, 5, ramp.shape, dtype=np.uint8)
    assert cell_pattern(ramp + noise, scale=3) < 0.3
    ramp[1::3, 2::3, 1] += 3
    assert cell_pattern(ramp, scale=3) == pytest.approx(3)


def test_flat_and_edge_are_black_and_white() -> None:
    assert (flat(255) == 255).all()
    assert (flat(0) == 0).all()
    assert (edge()[:, :8] == 0).all()
    assert (edge()[:, 8:] == 255).all()
