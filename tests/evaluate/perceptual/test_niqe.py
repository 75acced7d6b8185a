from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import correlate
from scipy.special import gamma

from pocketsr.errors import SettingError
from pocketsr.evaluate.perceptual.niqe import (
    NiqeModel,
    figures,
    fit_asymmetric_gaussian,
    luma,
    niqe,
    normalised,
    statistics,
)
from pocketsr.evaluate.perceptual.niqe_model import read_niqe_model
from pocketsr.image import list_images, read_image, resize_bicubic
from sample_photographs import any_niqe_model, photograph

#: The same steps in another order; where nothing is flat only rounding is left.
AGREEMENT = 1e-6
#: Part of the value: what the signs of rounding in flat areas of photographs may do.
AGREEMENT_FLAT = 0.02


def by_the_book(x: np.ndarray, model: NiqeModel) -> float:
    """The authors' steps with SciPy: a window of two dimensions, blocks one by one, NumPy's statistics."""
    rows, columns = np.mgrid[-3:4, -3:4]
    window = np.exp(-(rows**2 + columns**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    down, across = x.shape[0] // 96, x.shape[1] // 96
    x = x[: 96 * down, : 96 * across]
    parts = []
    for side in (96, 48):
        mean = correlate(x, window, mode="nearest")
        structure = (x - mean) / (np.sqrt(np.abs(correlate(x**2, window, mode="nearest") - mean**2)) + 1)
        tops = [(row * side, column * side) for row in range(down) for column in range(across)]
        parts.append([block_by_the_book(structure[r : r + side, c : c + side]) for r, c in tops])
        x = resize_bicubic(x, x.shape[0] // 2, x.shape[1] // 2)
    table = np.concatenate(parts, axis=1)
    covariance = np.cov(table[~np.isnan(table).any(axis=1)], rowvar=False)
    difference = model.mean - np.nanmean(table, axis=0)
    return float(np.sqrt(difference @ np.linalg.pinv((model.covariance + covariance) / 2) @ difference))


def block_by_the_book(block: np.ndarray) -> list[float]:
    shape, left, right = fit_by_the_book(block)
    row = [shape, (left + right) / 2]
    for down, across in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        shape, left, right = fit_by_the_book(block * np.roll(np.roll(block, down, 0), across, 1))
        row += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return row


def fit_by_the_book(values: np.ndarray) -> tuple[float, float, float]:
    shapes = np.arange(0.2, 10.0005, 0.001)
    table = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    left, right = np.sqrt(np.mean(values[values < 0] ** 2)), np.sqrt(np.mean(values[values > 0] ** 2))
    ratio = left / right
    moment = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    shape = shapes[np.argmin((table - moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2) ** 2)]
    return (
        shape,
        left * np.sqrt(gamma(1 / shape) / gamma(3 / shape)),
        right * np.sqrt(gamma(1 / shape) / gamma(3 / shape)),
    )


@pytest.mark.parametrize("shape", [(192, 96), (300, 400), (383, 193)])
def test_it_agrees_with_the_authors_steps_written_with_scipy(shape: tuple[int, int]) -> None:
    image = photograph(*shape)
    assert niqe(image, any_niqe_model()) == pytest.approx(by_the_book(image, any_niqe_model()), rel=AGREEMENT)


@pytest.mark.parametrize(("alpha", "left", "right"), [(2.0, 1.0, 1.0), (0.8, 0.5, 1.5), (3.0, 2.0, 0.7)])
def test_the_fit_finds_what_numbers_were_drawn_from(alpha: float, left: float, right: float) -> None:
    random = np.random.default_rng(0)
    sizes = random.gamma(1 / alpha, size=400_000) ** (1 / alpha)
    is_left = random.random(sizes.size) < left / (left + right)
    found = fit_asymmetric_gaussian(np.where(is_left, -left * sizes, right * sizes))
    assert found == pytest.approx((alpha, left, right), rel=0.02)


def test_colour_is_judged_by_matlabs_whole_luma() -> None:
    image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    assert (luma(image) == np.rint(luma(image))).all()
    assert niqe(image, any_niqe_model()) == niqe(luma(image).astype(np.uint8), any_niqe_model())


def test_what_is_left_over_beyond_whole_blocks_does_not_count() -> None:
    image = photograph(290, 200)
    assert niqe(image, any_niqe_model()) == niqe(image[:288, :192], any_niqe_model())


@pytest.mark.parametrize("level", [16.0, 77.0, 128.0, 235.0, 1 / 3])
def test_flat_areas_are_just_above_zero_whatever_their_level(level: float) -> None:
    image = photograph(192, 192)
    image[50:140, 50:140] = level
    flat = normalised(image)[0][60:130, 60:130]
    assert ((flat > 0) & (flat < 1e-9)).all()


def test_flat_blocks_are_left_out_of_the_covariance() -> None:
    image = photograph(192, 288)
    image[:110, :110] = 5.0
    table = figures(image)
    assert np.isnan(table).any(axis=1).tolist() == [True, False, False, False, False, False]
    assert np.isfinite(niqe(image, any_niqe_model()))
    assert statistics(table)[1] == pytest.approx(np.cov(table[1:], rowvar=False))


def test_a_flat_image_is_refused() -> None:
    with pytest.raises(SettingError, match="flat nearly everywhere"):
        niqe(np.full((200, 200, 3), 40, np.uint8), any_niqe_model())


@pytest.mark.parametrize("shape", [(191, 100), (96, 191, 3)])
def test_images_of_fewer_than_two_blocks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="two blocks of 96×96"):
        niqe(np.zeros(shape, np.uint8), any_niqe_model())


def test_other_shapes_and_types_are_refused() -> None:
    with pytest.raises(SettingError, match="uint8"):
        niqe(np.zeros((200, 200, 3)), any_niqe_model())


@pytest.mark.data
def test_photographs_agree_with_the_authors_steps_and_blur_and_noise_are_worse(data_folder: Path) -> None:
    model = read_niqe_model(data_folder / "metric-weights" / "niqe_pris_params.npz")
    photos = [read_image(file).pixels for file in list_images(data_folder / "benchmarks" / "BSD100")[:6]]
    for photo in photos:
        value = niqe(photo, model)
        assert value == pytest.approx(by_the_book(luma(photo), model), rel=AGREEMENT_FLAT)
        assert 1.5 < value < 6
        random = np.random.default_rng(0)
        for worse in (
            [np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius))) for radius in (1, 2, 3)],
            [np.clip(photo + random.normal(0, s, photo.shape), 0, 255).astype(np.uint8) for s in (15, 30, 60)],
        ):
            values = [value, *(niqe(image, model) for image in worse)]
            assert values == sorted(values)


@pytest.mark.data
def test_set14s_baboon_has_the_value_that_ports_of_the_authors_code_give(data_folder: Path) -> None:
    model = read_niqe_model(data_folder / "metric-weights" / "niqe_pris_params.npz")
    baboon = read_image(data_folder / "benchmarks" / "Set14" / "baboon.png").pixels
    assert niqe(baboon, model) == pytest.approx(5.73, abs=0.005)
