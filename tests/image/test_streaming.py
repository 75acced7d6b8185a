from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pocketsr.errors import SettingError
from pocketsr.image import Photo, read_image, write_image, write_strips, writing
from pocketsr.image.writing import Strip


@pytest.fixture
def always_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "STREAM_PIXELS", 0)


def some_photo(height: int, width: int, *, is_grey: bool = False, has_alpha: bool = False) -> Photo:
    random = np.random.default_rng(height * 1000 + width)
    rows, columns = np.mgrid[0:height, 0:width]
    base = (127 + 90 * np.sin(rows / 5) * np.cos(columns / 7))[..., None] + random.normal(0, 9, (height, width, 3))
    pixels = np.clip(base, 0, 255).astype(np.uint8)
    if is_grey:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    return Photo(pixels, random.integers(0, 256, (height, width), np.uint8) if has_alpha else None, is_grey)


def cut(photo: Photo, heights: list[int]) -> Iterator[Strip]:
    """Strips of these heights over and over, each given in memory that is spoilt afterwards."""
    top = 0
    while top < photo.height:
        for rows in heights:
            pixels = photo.pixels[top : top + rows].copy()
            if not len(pixels):
                return
            yield pixels, None if photo.alpha is None else photo.alpha[top : top + rows]
            pixels[:] = 99
            top += rows


@pytest.mark.usefixtures("always_streamed")
@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_png_in_strips_holds_the_pixels_it_was_given(tmp_path: Path, is_grey: bool, has_alpha: bool) -> None:
    photo = some_photo(50, 31, is_grey=is_grey, has_alpha=has_alpha)
    write_strips(tmp_path / "a.png", cut(photo, [1, 7, 20]), height=50, width=31, like=photo)
    back = read_image(tmp_path / "a.png")
    assert np.array_equal(back.pixels, photo.pixels)
    assert back.is_grey == is_grey
    assert (back.alpha is None) == (not has_alpha)
    assert back.alpha is None or np.array_equal(back.alpha, photo.alpha)


@pytest.mark.usefixtures("always_streamed")
@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (64, 16), (65, 17), (700, 50)])
def test_a_jpeg_in_strips_decodes_to_the_very_pixels_of_the_whole_one(tmp_path: Path, size, is_grey: bool) -> None:
    photo = some_photo(*size, is_grey=is_grey)
    write_strips(tmp_path / "strips.jpg", cut(photo, [13, 100]), height=size[0], width=size[1], like=photo)
    write_image(tmp_path / "whole.jpg", photo)
    assert np.array_equal(read_image(tmp_path / "strips.jpg").pixels, read_image(tmp_path / "whole.jpg").pixels)
    with Image.open(tmp_path / "strips.jpg") as image:
        assert image.mode == ("L" if is_grey else "RGB")


@pytest.mark.usefixtures("always_streamed")
def test_a_jpeg_as_wide_as_any_keeps_its_restart_interval_in_16_bits(tmp_path: Path) -> None:
    photo = some_photo(80, 65500, is_grey=True)
    write_strips(tmp_path / "wide.jpg", cut(photo, [40]), height=80, width=65500, like=photo)
    write_image(tmp_path / "whole.jpg", photo)
    assert np.array_equal(read_image(tmp_path / "wide.jpg").pixels, read_image(tmp_path / "whole.jpg").pixels)


@pytest.mark.usefixtures("always_streamed")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_metadata_is_that_of_the_file_written_whole(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    carried = {"exif": exif.tobytes(), "icc_profile": b"\0" * 16 + b"RGB " + b"\0" * 70000, "dpi": (300.0, 300.0)}
    photo = Photo(some_photo(70, 30).pixels, carried=carried)
    write_strips(tmp_path / f"strips{suffix}", cut(photo, [9]), height=70, width=30, like=photo)
    write_image(tmp_path / f"whole{suffix}", photo)
    assert read_image(tmp_path / f"strips{suffix}").carried == read_image(tmp_path / f"whole{suffix}").carried
    assert set(read_image(tmp_path / f"strips{suffix}").carried) == {"exif", "icc_profile", "dpi"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tif", ".bmp"])
def test_small_strips_and_other_formats_equal_the_file_written_whole(tmp_path: Path, suffix: str) -> None:
    photo = some_photo(40, 24)
    write_strips(tmp_path / f"strips{suffix}", cut(photo, [9]), height=40, width=24, like=photo)
    write_image(tmp_path / f"whole{suffix}", photo)
    assert (tmp_path / f"strips{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@settings(deadline=None, max_examples=30)
@given(
    height=st.integers(1, 90), width=st.integers(1, 40), heights=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    suffix=st.sampled_from([".png", ".jpg"]),
)  # fmt: skip
def test_how_the_strips_are_cut_changes_nothing(tmp_path_factory, height, width, heights, suffix) -> None:
    folder = tmp_path_factory.mktemp("strips")
    photo = some_photo(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "STREAM_PIXELS", 0)
        write_strips(folder / f"cut{suffix}", cut(photo, heights), height=height, width=width, like=photo)
        write_strips(folder / f"one{suffix}", [(photo.pixels, None)], height=height, width=width, like=photo)
    assert np.array_equal(read_image(folder / f"cut{suffix}").pixels, read_image(folder / f"one{suffix}").pixels)


@pytest.mark.usefixtures("always_streamed")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize(
    ("strips", "word"),
    [
        ([np.zeros((4, 8, 3), np.uint8)], "needed 10 rows; got 4"),
        ([np.zeros((11, 8, 3), np.uint8)], "got 11 rows"),
        ([np.zeros((10, 9, 3), np.uint8)], "width 9"),
        ([np.zeros((10, 8), np.uint8)], "uint8 of shape"),
        ([], "needed 10 rows; got 0"),
    ],
)
def test_strips_that_do_not_make_the_image_are_refused_and_leave_no_file(tmp_path: Path, suffix, strips, word) -> None:
    like = Photo(np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(SettingError, match=word):
        write_strips(tmp_path / f"a{suffix}", ((strip, None) for strip in strips), height=10, width=8, like=like)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("has_alpha", [False, True])
def test_alpha_has_to_be_there_just_when_it_was_announced(tmp_path: Path, has_alpha: bool) -> None:
    like = some_photo(4, 4, has_alpha=has_alpha)
    given = some_photo(4, 4, has_alpha=not has_alpha)
    with pytest.raises(SettingError, match="alpha"):
        write_strips(tmp_path / "a.png", cut(given, [4]), height=4, width=4, like=like)


@pytest.mark.usefixtures("always_streamed")
def test_transparency_in_strips_is_flattened_with_one_note(tmp_path: Path) -> None:
    photo = some_photo(30, 10, has_alpha=True)
    notes = write_strips(tmp_path / "a.jpg", cut(photo, [5]), height=30, width=10, like=photo)
    assert len(notes) == 1
    assert "flattened onto white" in notes[0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_grey_that_is_stored_as_colour_is_packed_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, is_streamed: bool
) -> None:
    if is_streamed:
        monkeypatch.setattr(writing, "STREAM_PIXELS", 0)
    grey = some_photo(300, 200, is_grey=True)
    sizes = []
    for photo in (grey, Photo(grey.pixels)):
        write_image(tmp_path / f"a{suffix}", photo, overwrite=True)
        write_strips(tmp_path / f"a{suffix}", cut(photo, [40]), height=300, width=200, like=photo, overwrite=True)
        sizes.append((tmp_path / f"a{suffix}").stat().st_size)
    assert sizes[1] < 1.6 * sizes[0], "not three times as large"
