"""Protocols mean what they say, one door serves every function, and known figures come out."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import DataError, SettingError, UnknownNameError
from pocketsr.evaluate import PROTOCOLS, Protocol, bicubic, evaluate, find_protocol, psnr
from pocketsr.image import resize_bicubic, rgb_to_luma, rgb_to_y

CLASSIC, ABPN, SCSRN, LUMA = (find_protocol(name) for name in ("classic", "abpn", "scsrn", "luma"))
#: Published figures are printed to two decimals, and resizers differ in the third.
PUBLISHED_DB = 0.03


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return np.clip(truth + random.normal(0, 9, truth.shape), 0, 255).astype(np.uint8), truth


def test_borders_are_left_out(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = pair
    assert SCSRN.score(image, truth, scale=3).psnr_db == psnr(image, truth)
    assert ABPN.score(image, truth, scale=3).psnr_db == psnr(image[1:-1, 1:-1], truth[1:-1, 1:-1])
    spoiled = image.copy()
    spoiled[:4], spoiled[-4:], spoiled[:, :4], spoiled[:, -4:] = 0, 0, 0, 0
    assert CLASSIC.score(spoiled, truth, scale=4) == CLASSIC.score(image, truth, scale=4)
    assert CLASSIC.score(spoiled, truth, scale=3) != CLASSIC.score(image, truth, scale=3)


def test_luma_is_the_protocol_s(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = pair
    inner = (slice(2, -2), slice(2, -2))
    assert CLASSIC.score(image, truth, scale=2).psnr_db == psnr(rgb_to_y(image[inner]), rgb_to_y(truth[inner]))
    assert LUMA.score(image, truth, scale=2).psnr_db == psnr(rgb_to_luma(image), rgb_to_luma(truth))


def test_ssim_can_be_left_out(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert math.isnan(ABPN.score(*pair, scale=3, with_ssim=False).ssim)


def test_protocols_have_names_of_their_own_and_nonsense_is_refused(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert len({protocol.name for protocol in PROTOCOLS}) == len(PROTOCOLS)
    with pytest.raises(UnknownNameError, match="did you mean 'classic'"):
        find_protocol("clasic")
    with pytest.raises(SettingError, match="nothing is left"):
        dataclasses.replace(ABPN, border=20).score(*pair, scale=3)
    with pytest.raises(SettingError, match="ground truth"):
        ABPN.score(pair[0][:-1], pair[1], scale=3)


def test_a_report_holds_every_image_and_its_mean(image_folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = evaluate(
        bicubic(3), image_folder, scale=3, protocols=[ABPN, CLASSIC], on_image=lambda *done: seen.append(done)
    )
    assert list(report.rows) == [f"{index}.png" for index in range(6)]
    assert seen[-1] == (6, 6)
    mean = np.mean([row["abpn"].psnr_db for row in report.rows.values()])
    assert report.mean("abpn").psnr_db == pytest.approx(mean)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["means"]["classic"]["ssim"] == report.mean("classic").ssim
    assert plain["rows"]["3.png"]["abpn"]["psnr_db"] == report.rows["3.png"]["abpn"].psnr_db


def test_a_function_of_another_scale_or_type_is_refused(image_folder: Path) -> None:
    with pytest.raises(SettingError, match="is the scale 3"):
        evaluate(bicubic(2), image_folder, scale=3, protocols=[ABPN])
    with pytest.raises(SettingError, match="uint8"):
        evaluate(lambda image: bicubic(3)(image) / 255, image_folder, scale=3, protocols=[ABPN])


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError):
            evaluate(bicubic(2), folder, scale=2, protocols=[ABPN])


@pytest.mark.data
@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_bicubic_on_set5_is_the_published_figure(data_folder: Path, scale: int, published: float) -> None:
    report = evaluate(
        bicubic(scale), data_folder / "benchmarks" / "Set5", scale=scale, protocols=[CLASSIC], with_ssim=False
    )
    assert report.mean("classic").psnr_db == pytest.approx(published, abs=PUBLISHED_DB)


@pytest.mark.data
@pytest.mark.parametrize(("scale", "psnr_db", "ssim"), [(2, 32.073, 0.92085), (4, 26.890, 0.79363)])
def test_scsrn_s_bicubic_rows_are_the_kernel_of_opencv(
    data_folder: Path, scale: int, psnr_db: float, ssim: float
) -> None:
    """Its table enlarges with a = −0.75 and no antialiasing, unlike the shrinking that made the inputs."""
    protocol: Protocol = SCSRN
    report = evaluate(
        lambda image: resize_bicubic(image, image.shape[0] * scale, image.shape[1] * scale, a=-0.75, antialias=False),
        data_folder / "benchmarks" / "Set5",
        scale=scale,
        protocols=[protocol],
    )
    assert report.mean("scsrn").psnr_db == pytest.approx(psnr_db, abs=0.01)
    assert report.mean("scsrn").ssim == pytest.approx(ssim, abs=0.0005)
