import dataclasses
import math

import numpy as np
import pytest

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate import PROTOCOLS, find_protocol, psnr, ssim_gaussian, ssim_uniform
from pocketsr.image import downscale, rgb_to_luma, rgb_to_y


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 36, 3), np.uint8)


@pytest.fixture
def output(truth: np.ndarray) -> np.ndarray:
    return np.clip(truth + np.random.default_rng(1).normal(0, 10, truth.shape), 0, 255).astype(np.uint8)


def test_published_protocols_are_what_their_papers_do(truth: np.ndarray, output: np.ndarray) -> None:
    one, four = slice(1, -1), slice(4, -4)
    y, y_truth = rgb_to_y(output)[four, four], rgb_to_y(truth)[four, four]
    expected = {
        "abpn": (psnr(output[one, one], truth[one, one]), ssim_gaussian(output[one, one], truth[one, one])),
        "scsrn": (psnr(output, truth), ssim_uniform(output, truth)),
        "classic": (psnr(y, y_truth), ssim_gaussian(y, y_truth)),
        "luma": (
            psnr(rgb_to_luma(output), rgb_to_luma(truth)),
            ssim_uniform(rgb_to_luma(output), rgb_to_luma(truth)),
        ),
    }
    for name, scores in expected.items():
        assert dataclasses.astuple(find_protocol(name).score(output, truth, scale=4)) == scores


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_protocol_gives_equal_images_the_best_scores(protocol, truth: np.ndarray) -> None:
    scores = protocol.score(truth, truth, scale=3)
    assert scores.psnr_db == math.inf
    assert scores.ssim == pytest.approx(1, abs=1e-12)
    assert protocol.source


def test_names_are_unique() -> None:
    assert len({protocol.name for protocol in PROTOCOLS}) == len(PROTOCOLS)


def test_errors_in_the_border_do_not_count(truth: np.ndarray) -> None:
    spoilt = truth.copy()
    spoilt[0], spoilt[-1], spoilt[:, 0], spoilt[:, -1] = 0, 0, 0, 0
    assert find_protocol("abpn").score(spoilt, truth, scale=3).psnr_db == math.inf
    assert find_protocol("classic").score(spoilt, truth, scale=2).psnr_db == math.inf
    assert find_protocol("scsrn").score(spoilt, truth, scale=3).psnr_db < 40


def test_full_range_luma_scores_below_studio_y_by_the_ratio_of_ranges(truth: np.ndarray) -> None:
    # 20 · log10(219 / 255) = −1.322 dB, but for the rounding of Y to whole levels.
    full = dataclasses.replace(find_protocol("luma"), channels="full_y")
    studio = dataclasses.replace(full, channels="studio_y")
    far = 255 - truth
    difference = full.score(far, truth, scale=2).psnr_db - studio.score(far, truth, scale=2).psnr_db
    assert difference == pytest.approx(20 * math.log10(219 / 255), abs=0.01)


def test_outputs_that_are_not_whole_are_rounded_as_the_protocol_says(truth: np.ndarray) -> None:
    protocol = find_protocol("scsrn")
    inner = np.clip(truth, 1, 254)
    assert protocol.score(inner + 0.4, inner, scale=2).psnr_db == math.inf
    assert protocol.score(inner - 0.4, inner, scale=2).psnr_db == math.inf
    cut_off = dataclasses.replace(protocol, rounding="down")
    assert cut_off.score(inner + 0.9, inner, scale=2).psnr_db == math.inf
    assert cut_off.score(inner - 0.1, inner, scale=2).psnr_db == pytest.approx(20 * math.log10(255))


def test_outputs_out_of_range_are_clipped() -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    assert find_protocol("scsrn").score(white + 40.0, white, scale=2).psnr_db == math.inf


def test_ssim_is_left_out_on_request(truth: np.ndarray, output: np.ndarray) -> None:
    assert math.isnan(find_protocol("abpn").score(output, truth, scale=3, with_ssim=False).ssim)


def test_degrading_crops_and_shrinks_by_matlabs_bicubic(truth: np.ndarray) -> None:
    low, cropped = find_protocol("classic").degrade(truth, 7)
    assert np.array_equal(cropped, truth[:35, :35])
    assert np.array_equal(low, downscale(truth, 7))


def test_an_image_too_small_to_shrink_is_refused() -> None:
    with pytest.raises(SettingError, match="too small"):
        find_protocol("classic").degrade(np.zeros((3, 40, 3), np.uint8), 4)


def test_an_image_that_is_all_border_is_refused() -> None:
    small = np.zeros((8, 40, 3), np.uint8)
    with pytest.raises(SettingError, match="nothing is left of 8×40"):
        find_protocol("classic").score(small, small, scale=4)


def test_an_output_of_another_shape_is_refused(truth: np.ndarray) -> None:
    with pytest.raises(SettingError, match=r"\(40, 36, 3\), is needed, not \(20, 36, 3\)"):
        find_protocol("abpn").score(truth[:20], truth, scale=3)


def test_an_unknown_protocol_names_its_neighbour() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'classic'"):
        find_protocol("clasic")
