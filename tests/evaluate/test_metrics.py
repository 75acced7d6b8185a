import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pocketsr.errors import SettingError
from pocketsr.evaluate import metrics, psnr, ssim_gaussian, ssim_uniform

#: float64 sums in another order.
AGREEMENT = 1e-10

SKIMAGE = {
    ssim_uniform: {},
    ssim_gaussian: {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
}
SHAPES = [(11, 11), (40, 33), (40, 33, 3), (11, 200, 3), (130, 12, 3)]
BOTH = pytest.mark.parametrize("ssim", [ssim_uniform, ssim_gaussian])


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 256, shape, np.uint8)
    return np.clip(truth + random.normal(0, 20, shape), 0, 255).astype(np.uint8), truth


def skimage_ssim(image, truth, ssim, data_range=255) -> float:
    axis = 2 if truth.ndim == 3 else None
    return structural_similarity(image, truth, data_range=data_range, channel_axis=axis, **SKIMAGE[ssim])


def test_psnr_of_a_constant_error_is_the_formula_worked_by_hand() -> None:
    # An error of one level everywhere: 20 · log10(255) = 48.1308036...
    assert psnr(np.full((3, 4), 8, np.uint8), np.full((3, 4), 7, np.uint8)) == pytest.approx(48.130803608679, abs=1e-11)
    # A quarter of the pixels wrong by 2: mean square 1.
    image = np.array([[0, 0], [0, 2]])
    assert psnr(image, np.zeros((2, 2))) == pytest.approx(48.130803608679, abs=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    image, truth = pair(shape)
    assert psnr(image, truth) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=255), abs=AGREEMENT)


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_agrees_with_scikit_image(ssim, shape: tuple[int, ...]) -> None:
    image, truth = pair(shape)
    assert ssim(image, truth) == pytest.approx(skimage_ssim(image, truth, ssim), abs=AGREEMENT)


@BOTH
def test_ssim_of_smooth_images_agrees_with_scikit_image(ssim) -> None:
    rows, columns = np.mgrid[0:64, 0:50]
    truth = (2.0 * rows + columns)[..., None] + np.zeros(3)
    assert ssim(truth + 3, truth) == pytest.approx(skimage_ssim(truth + 3, truth, ssim), abs=AGREEMENT)


@BOTH
def test_ssim_of_unit_range_images_agrees_with_scikit_image(ssim) -> None:
    image, truth = (value / 255 for value in pair((30, 30, 3)))
    assert ssim(image, truth, data_range=1) == pytest.approx(skimage_ssim(image, truth, ssim, 1), abs=AGREEMENT)


@BOTH
@pytest.mark.parametrize("values", [1, 1000, 1 << 30])
def test_the_bands_that_ssim_works_in_do_not_show(ssim, values: int, monkeypatch) -> None:
    image, truth = pair((61, 20, 3))
    monkeypatch.setattr(metrics, "_BAND_VALUES", values)
    assert ssim(image, truth) == pytest.approx(skimage_ssim(image, truth, ssim), abs=AGREEMENT)


@BOTH
def test_ssim_averages_the_channels(ssim) -> None:
    image, truth = pair((20, 20, 3))
    channels = [ssim(image[..., channel], truth[..., channel]) for channel in range(3)]
    assert ssim(image, truth) == pytest.approx(sum(channels) / 3, abs=AGREEMENT)


def test_equal_images_are_infinitely_good() -> None:
    image, _ = pair((20, 20, 3))
    assert psnr(image, image) == math.inf
    assert psnr(image / 255, image / 255) == math.inf
    assert ssim_uniform(image, image) == pytest.approx(1, abs=AGREEMENT)
    assert ssim_gaussian(image, image) == pytest.approx(1, abs=AGREEMENT)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(11, 30), st.integers(11, 30))
def test_metrics_do_not_mind_order_turning_or_type(seed: int, height: int, width: int) -> None:
    image, truth = pair((height, width, 3), seed)
    for metric in (psnr, ssim_uniform, ssim_gaussian):
        value = metric(image, truth)
        assert metric(truth, image) == pytest.approx(value, abs=AGREEMENT)
        assert metric(image[::-1, ::-1], truth[::-1, ::-1]) == pytest.approx(value, abs=AGREEMENT)
        assert metric(image.astype(np.float64), truth.astype(np.float64)) == pytest.approx(value, abs=AGREEMENT)
        assert metric(image / 255, truth / 255, data_range=1) == pytest.approx(value, abs=AGREEMENT)


def test_bytes_do_not_wrap_around() -> None:
    black, white = np.zeros((11, 11), np.uint8), np.full((11, 11), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0
    assert ssim_gaussian(black, white) == pytest.approx(1e-4 / (1 + 1e-4), abs=AGREEMENT)  # only C1 is left


@pytest.mark.parametrize("metric", [psnr, ssim_uniform, ssim_gaussian])
def test_images_of_two_shapes_are_refused(metric) -> None:
    with pytest.raises(SettingError, match="one shape"):
        metric(np.zeros((20, 20)), np.zeros((20, 21)))


@pytest.mark.parametrize(("ssim", "side"), [(ssim_uniform, 7), (ssim_gaussian, 11)])
def test_an_image_smaller_than_the_window_is_refused(ssim, side: int) -> None:
    fits, small = np.zeros((side, side)), np.zeros((side, side - 1))
    assert ssim(fits, fits) == 1
    with pytest.raises(SettingError, match=f"at least {side}×{side}"):
        ssim(small, small)


def test_images_without_pixels_are_refused() -> None:
    with pytest.raises(SettingError, match="at least one pixel"):
        psnr(np.zeros((0, 4)), np.zeros((0, 4)))
