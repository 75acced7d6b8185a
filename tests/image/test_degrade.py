"""Degradations are what they are named after, and the same in every run."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pocketsr.choice import Choice
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.image import check_degradation, downscale, make_degradation
from pocketsr.image import degrade as degrade_once


def picture(height: int = 48, width: int = 60) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(rows / 5) * np.cos(columns / 7)
    return np.stack([waves, 255 - waves, waves / 2], axis=2).astype(np.uint8)


def degrade(image: np.ndarray, *chain: Choice, scale: int = 3, seed: int = 0) -> np.ndarray:
    return make_degradation(chain, scale)(image, np.random.default_rng(seed))


#: In grey levels: of the result to 8 bits, and of a kernel that ends at four deviations.
ROUNDING, KERNEL_END = 0.5, 0.05
BICUBIC, PIL = Choice(name="bicubic"), Choice(name="pil-bicubic")


def jpeg(**options: object) -> Choice:
    return Choice(name="jpeg", options=options)


def test_bicubic_is_the_field_s() -> None:
    assert np.array_equal(degrade(picture(), BICUBIC), downscale(picture(), 3))


def test_pil_bicubic_is_pillow_s_on_whole_blocks() -> None:
    expected = Image.fromarray(picture()[:, :60]).resize((20, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(degrade(picture(50, 62), PIL), degrade(picture(50, 62)[:48, :60], PIL))
    assert np.array_equal(degrade(picture(), PIL), np.asarray(expected))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_jpeg_gives_pillow_s_pixels(subsampling: str) -> None:
    file = io.BytesIO()
    Image.fromarray(downscale(picture(), 3)).save(file, "JPEG", quality=90, subsampling=subsampling)
    expected = np.asarray(Image.open(file))
    assert np.array_equal(degrade(picture(), BICUBIC, jpeg(quality=90, subsampling=subsampling)), expected)


def test_a_range_is_drawn_from_and_a_number_is_not() -> None:
    drawn = {degrade(picture(), BICUBIC, jpeg(quality=[10, 95]), seed=seed).tobytes() for seed in range(8)}
    assert len(drawn) > 4
    fixed = {degrade(picture(), BICUBIC, jpeg(quality=50), seed=seed).tobytes() for seed in range(8)}
    assert len(fixed) == 1


def test_noise_has_its_level_and_can_be_grey() -> None:
    grey = np.full((90, 90, 3), 128, np.uint8)
    noisy = degrade(grey, BICUBIC, Choice(name="noise", options={"level": 8})).astype(float) - 128
    assert noisy.std() == pytest.approx(8, rel=0.1)
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 0.2
    same = degrade(grey, BICUBIC, Choice(name="noise", options={"level": 8, "grey": True}))
    assert (same == same[..., :1]).all()


def test_blur_before_shrinking_softens_and_keeps_the_mean() -> None:
    sharp = np.zeros((90, 90, 3), np.uint8)
    sharp[:, 45:] = 240
    soft = degrade(sharp, Choice(name="blur", options={"sigma": 6.0}), BICUBIC)
    plain = degrade(sharp, BICUBIC)
    assert np.abs(np.diff(soft.astype(int), axis=1)).max() < 0.5 * np.abs(np.diff(plain.astype(int), axis=1)).max()
    assert soft.mean() == pytest.approx(plain.mean(), abs=2)


def blur(sigma: float) -> Choice:
    return Choice(name="blur", options={"sigma": sigma})


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.6, 5.0])
def test_blur_is_the_gaussian(sigma: float) -> None:
    """The sum over all pixels of an image that is mirrored on and on, in float64, without a kernel's end."""
    image = np.random.default_rng(0).integers(0, 256, (13, 10, 3), dtype=np.uint8)
    expected = image.astype(np.float64)
    for axis in (0, 1):
        size = image.shape[axis]
        places = np.arange(-20 * size, 20 * size)
        weights = np.exp(-0.5 * ((places - np.arange(size)[:, None]) / sigma) ** 2)
        folded = np.minimum(places % (2 * size), 2 * size - 1 - places % (2 * size))
        matrix = np.zeros((size, size))
        np.add.at(matrix, (slice(None), folded), weights / weights.sum(axis=1, keepdims=True))
        expected = np.moveaxis(np.tensordot(matrix, expected, (1, axis)), 0, axis)
    blurred = degrade(image, blur(sigma), BICUBIC, scale=1)
    assert np.abs(blurred - expected).max() < ROUNDING + KERNEL_END


def test_blur_of_nothing_changes_nothing() -> None:
    assert np.array_equal(degrade(picture(), blur(0), BICUBIC), degrade(picture(), BICUBIC))


def test_a_step_works_on_the_image_as_it_stands_there() -> None:
    random = np.random.default_rng(0)
    shrunk = downscale(picture(), 3)
    assert np.array_equal(
        degrade(picture(), BICUBIC, blur(1.0)), make_degradation((blur(1.0), BICUBIC), 1)(shrunk, random)
    )
    assert not np.array_equal(degrade(picture(), BICUBIC, blur(1.0)), degrade(picture(), blur(1.0), BICUBIC))


def test_one_image_is_degraded_as_many_are() -> None:
    chain = (BICUBIC, Choice(name="noise"), jpeg(quality=[30, 90]))
    once = degrade_once(picture(), 3, chain, np.random.default_rng(4))
    assert np.array_equal(once, degrade(picture(), *chain, seed=4))


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ((), "exactly once, by bicubic or pil-bicubic; this is empty"),
        ((jpeg(),), "exactly once"),
        ((BICUBIC, PIL), "this is bicubic, pil-bicubic"),
        ((BICUBIC, jpeg(quality=101)), r"quality is a number or \[low, high\] within 1..100, not 101"),
        ((BICUBIC, jpeg(quality=[90, 10])), "quality is"),
        ((BICUBIC, jpeg(quality="high")), "quality is"),
        ((BICUBIC, jpeg(subsampling="4:1:1")), "subsampling is"),
        ((BICUBIC, Choice(name="noise", options={"levl": 1})), "its options: level, grey"),
        ((BICUBIC, Choice(name="noise", options={"grey": "no"})), "grey is true or false, not 'no'"),
    ],
)
def test_chains_that_make_no_sense_are_refused(chain: tuple[Choice, ...], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        make_degradation(chain, 3)
    with pytest.raises(SettingError, match=words):
        check_degradation(chain)


def test_unknown_steps_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'bicubic'"):
        make_degradation((Choice(name="bicubik"),), 3)
