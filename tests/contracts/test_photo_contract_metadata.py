"""The photo contract, beside formats: metadata, transparency, size and quality."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from contracts.photo_contract import RINGING_LEVELS, SRGB, WIDE_RGB, enlarged_file, saved
from pocketsr.errors import SettingError
from pocketsr.image import Photo, read_image, write_image
from pocketsr.runtime import Target, Upscaler
from pocketsr.runtime.photo import PhotoSettings, upscale_file
from sample_files import deep_png, deep_samples, photo_pixels

# -- metadata ---------------------------------------------------------------------------------------------------------


def _exif_with_thumbnail(orientation: int = 6) -> bytes:
    """Orientation, resolution of 72, size of 32×24, maker, and a thumbnail."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (8, 6), (1, 2, 3)).save(thumbnail, "JPEG")
    picture = thumbnail.getvalue()
    first = [
        (0x010F, 2, 6, 200), (0x0112, 3, 1, orientation), (0x011A, 5, 1, 208), (0x011B, 5, 1, 216), (0x8769, 4, 1, 100),
    ]  # fmt: skip
    inner = [(0xA002, 3, 1, 32), (0xA003, 3, 1, 24)]
    second = [(0x0201, 4, 1, 224), (0x0202, 4, 1, len(picture))]

    def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
        packed = b"".join(
            struct.pack("<HHIHH" if kind == 3 else "<HHII", tag, kind, count, value, *[0] * (kind == 3))
            for tag, kind, count, value in entries
        )
        return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)

    block = b"II*\0" + struct.pack("<I", 8) + directory(first, 140)
    block = block.ljust(100, b"\0") + directory(inner, 0)
    block = block.ljust(140, b"\0") + directory(second, 0)
    block = block.ljust(200, b"\0") + b"Maker\0\0\0" + struct.pack("<4I", 72, 1, 72, 1)
    return b"Exif\0\0" + block + picture


@pytest.mark.parametrize("name", ["in.jpg", "in.webp", "in.png", "in.avif"])
def test_exif_is_kept_and_made_true(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    pixels = photo_pixels()
    source = saved(tmp_path / name, Image.fromarray(pixels), exif=_exif_with_thumbnail())
    with Image.open(enlarged_file(upscaler, source)) as made:
        assert made.size == (72, 96), "turned upright, once"
        exif = made.getexif()
        assert exif.get(0x0112, 1) == 1
        assert exif[0x010F] == "Maker"
        assert (exif[0x011A], exif[0x011B]) == (216, 216)
        assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (72, 96)
        assert not exif.get_ifd(1), "the thumbnail is gone"
        assert b"\xff\xd8\xff" not in made.info["exif"]


def test_exif_goes_into_a_tiff_and_out_of_it(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.jpg", Image.fromarray(photo_pixels()), exif=_exif_with_thumbnail())
    tiff = enlarged_file(upscaler, source, ".tif")
    again = tiff.with_name("again.jpg")
    upscale_file(upscaler, tiff, again)
    for path, size in ((tiff, (72, 96)), (again, (216, 288))):
        with Image.open(path) as made:
            exif = made.getexif()
            assert made.size == size
            assert exif[0x010F] == "Maker"
            assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == size


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp", "in.avif", "in.tif"])
def test_xmp_is_kept(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, Photo(photo_pixels(), carried={"xmp": b"<x:xmpmeta/>"}))
    assert read_image(enlarged_file(upscaler, tmp_path / name)).carried["xmp"] == b"<x:xmpmeta/>"


@pytest.mark.parametrize("name", ["in.jpg", "in.tif"])
def test_iptc_is_kept_where_the_format_has_a_place(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    caption = b"\x1c\x02\x78\x00\x05Hello"
    write_image(tmp_path / name, Photo(photo_pixels(), carried={"iptc": caption}))
    assert read_image(enlarged_file(upscaler, tmp_path / name)).carried["iptc"] == caption
    assert any("IPTC" in note for note in upscale_file(upscaler, tmp_path / name, tmp_path / "out.png"))


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp", "in.avif", "in.tif"])
def test_an_rgb_profile_is_kept_and_pixels_are_not_reinterpreted(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    source = saved(tmp_path / name, Image.fromarray(photo_pixels()), icc_profile=WIDE_RGB)
    made = read_image(enlarged_file(upscaler, source))
    assert made.carried["icc_profile"] == WIDE_RGB
    if name in ("in.png", "in.tif"):
        assert np.array_equal(made.pixels, upscaler(photo_pixels()))


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.tif", "in.bmp"])
def test_resolution_grows_with_the_photo(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    source = saved(tmp_path / name, Image.fromarray(photo_pixels()), dpi=(100, 100))
    made = read_image(enlarged_file(upscaler, source, target=Target(scale=2.5)))
    assert made.carried["dpi"] == pytest.approx((250, 250), abs=0.6)


def test_texts_of_a_png_are_kept(upscaler: Upscaler, tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "Hello")
    chunks.add_itxt("Author", "Żółć")
    source = saved(tmp_path / "in.png", Image.fromarray(photo_pixels()), pnginfo=chunks)
    with Image.open(enlarged_file(upscaler, source)) as made:
        assert made.text == {"Title": "Hello", "Author": "Żółć"}


def test_strip_leaves_nothing_but_how_colours_are_shown(upscaler: Upscaler, tmp_path: Path) -> None:
    carried = {
        "exif": _exif_with_thumbnail()[6:],
        "xmp": b"<x/>",
        "iptc": b"\x1c\x02\x78\x00\x01a",
        "dpi": (99.0, 99.0),
    }
    for name in ("in.jpg", "in.png", "in.tif"):
        write_image(
            tmp_path / name, Photo(photo_pixels(), carried={**carried, "icc_profile": SRGB, "text": {"a": "b"}})
        )
        made = read_image(enlarged_file(upscaler, tmp_path / name, is_stripped=True))
        assert set(made.carried) == {"icc_profile"}


# -- transparency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_hidden_does_not_darken_edges(bundled: Upscaler, tmp_path: Path, bits: int) -> None:
    colour = (200, 120, 40)
    rows, columns = np.mgrid[0:40, 0:40]
    covered = np.clip((14 - np.hypot(rows - 20, columns - 20)) / 2 + 0.5, 0, 1)
    rgba = np.zeros((40, 40, 4), np.uint8)  # black where nothing is seen
    rgba[covered > 0, :3] = colour
    rgba[:, :, 3] = np.rint(255 * covered)
    if bits == 16:
        (tmp_path / "in.png").write_bytes(deep_png(rgba.astype(np.uint16) * 257))
    else:
        Image.fromarray(rgba).save(tmp_path / "in.png")
    made = read_image(enlarged_file(bundled, tmp_path / "in.png"))
    assert made.alpha is not None
    assert np.abs(made.pixels.astype(int) - colour).max() <= RINGING_LEVELS
    assert (made.alpha[57:63, 57:63] == 255).all()
    assert (made.alpha[:9] == 0).all()


def test_soft_edges_become_hard_in_the_middle_where_the_format_knows_no_half(bundled: Upscaler, tmp_path: Path) -> None:
    rgba = np.zeros((24, 32, 4), np.uint8)
    rgba[:, :, 3] = np.linspace(0, 255, 32)
    made = read_image(enlarged_file(bundled, saved(tmp_path / "in.png", Image.fromarray(rgba)), ".gif"))
    assert made.alpha is not None
    assert set(np.unique(made.alpha)) == {0, 255}
    assert abs((made.alpha > 0).mean() - 0.5) < 0.05


def test_opaque_alpha_stays_opaque(bundled: Upscaler, tmp_path: Path) -> None:
    rgba = np.dstack([photo_pixels(), np.full((24, 32), 255, np.uint8)])
    for target in (None, Target(scale=2.5), Target(scale=4)):
        made = read_image(enlarged_file(bundled, saved(tmp_path / "in.png", Image.fromarray(rgba)), target=target))
        assert made.alpha is not None
        assert (made.alpha == 255).all()


# -- size and quality -------------------------------------------------------------------------------------------------

_TARGETS = (
    (Target(scale=2), (48, 64)),
    (Target(scale=3), (72, 96)),
    (Target(scale=2.5), (60, 80)),
    (Target(scale=1.3), (31, 42)),
    (Target(scale=8), (192, 256)),
    (Target(width=101), (76, 101)),
    (Target(height=100), (100, 133)),
    (Target(fit=(1920, 60)), (60, 80)),
    (Target(longest=100), (75, 100)),
    (Target(megapixels=0.0075), (75, 100)),
    (Target(scale=0.5), (12, 16)),
)


@pytest.mark.parametrize(("target", "size"), _TARGETS, ids=str)
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "16 bits"])
def test_the_size_is_what_was_asked_for(
    bundled: Upscaler, tmp_path: Path, target: Target, size: tuple[int, int], kind: str
) -> None:
    if kind == "16 bits":
        (tmp_path / "in.png").write_bytes(deep_png(deep_samples()))
    else:
        Image.fromarray(photo_pixels()).convert(kind).save(tmp_path / "in.png")
    made = read_image(enlarged_file(bundled, tmp_path / "in.png", target=target))
    assert made.pixels.shape[:2] == size
    assert abs(float(made.pixels.mean()) - float(read_image(tmp_path / "in.png").pixels.mean())) < 2


def test_quality_is_used_where_there_is_one(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.png", Image.fromarray(photo_pixels(64, 64)))
    for ending in (".jpg", ".webp", ".avif"):
        fine = enlarged_file(upscaler, source, ending).stat().st_size
        assert enlarged_file(upscaler, source, ending, quality=20).stat().st_size < fine / 2
    notes = upscale_file(upscaler, source, tmp_path / "q.png", settings=PhotoSettings(quality=20))
    assert "the quality was not used" in notes[0]


def test_lossless_is_refused_where_it_is_not_to_be_had(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.jpg", Image.fromarray(photo_pixels()))
    with pytest.raises(SettingError, match="use PNG or WebP"):
        enlarged_file(upscaler, source, lossless=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jpg"]
