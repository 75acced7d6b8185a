"""PSNR and SSIM agree with scikit-image to 1e-10."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pocketsr.errors import SettingError
from pocketsr.evaluate import psnr, ssim_gaussian, ssim_uniform

TOLERANCE = 1e-10


def pair(seed: int, height: int = 33, width: int = 29, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (height, width, channels) if channels else (height, width)
    truth = random.integers(0, 256, shape, dtype=np.uint8)
    noisy = np.clip(truth + random.normal(0, random.uniform(1, 60), shape), 0, 255).astype(np.uint8)
    return noisy, truth


@given(
    seed=st.integers(0, 10_000),
    height=st.integers(11, 40),
    width=st.integers(11, 40),
    channels=st.sampled_from([0, 1, 3]),
)
@settings(max_examples=15, deadline=None)
def test_they_agree_with_scikit_image(seed: int, height: int, width: int, channels: int) -> None:
    image, truth = pair(seed, height, width, channels)
    axis = 2 if channels else None
    assert psnr(image, truth) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=255), abs=TOLERANCE)
    expected = structural_similarity(image, truth, data_range=255, channel_axis=axis)
    assert ssim_uniform(image, truth) == pytest.approx(expected, abs=TOLERANCE)
    expected = structural_similarity(
        image,
        truth,
        data_range=255,
        channel_axis=axis,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim_gaussian(image, truth) == pytest.approx(expected, abs=TOLERANCE)


def test_equal_images_are_perfect() -> None:
    image, _ = pair(0)
    assert psnr(image, image) == math.inf
    assert ssim_gaussian(image, image) == pytest.approx(1, abs=TOLERANCE)
    assert ssim_uniform(image, image) == pytest.approx(1, abs=TOLERANCE)


def test_psnr_by_hand() -> None:
    truth = np.zeros((2, 2), np.uint8)
    assert psnr(truth + np.uint8(1), truth) == pytest.approx(20 * math.log10(255))
    assert psnr(truth + 0.1, truth.astype(float), data_range=1.0) == pytest.approx(20)


def test_8_bit_differences_do_not_wrap() -> None:
    black, white = np.zeros((12, 12), np.uint8), np.full((12, 12), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0


@pytest.mark.parametrize("metric", [psnr, ssim_gaussian, ssim_uniform])
def test_other_shapes_are_refused(metric: object) -> None:
    with pytest.raises(SettingError, match="one shape"):
        metric(np.zeros((12, 12, 3)), np.zeros((12, 13, 3)))


@pytest.mark.parametrize(("metric", "side"), [(ssim_gaussian, 11), (ssim_uniform, 7)])
def test_images_smaller_than_the_window_are_refused(metric: object, side: int) -> None:
    metric(np.zeros((side, side)), np.zeros((side, side)))
    with pytest.raises(SettingError, match=f"at least {side}×{side}"):
        metric(np.zeros((side - 1, side)), np.zeros((side - 1, side)))
