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
        "lrsrn-y": (
            psnr(rgb_to_luma(output), rgb_to_luma(truth)),
            ssim_uniform(rgb_to_luma(output), rgb_to_luma(truth)),
        ),
        "ntire23-rtsr-y": (
            psnr(rgb_to_y(output[..., ::-1]), rgb_to_y(truth[..., ::-1])),
            ssim_gaussian(rgb_to_y(output[..., ::-1]), rgb_to_y(truth[..., ::-1])),
        ),
    }
    for name, scores in expected.items():
        found = find_protocol(name).score(output, truth, scale=4)
        assert (found.psnr_db, found.ssim) == scores


def test_edsr_s_luma_is_the_studio_range_but_for_a_misprint(truth: np.ndarray, output: np.ndarray) -> None:
    protocol = find_protocol("f2srgan")
    exact = dataclasses.replace(protocol, channels="studio_y")
    both = [one.score(output, truth, scale=4).psnr_db for one in (protocol, exact)]
    assert both[0] != both[1]
    assert both[0] == pytest.approx(both[1], abs=0.1)


def test_ground_truth_is_cropped_resized_or_left_whole(truth: np.ndarray) -> None:
    photo = truth[:, :35]  # 40×35
    cropped, resized, whole = (
        find_protocol(name).degrade(photo, 3) for name in ("scsrn", "f2srgan", "misaligned-bicubic")
    )
    assert [low.shape for low, _ in (cropped, resized, whole)] == [(13, 11, 3)] * 3
    assert np.array_equal(cropped[1], photo[:39, :33])
    assert resized[1].shape == (39, 33, 3)
    assert not np.array_equal(resized[1], cropped[1])
    assert whole[1] is photo
    assert np.array_equal(whole[0], cropped[0])


def test_inputs_of_jpeg_are_compressed(truth: np.ndarray) -> None:
    plain, compressed = (find_protocol(name).degrade(truth, 2)[0].astype(int) for name in ("scsrn", "lrsrn"))
    assert 1 < np.abs(plain - compressed).mean() < 40


def test_aliases_lead_to_the_same_protocol() -> None:
    assert find_protocol("carn") is find_protocol("classic")


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
    full = find_protocol("lrsrn-y")
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
