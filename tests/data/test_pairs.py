"""Folders become pairs, however they are laid out, or the error names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.choice import Choice
from pocketsr.data import load_pairs, load_scales
from pocketsr.errors import DataError, SettingError
from pocketsr.image import downscale, has_part, resize_bicubic


def write(path: Path, height: int, width: int, seed: int = 0) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def div2k(tmp_path: Path) -> Path:
    """Two training images and one for validation; the low sides are not what shrinking would give."""
    for part, names in (("train", ("0001", "0002")), ("valid", ("0801",))):
        for name in names:
            write(tmp_path / f"DIV2K_{part}_HR" / f"{name}.png", 24, 36, int(name))
            write(tmp_path / f"DIV2K_{part}_LR_bicubic" / "X2" / f"{name}x2.png", 12, 18, 7 + int(name))
    return tmp_path


def low_of(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / name))


def test_a_folder_as_div2k_gives_its_own_low_sides(div2k: Path) -> None:
    pairs = load_pairs(div2k, scale=2)
    assert [pair.name for pair in pairs] == ["0001.png", "0002.png"]
    for pair in pairs:
        stem = pair.name.removesuffix(".png")
        assert np.array_equal(pair.low, low_of(div2k / "DIV2K_train_LR_bicubic" / "X2", f"{stem}x2.png"))
    (valid,) = load_pairs(div2k, scale=2, part="valid")
    assert valid.name == "0801.png"
    assert has_part(div2k, "valid")


def test_low_sides_are_made_where_they_are_not_there_or_not_wanted(div2k: Path) -> None:
    for options in ({"scale": 3}, {"scale": 2, "shrink": (0.5,)}):
        for pair in load_pairs(div2k, **options):  # type: ignore[arg-type]
            assert np.array_equal(pair.low, downscale(pair.high, options["scale"]))  # type: ignore[arg-type]
    jpeg = (Choice(name="bicubic"), Choice(name="jpeg", options={"quality": 20}))
    made = load_pairs(div2k, scale=2, degradation=jpeg)[0]
    assert not np.array_equal(made.low, low_of(div2k / "DIV2K_train_LR_bicubic" / "X2", "0001x2.png"))


@pytest.mark.parametrize("low", ["LR_bicubic/X4/a.png", "LR_bicubic/LR_bicubic/X4/ax4.png"])
def test_plain_names_and_a_folder_too_many_are_understood(tmp_path: Path, low: str) -> None:
    write(tmp_path / "HR" / "a.png", 16, 16)
    expected = write(tmp_path / low, 4, 4, 1)
    assert np.array_equal(load_pairs(tmp_path, scale=4)[0].low, expected)
    assert not has_part(tmp_path, "valid")


def spoil_size(folder: Path) -> None:
    write(folder / "DIV2K_train_LR_bicubic" / "X2" / "0002x2.png", 12, 17)


def spoil_low(folder: Path) -> None:
    (folder / "DIV2K_train_LR_bicubic" / "X2" / "0002x2.png").unlink()


def spoil_high(folder: Path) -> None:
    (folder / "DIV2K_train_HR" / "0001.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_size, r"0002x2\.png has 12×17 pixels; .*0002\.png of 24×36 needs 12×18 beside it at ×2"),
        (spoil_low, r"X2 lacks the low-resolution side of 0002\.png"),
        (spoil_high, r"DIV2K_train_HR lacks the high-resolution side of 0001x2\.png"),
    ],
)
def test_pairs_that_do_not_match_are_named(div2k: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(div2k)
    with pytest.raises(DataError, match=words):
        load_pairs(div2k, scale=2)


def test_folders_without_the_part_asked_for_are_refused(div2k: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none is not a folder"):
        load_pairs(tmp_path / "none", scale=2)
    (div2k / "DIV2K_valid_HR").rename(div2k / "other_HR")
    with pytest.raises(DataError, match="none of them is the valid part"):
        load_pairs(div2k, scale=2, part="valid")


@pytest.mark.parametrize(("fit", "size"), [("crop", (24, 33)), ("resize", (24, 33))])
def test_sides_are_brought_to_a_multiple(tmp_path: Path, fit: str, size: tuple[int, int]) -> None:
    image = write(tmp_path / "a.png", 25, 34)
    (pair,) = load_pairs(tmp_path, scale=3, fit=fit)  # type: ignore[arg-type]
    expected = image[:24, :33] if fit == "crop" else resize_bicubic(image, *size)
    assert np.array_equal(pair.high, expected)
    assert np.array_equal(pair.low, downscale(pair.high, 3))


def test_sides_that_are_no_multiple_are_refused_where_asked(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 25, 34)
    with pytest.raises(DataError, match=r"a\.png has 25×34 pixels; multiples of 3 are needed"):
        load_pairs(tmp_path, scale=3, fit="refuse")


def test_several_scales_share_the_high_side_where_it_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 24, 36)
    write(tmp_path / "b.png", 25, 36)
    pairs = load_scales(tmp_path, scales=(2, 3, 4))
    assert pairs[2][0].high is pairs[3][0].high is pairs[4][0].high
    assert [pairs[scale][1].high.shape[0] for scale in (2, 3, 4)] == [24, 24, 24]
    for scale, made in pairs.items():
        assert all(np.array_equal(pair.low, downscale(pair.high, scale)) for pair in made)


def test_what_is_random_depends_on_the_seed_and_the_file_alone(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write(tmp_path / name, 24, 24, 5)
    noise = (Choice(name="bicubic"), Choice(name="noise"))
    one, other = (load_pairs(tmp_path, scale=2, degradation=noise, workers=workers) for workers in (1, 2))
    assert all(np.array_equal(a.low, b.low) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0].low, one[1].low)
    again = load_pairs(tmp_path, scale=2, degradation=noise, seed=1)
    assert not np.array_equal(one[0].low, again[0].low)


@pytest.mark.parametrize("name", ["DIV2K_train", "set [1]"])
def test_archives_unpacked_into_folders_of_their_names_are_understood(tmp_path: Path, name: str) -> None:
    write(tmp_path / f"{name}_HR" / f"{name}_HR" / "0001.png", 16, 16)
    expected = write(tmp_path / f"{name}_LR_bicubic_X2" / f"{name}_LR_bicubic" / "X2" / "0001x2.png", 8, 8, 1)
    assert np.array_equal(load_pairs(tmp_path, scale=2)[0].low, expected)


@pytest.mark.parametrize(
    "low_names", [{"a": "a", "matrix2": "matrix2"}, {"a": "a", "ax2": "ax2"}, {"a": "ax2", "ax2": "ax2x2"}]
)
def test_names_that_end_as_the_suffix_does_are_understood(tmp_path: Path, low_names: dict[str, str]) -> None:
    lows = {}
    for index, (name, low_name) in enumerate(low_names.items()):
        write(tmp_path / "HR" / f"{name}.png", 16, 16)
        lows[f"{name}.png"] = write(tmp_path / "LR_bicubic" / "X2" / f"{low_name}.png", 8, 8, index)
    for pair in load_pairs(tmp_path, scale=2):
        assert np.array_equal(pair.low, lows[pair.name])


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("LR_bicubic/X2/ax2.png", r"HR lacks the high-resolution side of a\.png"),
        ("HR/a.bmp", r"X2 lacks the low-resolution side of a\.png"),
    ],
)
def test_a_side_that_is_there_twice_is_named(tmp_path: Path, second: str, words: str) -> None:
    write(tmp_path / "HR" / "a.png", 16, 16)
    write(tmp_path / "LR_bicubic" / "X2" / "a.png", 8, 8)
    write(tmp_path / second, *((8, 8) if "LR" in second else (16, 16)))
    with pytest.raises(DataError, match=words):
        load_pairs(tmp_path, scale=2)


def test_low_sides_that_are_not_used_need_not_match(div2k: Path) -> None:
    spoil_low(div2k)
    for options in ({"shrink": (0.5,)}, {"degradation": (Choice(name="pil-bicubic"),)}):
        assert len(load_pairs(div2k, scale=2, **options)) == 2  # type: ignore[arg-type]


def test_a_chain_is_refused_before_the_folder_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="exactly once"):
        load_pairs(tmp_path / "none", scale=2, degradation=())


@pytest.mark.parametrize("scales", [(), (2, 0)])
def test_scales_that_make_no_sense_are_refused(tmp_path: Path, scales: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="one scale of 1 or above is needed"):
        load_scales(tmp_path, scales=scales)
