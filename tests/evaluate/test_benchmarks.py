import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate import PROTOCOLS, bicubic, evaluate, find_benchmarks, find_protocol, psnr
from pocketsr.image import crop_to_multiple, downscale, list_images, read_image, resize_bicubic, rgb_to_y

#: dB by which a figure may differ from one printed with two decimals and made by other software.
PRINTED_DB = 0.01
#: MATLAB's figures on Y are made by enlarging Y itself; ours by enlarging 8-bit RGB, which rounds once more.
ROUNDED_RGB_DB = 0.025
#: SSIM printed with five decimals, by software whose enlargement rounds a few pixels otherwise.
PRINTED_SSIM = 4e-5

#: Protocols whose inputs are plain bicubic.
PLAIN = [find_protocol(name) for name in ("abpn", "scsrn", "classic")]

PRINTED_CLASSIC = [(2, 33.66), (3, 30.39), (4, 28.42)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number, shape in enumerate([(37, 50, 3), (48, 36, 3), (40, 41)]):
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_image_is_cropped_shrunk_enlarged_and_scored(folder: Path, scale: int) -> None:
    protocol = find_protocol("scsrn")
    report = evaluate(bicubic(scale), folder, scale=scale, protocols=[protocol])
    for path in list_images(folder):
        truth = crop_to_multiple(read_image(path).pixels, scale)
        expected = psnr(bicubic(scale)(downscale(truth, scale)), truth)
        assert report.rows[path.name]["scsrn"].psnr_db == expected
    mean = np.mean([row["scsrn"].psnr_db for row in report.rows.values()])
    assert report.mean("scsrn").psnr_db == pytest.approx(mean, abs=1e-12)


def test_grey_images_are_judged_as_rgb(folder: Path) -> None:
    seen = []

    def upscale(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return bicubic(2)(image)

    evaluate(upscale, folder, scale=2, protocols=PLAIN)
    assert [image.shape for image in seen] == [(18, 25, 3), (24, 18, 3), (20, 20, 3)]  # once for all protocols
    assert (seen[2] == seen[2][..., :1]).all()


@pytest.mark.parametrize(("side", "words"), [(2, "2×2 pixels is too small"), (3, "nothing is left of 3×3")])
def test_an_image_too_small_to_judge_is_named(folder: Path, side: int, words: str) -> None:
    Image.new("RGB", (side, side)).save(folder / "tiny.png")
    with pytest.raises(DataError, match=f"tiny.png: .*{words}"):
        evaluate(bicubic(3), folder, scale=3, protocols=[find_protocol("classic")])


def test_progress_is_told_image_by_image(folder: Path) -> None:
    told = []
    evaluate(
        bicubic(2), folder, scale=2, protocols=PROTOCOLS[:1], with_ssim=False, on_image=lambda *now: told.append(now)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_report_goes_to_json_and_back(folder: Path) -> None:
    report = evaluate(bicubic(2), folder, scale=2, protocols=PROTOCOLS)
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["images"] == 3
    assert values["scale"] == 2
    assert values["folder"] == folder.name
    assert values["means"]["abpn"]["psnr_db"] == report.mean("abpn").psnr_db
    scores = report.rows["0.png"]["classic"]
    assert values["rows"]["0.png"]["classic"] == {"psnr_db": scores.psnr_db, "ssim": scores.ssim}
    assert values["sha256"] == report.digest


def test_what_json_has_no_number_for_becomes_null(tmp_path: Path) -> None:
    Image.new("RGB", (24, 24), (9, 9, 9)).save(tmp_path / "flat.png")
    report = evaluate(bicubic(2), tmp_path, scale=2, protocols=PROTOCOLS[:1], with_ssim=False)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["means"]["abpn"] == {"psnr_db": None, "ssim": None}


@pytest.mark.parametrize(
    "upscale",
    [lambda image: image, bicubic(3), lambda image: bicubic(2)(image).astype(np.int32)],
    ids=["no enlargement", "another scale", "another type"],
)
def test_an_output_of_another_size_or_type_is_refused(folder: Path, upscale) -> None:
    with pytest.raises(SettingError, match=r"0\.png: from \(18, 25, 3\) uint8 \(36, 50, 3\) was expected back"):
        evaluate(upscale, folder, scale=2, protocols=PLAIN)


def test_what_is_not_rounded_yet_is_rounded_by_the_protocol(folder: Path) -> None:
    def upscale(image: np.ndarray) -> np.ndarray:
        return bicubic(2)(image) + np.float32(0.4)

    protocols = [find_protocol("scsrn"), dataclasses.replace(find_protocol("scsrn"), name="down", rounding="down")]
    found = evaluate(upscale, folder, scale=2, protocols=protocols)
    expected = evaluate(bicubic(2), folder, scale=2, protocols=protocols)
    assert found.rows == expected.rows


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_does_not_show(folder: Path, workers: int) -> None:
    one = evaluate(bicubic(2), folder, scale=2, protocols=PROTOCOLS, workers=1)
    assert evaluate(bicubic(2), folder, scale=2, protocols=PROTOCOLS, workers=workers) == one


def test_more_figures_are_taken_inside_the_border_and_averaged(folder: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def levels(output: np.ndarray, truth: np.ndarray, name: str) -> float:
        assert name.endswith(".png")
        seen.append(output.shape)
        return float(np.abs(output.astype(int) - truth).max())

    report = evaluate(bicubic(2), folder, scale=2, protocols=[find_protocol("abpn")], measures={"levels": levels})
    assert sorted(seen) == [(34, 48, 3), (38, 38, 3), (46, 34, 3)]
    figures = [row["abpn"].more["levels"] for row in report.rows.values()]
    assert report.mean("abpn").more == {"levels": np.mean(figures)}
    assert report.to_dict()["means"]["abpn"]["levels"] == np.mean(figures)


def test_every_output_is_handed_on_with_its_image(folder: Path) -> None:
    seen: list[tuple[str, str, tuple[int, ...]]] = []
    evaluate(
        bicubic(2),
        folder,
        scale=2,
        protocols=[find_protocol("abpn")],
        on_output=lambda item, protocol, output: seen.append((item.name, protocol.name, output.shape)),
    )
    assert seen == [("0.png", "abpn", (36, 50, 3)), ("1.png", "abpn", (48, 36, 3)), ("2.png", "abpn", (40, 40, 3))]


def test_stretching_is_for_bicubic_only(folder: Path) -> None:
    stretched = [find_protocol("misaligned-bicubic")]
    with pytest.raises(SettingError, match="judges bicubic only"):
        evaluate(lambda image: image, folder, scale=2, protocols=stretched)
    report = evaluate(bicubic(2), folder, scale=2, protocols=stretched)
    aligned = evaluate(bicubic(2), folder, scale=2, protocols=[find_protocol("scsrn")])
    same = report.rows["1.png"]["misaligned-bicubic"], aligned.rows["1.png"]["scsrn"]
    assert same[0] == same[1]  # 48×36: nothing to stretch
    assert report.rows["0.png"]["misaligned-bicubic"] != aligned.rows["0.png"]["scsrn"]


def test_no_protocol_is_refused(folder: Path) -> None:
    with pytest.raises(SettingError, match="at least one protocol"):
        evaluate(bicubic(2), folder, scale=2, protocols=[])


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images"):
        evaluate(bicubic(2), tmp_path, scale=2, protocols=PROTOCOLS)


def test_benchmarks_come_in_the_order_of_published_tables(tmp_path: Path) -> None:
    for name in ("BSD100", "mine", "Set14", "Set5", "also mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.PNG").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    assert [path.name for path in find_benchmarks(tmp_path)] == ["Set5", "Set14", "BSD100", "also mine", "mine"]


def test_a_root_without_benchmarks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder inside"):
        find_benchmarks(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        find_benchmarks(tmp_path / "none")


def test_the_bicubic_of_opencv_rounds_once_with_its_own_kernel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    exact = resize_bicubic(image.astype(np.float64), 18, 18, a=-0.75, border="edge")
    ours = bicubic(2, like="opencv")(image)
    assert ours.dtype == np.uint8
    assert np.abs(ours - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-3


@pytest.mark.data
@pytest.mark.parametrize(("scale", "psnr_db", "ssim"), [(2, 32.073, 0.92085), (4, 26.890, 0.79363)])
def test_the_bicubic_row_of_scsrn_on_set5_is_reproduced(data_folder: Path, scale, psnr_db, ssim) -> None:
    function = bicubic(scale, like="opencv")
    report = evaluate(function, data_folder / "benchmarks" / "Set5", scale=scale, protocols=[find_protocol("scsrn")])
    assert report.mean("scsrn").psnr_db == pytest.approx(psnr_db, abs=PRINTED_DB)
    assert report.mean("scsrn").ssim == pytest.approx(ssim, abs=PRINTED_SSIM)


@pytest.mark.data
@pytest.mark.parametrize(
    ("set_", "scale", "psnr_db", "ssim"),
    [("Set5", 3, 27.02, 0.82), ("Set14", 3, 24.1, 0.7169), ("Set14", 4, 23.96, 0.6732)],
)
def test_scsrn_s_misaligned_rows_of_bicubic_are_reproduced(data_folder: Path, set_, scale, psnr_db, ssim) -> None:
    protocol = find_protocol("misaligned-bicubic")
    report = evaluate(
        bicubic(scale, like="opencv"), data_folder / "benchmarks" / set_, scale=scale, protocols=[protocol]
    )
    assert report.mean(protocol.name).psnr_db == pytest.approx(psnr_db, abs=PRINTED_DB)
    assert report.mean(protocol.name).ssim == pytest.approx(ssim, abs=0.0002 if set_ == "Set14" else 0.005)


@pytest.mark.data
@pytest.mark.parametrize(("scale", "psnr_db"), [(2, 31.86), (3, 28.84)])
def test_lrsrn_s_bicubic_psnr_on_y_is_reproduced(data_folder: Path, scale: int, psnr_db: float) -> None:
    protocol = find_protocol("lrsrn-y")
    function = bicubic(scale, like="opencv")
    report = evaluate(function, data_folder / "benchmarks" / "Set5", scale=scale, protocols=[protocol], with_ssim=False)
    # Another JPEG encoder: 31.871 here.
    assert report.mean(protocol.name).psnr_db == pytest.approx(psnr_db, abs=0.012)


@pytest.mark.data
def test_aligned_bicubic_on_set5_at_three_is_reproduced(data_folder: Path) -> None:
    folder = data_folder / "benchmarks" / "Set5"
    # 28.842 dB with the kernel of OpenCV: what SCSRN's ×3 row would say, had it not stretched the output.
    report = evaluate(bicubic(3, like="opencv"), folder, scale=3, protocols=[find_protocol("scsrn")], with_ssim=False)
    assert report.mean("scsrn").psnr_db == pytest.approx(28.842, abs=PRINTED_DB)
    # MATLAB's kernel is 0.2 to 0.3 dB behind. No table prints it: 28.627 is our own figure, kept to show a change.
    report = evaluate(bicubic(3), folder, scale=3, protocols=[find_protocol("scsrn")], with_ssim=False)
    assert report.mean("scsrn").psnr_db == pytest.approx(28.627, abs=PRINTED_DB)


@pytest.mark.data
@pytest.mark.parametrize(("scale", "psnr_db"), PRINTED_CLASSIC)
def test_the_bicubic_row_of_the_literature_on_set5_is_reproduced(data_folder: Path, scale: int, psnr_db: float) -> None:
    report = evaluate(
        bicubic(scale),
        data_folder / "benchmarks" / "Set5",
        scale=scale,
        protocols=[find_protocol("classic")],
        with_ssim=False,
    )
    assert report.mean("classic").psnr_db == pytest.approx(psnr_db, abs=ROUNDED_RGB_DB)


@pytest.mark.data
@pytest.mark.parametrize(("scale", "psnr_db"), PRINTED_CLASSIC)
def test_enlarging_y_itself_gives_the_printed_figures_to_the_last_digit(data_folder: Path, scale, psnr_db) -> None:
    values = []
    for path in list_images(data_folder / "benchmarks" / "Set5"):
        truth = rgb_to_y(crop_to_multiple(read_image(path).pixels, scale))
        low = resize_bicubic(truth, truth.shape[0] // scale, truth.shape[1] // scale)
        high = np.clip(np.rint(resize_bicubic(low, *truth.shape)), 0, 255)
        inner = slice(scale, -scale)
        values.append(psnr(high[inner, inner], truth[inner, inner]))
    assert np.mean(values) == pytest.approx(psnr_db, abs=0.005)
