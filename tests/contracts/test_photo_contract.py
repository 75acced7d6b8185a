"""The photo contract: what happens to every kind of file, each line of docs/reference/photo-contract.md a test."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from contracts.photo_contract import LOSSY_LEVELS, enlarged_file, is_what_the_model_makes, saved
from pocketsr.errors import MissingExtraError
from pocketsr.image import Photo, decoding, formats, read_frames, read_image, write_image
from pocketsr.runtime import Upscaler
from pocketsr.runtime.photo import upscale_file
from sample_files import cmyk_profile, deep_png, deep_samples, photo_pixels

# -- formats ----------------------------------------------------------------------------------------------------------

_JPEGS = {
    "baseline": {"quality": 95},
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "Adobe RGB": {"keep_rgb": True},
}


@pytest.mark.parametrize("kind", _JPEGS)
def test_jpeg_of_any_kind_becomes_jpeg_with_full_chroma(bundled: Upscaler, tmp_path: Path, kind: str) -> None:
    source = saved(tmp_path / "in.jpg", Image.fromarray(photo_pixels()), **_JPEGS[kind])
    is_what_the_model_makes(bundled, source, LOSSY_LEVELS)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == "JPEG"
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_inks_without_a_profile_are_converted_plainly_and_that_is_said(bundled: Upscaler, tmp_path: Path) -> None:
    inks = Image.fromarray(photo_pixels()).convert("CMYK")
    for name in ("in.jpg", "in.tif"):
        source = saved(tmp_path / name, inks)
        notes = upscale_file(bundled, source, tmp_path / f"out-{name}")
        assert "without their colour profile" in notes[0]
        is_what_the_model_makes(bundled, source, LOSSY_LEVELS)
        with Image.open(tmp_path / f"out-{name}") as image:
            assert image.mode == "RGB"


@pytest.mark.parametrize("name", ["in.jpg", "in.tif"])
def test_inks_go_through_their_profile_to_srgb(bundled: Upscaler, tmp_path: Path, name: str) -> None:
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    source = saved(tmp_path / name, inks, icc_profile=cmyk_profile(), quality=95)
    assert upscale_file(bundled, source, tmp_path / "out.png") == ()
    made = read_image(tmp_path / "out.png")
    # By the profile Lab (50, 60, 30), a red; without it cyan.
    assert np.abs(made.pixels.astype(int) - (205, 67, 81)).max() <= 6
    assert "icc_profile" not in made.carried


def test_ycck_is_read_as_the_inks_that_it_holds(bundled: Upscaler, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(photo_pixels()).convert("CMYK").save(file, "JPEG", quality=95)
    data = bytearray(file.getvalue())
    adobe = data.index(b"Adobe")
    data[adobe + 11] = 2  # the transform: YCCK
    (tmp_path / "in.jpg").write_bytes(bytes(data))
    is_what_the_model_makes(bundled, tmp_path / "in.jpg", LOSSY_LEVELS)


@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_palette_becomes_rgb_or_rgba(upscaler: Upscaler, tmp_path: Path, has_alpha: bool) -> None:
    image = Image.fromarray(photo_pixels()).quantize(9)
    options = {"transparency": bytes([255, 0, 90, 255, 255, 255, 255, 255, 255])} if has_alpha else {}
    source = saved(tmp_path / "in.png", image, **options)
    with Image.open(enlarged_file(upscaler, source)) as made:
        assert made.mode == ("RGBA" if has_alpha else "RGB")
    if not has_alpha:
        is_what_the_model_makes(upscaler, source)


def test_one_bit_becomes_grey(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.png", Image.fromarray(photo_pixels()).convert("1"))
    with Image.open(enlarged_file(upscaler, source)) as made, Image.open(source) as image:
        assert made.mode == "L"
        assert np.array_equal(np.asarray(made), upscaler(np.asarray(image.convert("L"))))


@pytest.mark.parametrize("name", ["in.png", "in.jpg", "in.webp", "in.avif", "in.tif", "in.bmp"])
def test_grey_stays_grey_without_a_tint(bundled: Upscaler, tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name == "in.webp" else {}
    source = saved(tmp_path / name, Image.fromarray(photo_pixels()).convert("L"), **options)
    with Image.open(enlarged_file(bundled, source)) as made:
        assert made.mode == ("RGB" if name == "in.webp" else "L")  # WebP has no grey
        assert np.ptp(np.asarray(made.convert("RGB")).astype(int), axis=2).max() <= (1 if name == "in.webp" else 0)


def test_grey_that_is_stored_as_colour_gets_no_tint_either(bundled: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.png", Image.fromarray(photo_pixels()).convert("L").convert("RGB"))
    with Image.open(enlarged_file(bundled, source)) as made:
        assert made.mode == "RGB"
        assert np.ptp(np.asarray(made).astype(int), axis=2).max() == 0


@pytest.mark.parametrize("name", ["in.png", "in.tif"])
def test_grey_with_alpha_stays_two_channels(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    grey = Image.fromarray(photo_pixels()).convert("LA")
    grey.putalpha(Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * 8 + 1, (24, 1))))
    with Image.open(enlarged_file(upscaler, saved(tmp_path / name, grey))) as made:
        assert made.mode == "LA"


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits(bundled: Upscaler, tmp_path: Path, channels: int, ending: str) -> None:
    samples = deep_samples(channels=channels)
    (tmp_path / "in.png").write_bytes(deep_png(samples))
    made = read_image(enlarged_file(bundled, tmp_path / "in.png", ending), deep=True)
    assert made.is_deep
    assert (made.is_grey, made.alpha is not None) == (channels < 3, channels in (2, 4))
    shrunk = made.pixels[:, :, 0].reshape(24, 3, 32, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - samples[:, :, 0]).mean() < 257
    assert len(np.unique(made.pixels & 255)) > 200, "all bits are used"


def test_16_bits_become_8_where_the_format_has_no_more_and_that_is_said(upscaler: Upscaler, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(deep_png(deep_samples()))
    notes = upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.jpg")
    assert any("16-bit samples were reduced to 8 bits" in note for note in notes)


def test_one_transparent_colour_of_a_png_becomes_alpha(upscaler: Upscaler, tmp_path: Path) -> None:
    pixels = photo_pixels()
    key = tuple(int(value) for value in pixels[0, 0])
    pixels[:8] = key
    source = saved(tmp_path / "in.png", Image.fromarray(pixels), transparency=key)
    made = read_image(enlarged_file(upscaler, source))
    assert made.alpha is not None
    assert (made.alpha[:20] == 0).all()
    assert (made.alpha[30:] == 255).all()


def test_the_gamma_of_a_png_is_kept(upscaler: Upscaler, tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100000))
    chunks.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    source = saved(tmp_path / "in.png", Image.fromarray(photo_pixels()), pnginfo=chunks)
    with Image.open(enlarged_file(upscaler, source)) as made:
        assert made.info["gamma"] == 1.0
        assert made.info["chromaticity"][4] == 0.21
    assert any("gamma" in note for note in upscale_file(upscaler, source, tmp_path / "out.jpg"))


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_is_webp_again(bundled: Upscaler, tmp_path: Path, lossless: bool) -> None:
    source = saved(tmp_path / "in.webp", Image.fromarray(photo_pixels()), lossless=lossless)
    is_what_the_model_makes(bundled, source, LOSSY_LEVELS)
    whole = read_image(enlarged_file(bundled, source, lossless=True)).pixels
    assert np.array_equal(whole, bundled(read_image(source).pixels))


def test_avif_is_avif_again(bundled: Upscaler, tmp_path: Path) -> None:
    is_what_the_model_makes(bundled, saved(tmp_path / "in.avif", Image.fromarray(photo_pixels())), LOSSY_LEVELS)


def test_more_than_8_bits_in_an_avif_are_reduced_and_that_is_said(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.avif", Image.fromarray(photo_pixels()))
    assert upscale_file(upscaler, source, tmp_path / "out.png") == ()
    data = bytearray(source.read_bytes())
    place = data.index(b"pixi") + 9
    data[place : place + 3] = bytes([10, 10, 10])
    with Image.open(source) as image:  # the decoder goes by the pictures' own description
        assert decoding.decode(image, io.BytesIO(data), deep_tiff=None, deep=True).notes == (  # type: ignore[union-attr]
            "10-bit samples were reduced to 8 bits",
        )


def test_bmp_is_bmp_again(upscaler: Upscaler, tmp_path: Path) -> None:
    is_what_the_model_makes(upscaler, saved(tmp_path / "in.bmp", Image.fromarray(photo_pixels())))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_is_tiff_again(upscaler: Upscaler, tmp_path: Path, compression: str) -> None:
    source = saved(tmp_path / "in.tif", Image.fromarray(photo_pixels()), compression=compression)
    is_what_the_model_makes(upscaler, source)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_tiff_of_any_samples_and_byte_order_is_read(bundled: Upscaler, tmp_path: Path, dtype: type, order: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    samples = deep_samples()
    scaled = {np.uint8: samples >> 8, np.uint16: samples, np.uint32: samples.astype(np.uint32) << 16}
    given = scaled.get(dtype, samples / 65535).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", given, photometric="rgb", byteorder=order)
    made = read_image(enlarged_file(bundled, tmp_path / "in.tif"), deep=True)
    assert made.is_deep == (dtype != np.uint8)
    levels = 1 if made.is_deep is False else 257
    shrunk = made.pixels.reshape(24, 3, 32, 3, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - (samples if made.is_deep else samples >> 8)).mean() < levels


def test_floating_point_beyond_0_to_1_is_clipped_and_that_is_said(upscaler: Upscaler, tmp_path: Path) -> None:
    samples = np.array([[-1, 0.5], [2, np.nan]], np.float32).repeat(8, axis=0).repeat(8, axis=1)
    source = saved(tmp_path / "in.tif", Image.fromarray(samples))
    notes = upscale_file(upscaler, source, tmp_path / "out.tif")
    assert notes == ("floating-point samples were clipped to 0..1",)
    read = read_image(source, deep=True).pixels[:, :, 0]
    assert [int(read[0, 0]), int(read[0, 8]), int(read[8, 0]), int(read[8, 8])] == [0, 32768, 65535, 0]


def test_lab_becomes_srgb(bundled: Upscaler, tmp_path: Path) -> None:
    pixels = photo_pixels()
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(pixels), to_lab)
    assert lab is not None
    source = saved(tmp_path / "in.tif", lab)
    read = read_image(source).pixels
    assert np.abs(read.astype(int) - pixels).max() <= 4
    assert np.array_equal(read_image(enlarged_file(bundled, source)).pixels, bundled(read))


def test_every_page_of_a_tiff_is_enlarged(upscaler: Upscaler, tmp_path: Path) -> None:
    pages = [Image.fromarray(photo_pixels(24, 32)), Image.fromarray(photo_pixels(10, 12))]
    source = saved(tmp_path / "in.tif", pages[0], save_all=True, append_images=pages[1:])
    made = read_frames(enlarged_file(upscaler, source))
    assert made is not None
    for photo, page in zip(made.photos, pages, strict=True):
        assert np.array_equal(photo.pixels, upscaler(np.asarray(page)))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_pages_of_a_tiff_keep_their_16_bits_their_channels_and_their_metadata(
    bundled: Upscaler, tmp_path: Path, dtype: type
) -> None:
    tifffile = pytest.importorskip("tifffile")
    pages = [deep_samples(24, 32, 3), deep_samples(10, 12, 1)[:, :, 0], (deep_samples(9, 8, 4) >> 8).astype(np.uint8)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page in pages:
            given = page if page.dtype == np.uint8 else (page / (1 if dtype == np.uint16 else 65535)).astype(dtype)
            file.write(given, photometric="minisblack" if page.ndim == 2 else "rgb", resolution=(90, 90), metadata=None)
    made = read_frames(enlarged_file(bundled, tmp_path / "in.tif"))
    assert made is not None
    for photo, page in zip(made.photos, pages, strict=True):
        assert photo.pixels.dtype == page.dtype
        assert (photo.height, photo.width) == (3 * page.shape[0], 3 * page.shape[1])
        assert (photo.is_grey, photo.alpha is not None) == (page.ndim == 2, page.shape[2:] == (4,))
        assert photo.carried["dpi"] == pytest.approx((270, 270))
    notes = upscale_file(bundled, tmp_path / "in.tif", tmp_path / "out.webp")
    assert any("only the first of 3 pictures" in note for note in notes)
    with Image.open(tmp_path / "out.webp") as image:
        assert image.n_frames == 1, "pages are no animation"


#: What Pillow needs to be told to keep the transparency of an animation.
_ANIMATED = {"in.gif": {"disposal": 2}, "in.webp": {"kmin": 1, "kmax": 1}}


@pytest.mark.parametrize("name", ["in.gif", "in.webp", "in.png", "in.avif"])
def test_an_animation_keeps_its_pictures_timing_and_loops(bundled: Upscaler, tmp_path: Path, name: str) -> None:
    pictures = []
    for number in range(3):
        rgba = np.zeros((24, 32, 4), np.uint8)
        rgba[4:16, 4 + 6 * number : 14 + 6 * number] = (200, 40, 30, 255)
        pictures.append(Image.fromarray(rgba))
    options = {"duration": [100, 250, 400], "loop": 2} | _ANIMATED.get(name, {})
    source = saved(tmp_path / name, pictures[0], save_all=True, append_images=pictures[1:], **options)
    before, made = read_frames(source), read_frames(enlarged_file(bundled, source))
    assert before is not None
    assert made is not None
    assert made.durations_ms == before.durations_ms == (100, 250, 400)
    assert made.loop == before.loop == (None if name == "in.avif" else 2)  # AVIF does not say
    for number, photo in enumerate(made.photos):
        assert photo.alpha is not None
        rows, columns = np.nonzero(photo.alpha > 127)
        assert (rows.min() // 3, columns.min() // 3) == (4, 4 + 6 * number), "each picture by itself"


def test_of_an_animation_a_format_of_one_picture_gets_the_first(upscaler: Upscaler, tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    source = saved(tmp_path / "in.gif", pictures[0], save_all=True, append_images=pictures[1:])
    assert "only the first of 2 pictures" in upscale_file(upscaler, source, tmp_path / "out.jpg")[0]
    assert "the timing of the animation was left out" in upscale_file(upscaler, source, tmp_path / "out.tif")[0]
    frames = read_frames(tmp_path / "out.tif")
    assert frames is not None
    assert len(frames.photos) == 2


@pytest.mark.parametrize(("package", "name"), [("pillow_heif", "in.heic"), ("pillow_jxl", "in.jxl")])
def test_formats_of_plugins_are_read_and_written_where_installed(
    bundled: Upscaler, tmp_path: Path, package: str, name: str
) -> None:
    pytest.importorskip(package)
    write_image(tmp_path / name, Photo(photo_pixels()))
    made = read_image(enlarged_file(bundled, tmp_path / name))
    assert np.abs(made.pixels.astype(float) - bundled(read_image(tmp_path / name).pixels)).mean() <= LOSSY_LEVELS


def test_a_plugin_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.Format, "is_installed", property(lambda kind: not kind.package))
    (tmp_path / "in.heic").write_bytes(struct.pack(">I", 28) + b"ftypheic" + bytes(16))
    with pytest.raises(MissingExtraError, match="pip install pillow-heif"):
        read_image(tmp_path / "in.heic")


def test_another_format_is_made_when_it_is_asked_for(upscaler: Upscaler, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.webp", Image.fromarray(photo_pixels()), lossless=True)
    is_what_the_model_makes(upscaler, source, ending=".png")
