"""Large PNG files in bands: the same photo as Pillow makes of the whole."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pocketsr.errors import ImageFileError
from pocketsr.image import Photo, png_bands, read_image, reading
from pocketsr.image.png_bands import open_png_bands
from sample_files import photo_pixels


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_bands, "_BAND_PIXELS", 32 * 5)
    monkeypatch.setattr(png_bands, "_PIECE", 100)


def _both(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Photo, Photo]:
    monkeypatch.setattr(reading, "_IN_BANDS", 1 << 40)
    whole = read_image(path)
    monkeypatch.setattr(reading, "_IN_BANDS", 0)
    return whole, read_image(path)


def _key() -> tuple[int, ...]:
    return tuple(int(value) for value in photo_pixels()[3, 3])


_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "RGB": ("RGB", {}),
    "RGBA": ("RGBA", {}),
    "grey": ("L", {}),
    "grey with alpha": ("LA", {}),
    "palette": ("P", {}),
    "palette with alpha": ("P", {"transparency": bytes(range(0, 256))}),
    "one transparent colour": ("RGB", {"transparency": _key()}),
    "one transparent grey": ("L", {"transparency": 100}),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_bands_make_the_photo_that_the_whole_makes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mode, options = _KINDS[kind]
    image = Image.fromarray(photo_pixels()).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Before", "the pixels")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    image.save(tmp_path / "a.png", pnginfo=texts, exif=exif, dpi=(300, 300), icc_profile=bytes(150), **options)
    with (tmp_path / "a.png").open("rb") as file:
        found = open_png_bands(file)
        assert found is not None
        assert len(list(found.bands())) == 5
    whole, made = _both(tmp_path / "a.png", monkeypatch)
    assert (made.height, made.width) == (32, 24), "turned upright"
    assert np.array_equal(made.pixels, whole.pixels)
    assert (made.alpha is None) == (whole.alpha is None)
    assert made.alpha is None or np.array_equal(made.alpha, whole.alpha)
    assert (made.is_grey, made.source_bits, made.notes) == (whole.is_grey, whole.source_bits, whole.notes)
    assert made.carried == whole.carried
    assert made.carried.keys() >= {"text", "exif", "dpi", "icc_profile"}


def test_what_stands_behind_the_pixels_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo_pixels()).save(buffer, "PNG")
    content = b"Comment\0behind"
    chunk = struct.pack(">I", len(content)) + b"tEXt" + content + struct.pack(">I", zlib.crc32(b"tEXt" + content))
    data = buffer.getvalue()
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk + data[-12:])
    whole, made = _both(tmp_path / "a.png", monkeypatch)
    assert made.carried == whole.carried == {"text": {"Comment": "behind"}}


@pytest.mark.parametrize("filter_", range(5))
def test_rows_of_every_filter_are_undone(filter_: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(filter_)
    rows = random.integers(0, 256, (24, 1 + 32 * 3), np.uint8)
    rows[:, 0] = filter_
    header = struct.pack(">IIBBBBB", 32, 24, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_bands._chunk(*part) for part in parts))
    whole, made = _both(tmp_path / "a.png", monkeypatch)
    assert np.array_equal(made.pixels, whole.pixels)


def test_interlaced_animated_and_other_files_are_left_to_pillow(tmp_path: Path) -> None:
    image = Image.fromarray(photo_pixels())
    image.save(tmp_path / "animated.png", save_all=True, append_images=[image.rotate(90)])
    image.convert("1").save(tmp_path / "bits.png")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    interlaced = bytearray(buffer.getvalue())
    interlaced[28] = 1
    (tmp_path / "interlaced.png").write_bytes(bytes(interlaced))
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            assert open_png_bands(file) is None, path.name


@pytest.mark.parametrize("part", range(1, 20))
def test_a_file_cut_short_is_one_error(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IN_BANDS", 0)
    buffer = io.BytesIO()
    Image.fromarray(photo_pixels()).save(buffer, "PNG")
    data = buffer.getvalue()
    (tmp_path / "a.png").write_bytes(data[: len(data) * part // 20])
    with pytest.raises(ImageFileError, match="damaged or cut short") as caught:
        read_image(tmp_path / "a.png")
    assert "\n" not in str(caught.value)
