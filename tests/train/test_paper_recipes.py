"""Numbers of the papers that follow from a recipe rather than stand in it, or that our units change."""

from __future__ import annotations

import pytest

from pocketsr.train import Stage, load_recipe
from pocketsr.train.schedule import rate_of


def stage(recipe: str, name: str, *readings: str) -> Stage:
    return next(stage for stage in load_recipe(recipe, readings=readings).stages if stage.name == name)


def test_abpn_s_rate_at_epoch_575_is_the_released_checkpoint_s() -> None:
    assert rate_of(stage("abpn", "float"))(575_000) == 1e-3 / 2**4
    assert rate_of(stage("abpn", "float", "paper"))(575_000) == 1e-3 / 2**2


def test_f2srgan_s_rate_is_halved_once_at_the_start_of_epoch_25_and_ends_as_saved() -> None:
    full = stage("f2srgan", "full")
    rate = rate_of(full)
    assert (rate(24 * 2157 - 1), rate(24 * 2157)) == (5e-5, 2.5e-5)
    assert rate(full.steps - 1) == 2.5e-5
    assert full.steps == 45 * 2157


def test_f2srgan_s_total_variation_weighs_what_the_code_s_does() -> None:
    """There: 2e-8 times the sum over a batch of 16 in 0..255. Here: the mean over images of sums in 0..1."""
    full = stage("f2srgan", "full")
    weights = {term.name: term.weight for term in full.losses}
    assert weights["tv"] == pytest.approx(2e-8 * full.batch * 255)


def test_lrsrn_restarts_five_times_from_half_the_peak() -> None:
    for name, peak in (("scratch", 5e-4), ("fine-tune", 1e-4)):
        one = stage("lrsrn-x2", name)
        rate = rate_of(one)
        starts = [rate(turn * one.steps // 5) for turn in range(5)]
        assert starts == pytest.approx([peak / 2**turn for turn in range(5)])
        assert rate(one.steps - 1) == pytest.approx(1e-6, rel=0.01)


def test_ncnet_s_rates_are_the_five_of_its_code() -> None:
    rate = rate_of(stage("ncnet", "float"))
    assert [rate(step) for step in (0, 50_000, 150_000, 300_000, 400_000)] == pytest.approx(
        [1e-3, 5e-4, 2e-4, 1e-4, 5e-5]
    )


def test_xlsr_s_rate_peaks_at_epoch_50() -> None:
    one = stage("xlsr", "float")
    rate = rate_of(one)
    assert (rate(0), rate(50 * 50)) == pytest.approx((5e-5, 2.5e-3))
    assert rate(one.steps - 1) == pytest.approx(1e-4, rel=0.01)


def test_patches_are_of_the_papers_sizes_at_high_resolution() -> None:
    sides = {
        (recipe, readings): load_recipe(recipe, readings=readings).scale * stage(recipe, name, *readings).patch
        for recipe, name, readings in (
            ("lrsrn-x2", "scratch", ()),
            ("lrsrn-x3", "fine-tune", ()),
            ("imdn", "float", ()),
            ("imdn", "float", ("x2",)),
            ("imdn", "float", ("x3",)),
            ("rtsrn", "float", ("x3",)),
            ("f2srgan", "full", ()),
            ("f2srgan", "full", ("x2",)),
            ("srgan", "gan", ()),
        )
    }
    assert list(sides.values()) == [384, 384, 192, 192, 192, 192, 48, 48, 96]
