from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.errors import ImageFileError, ImageTooLargeError, OutputExistsError
from pocketsr.image import FORMATS, has_several, read_frames, read_image, write_frames


def _animation(path: Path) -> Path:
    pictures = [Image.new("RGB", (12, 10), (80 * number, 9, 200)) for number in range(3)]
    timing = {} if path.suffix == ".tif" else {"duration": [50, 60, 70], "loop": 0}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **timing)
    return path


def test_a_file_of_one_picture_is_none(tmp_path: Path) -> None:
    for suffix in FORMATS:
        Image.new("RGB", (16, 16)).save(tmp_path / f"a{suffix}")
        assert read_frames(tmp_path / f"a{suffix}") is None


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    frames = read_frames(_animation(tmp_path / name))
    assert frames is not None
    notes = write_frames(tmp_path / f"out-{name}", frames.photos, like=frames, lossless=name == "a.webp")
    again = read_frames(tmp_path / f"out-{name}")
    assert notes == ()
    assert again is not None
    assert (again.durations_ms, again.loop) == (frames.durations_ms, frames.loop)
    for made, given in zip(again.photos, frames.photos, strict=True):
        assert np.array_equal(made.pixels, given.pixels)
    with pytest.raises(OutputExistsError):
        write_frames(tmp_path / f"out-{name}", frames.photos, like=frames)


def test_the_limit_is_on_all_pictures_together(tmp_path: Path) -> None:
    path = _animation(tmp_path / "a.gif")
    assert read_frames(path, max_pixels=360) is not None
    with pytest.raises(ImageTooLargeError, match="12×10 in 3 pictures is 360 pixels"):
        read_frames(path, max_pixels=359)
    assert read_image(path, max_pixels=359).width == 12


def test_a_file_cut_short_is_one_error(tmp_path: Path) -> None:
    path = _animation(tmp_path / "a.webp")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImageFileError, match="damaged or cut short"):
        read_frames(path)


def test_formats_of_one_picture_are_known() -> None:
    assert {suffix for suffix in FORMATS if not has_several(Path(f"a{suffix}"))} <= {
        ".jpg", ".jpeg", ".bmp", ".heic", ".heif", ".jxl",
    }  # fmt: skip


def test_a_file_of_more_pages_than_anyone_has_is_refused(tmp_path: Path) -> None:
    pages = b"".join(b"\0\0" + (8 + 6 * (number + 1)).to_bytes(4, "little") for number in range(10_002))
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + pages)
    with pytest.raises(ImageFileError, match="more than 10,000 pages; split it"):
        read_frames(tmp_path / "a.tif")
