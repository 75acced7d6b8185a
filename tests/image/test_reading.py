import io
import os
import struct
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pocketsr.errors import DataError, ImageFileError, ImageTooLargeError, PocketsrError, SettingError
from pocketsr.image import FORMATS, Photo, list_images, read_image
from pocketsr.image.tiff_strips import write_tiff_bands

LOSSLESS = [".png", ".tif", ".bmp"]
#: Levels by which a smooth image may move through a lossy format at Pillow's quality 95.
LOSSY_LEVELS = 6


def smooth(height: int = 24, width: int = 40) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3 + 40, columns * 3 + 40, rows + columns + 60], axis=2).astype(np.uint8)


def png_of_sixteen_bits(samples: np.ndarray) -> bytes:
    """Written by hand, as Pillow cannot write RGB of 16 bits."""
    height, width, channels = samples.shape
    colour_type = {2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_give_every_pixel(tmp_path: Path, suffix: str) -> None:
    photo = read_image(save(tmp_path / f"a{suffix}", Image.fromarray(smooth())))
    assert np.array_equal(photo.pixels, smooth())
    assert (photo.alpha, photo.is_grey, photo.source_bits, photo.notes) == (None, False, 8, ())
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str) -> None:
    photo = read_image(save(tmp_path / f"a{suffix}", Image.fromarray(smooth()), quality=95))
    assert np.abs(photo.pixels.astype(int) - smooth()).max() <= LOSSY_LEVELS


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    save(tmp_path / "really.png", Image.fromarray(smooth()), format="BMP")
    assert np.array_equal(read_image(tmp_path / "really.png").pixels, smooth())


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    assert read_image(str(save(tmp_path / "a.png", Image.fromarray(smooth())))).width == 40


def test_alpha_lies_beside_the_colours(tmp_path: Path) -> None:
    alpha = np.arange(24 * 40, dtype=np.uint8).reshape(24, 40)
    photo = read_image(save(tmp_path / "a.png", Image.fromarray(np.dstack([smooth(), alpha]))))
    assert np.array_equal(photo.pixels, smooth())
    assert np.array_equal(photo.alpha, alpha)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_sources_say_so(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(smooth()).convert("L").convert(mode)
    photo = read_image(save(tmp_path / "grey.png", image))
    assert photo.is_grey
    assert photo.source_bits == (1 if mode == "1" else 8)
    assert np.array_equal(photo.pixels[..., 0], np.asarray(image.convert("L")))
    assert (photo.pixels == photo.pixels[..., :1]).all()
    assert (photo.alpha is not None) == (mode == "LA")


def test_grey_with_one_transparent_level_gets_alpha(tmp_path: Path) -> None:
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    photo = read_image(save(tmp_path / "a.png", Image.fromarray(levels), transparency=5))
    assert photo.is_grey
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 0, levels == 5)
    assert np.array_equal(photo.pixels[..., 0], levels)


@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_palette_becomes_colours(tmp_path: Path, has_alpha: bool) -> None:
    image = Image.new("P", (4, 3), 1)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putpixel((2, 1), 2)
    photo = read_image(save(tmp_path / "a.png", image, **({"transparency": bytes([0, 255, 7])} if has_alpha else {})))
    assert photo.pixels[0, 0].tolist() == [40, 50, 60]
    assert photo.pixels[1, 2].tolist() == [70, 80, 90]
    assert not photo.is_grey
    if has_alpha:
        assert photo.alpha is not None
        assert (photo.alpha[0, 0], photo.alpha[1, 2]) == (255, 7)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_keep_their_high_byte_and_say_so(tmp_path: Path, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (5, 6, channels), np.uint16)
    (tmp_path / "deep.png").write_bytes(png_of_sixteen_bits(samples))
    photo = read_image(tmp_path / "deep.png")
    assert photo.source_bits == 16
    assert photo.is_grey == (channels == 2)
    assert photo.notes == ("16-bit samples were reduced to 8 bits",)
    assert np.array_equal(photo.pixels, np.broadcast_to((samples >> 8)[..., : 3 if channels > 2 else 1], (5, 6, 3)))
    if channels != 3:
        assert np.array_equal(photo.alpha, samples[..., -1] >> 8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_sixteen_bits_keeps_its_high_byte(tmp_path: Path, suffix: str) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (5, 6), np.uint16)
    photo = read_image(save(tmp_path / f"deep{suffix}", Image.fromarray(samples)))
    assert (photo.is_grey, photo.source_bits) == (True, 16)
    assert np.array_equal(photo.pixels[..., 2], samples >> 8)


def test_cmyk_becomes_rgb_and_says_what_was_lost(tmp_path: Path) -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    photo = read_image(save(tmp_path / "ink.jpg", ink, quality=95, icc_profile=b"\0" * 16 + b"CMYK" + b"\0" * 108))
    assert np.abs(photo.pixels.astype(int) - [255, 0, 0]).max() <= LOSSY_LEVELS
    assert "icc_profile" not in photo.carried
    assert "CMYK" in photo.notes[0]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_of_several_pictures_the_first_is_read_and_the_note_says_so(tmp_path: Path, suffix: str) -> None:
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 255, 0))
    save(tmp_path / f"two{suffix}", first, save_all=True, append_images=[second], lossless=True)
    photo = read_image(tmp_path / f"two{suffix}")
    assert photo.pixels[0, 0].tolist() == [255, 0, 0]
    assert photo.notes == ("only the first of 2 pictures in the file was read",)


def test_samples_of_unknown_meaning_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "deep.tif", Image.new("I", (4, 4)))
    with pytest.raises(ImageFileError, match="samples of kind 'I' are not supported"):
        read_image(tmp_path / "deep.tif")


def test_metadata_is_carried(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    save(tmp_path / "a.jpg", Image.fromarray(smooth()), exif=exif, icc_profile=profile, dpi=(300, 300))
    carried = read_image(tmp_path / "a.jpg").carried
    assert carried["icc_profile"] == profile
    assert carried["dpi"] == (300.0, 300.0)
    reread = Image.Exif()
    reread.load(carried["exif"])
    assert reread[0x010F] == "Maker"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="there is no such file"):
        read_image(tmp_path / "none.png")


def test_a_folder_is_said_to_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="it is a folder"):
        read_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageFileError, match="it is a pipe; save the image as a file"):
        read_image(tmp_path / "pipe.png")


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageFileError, match="empty"):
        read_image(tmp_path / "a.png")


def test_text_named_png_is_said_to_be_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("Dear diary, this is not an image at all.")
    with pytest.raises(ImageFileError, match="its content is not PNG"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_a_file_cut_short_is_refused_in_one_line_that_names_it(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = save(tmp_path / f"whole{suffix}", Image.fromarray(noise)).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for part in (20, len(whole) // 3, len(whole) * 2 // 3):
        cut.write_bytes(whole[:part])
        with pytest.raises(ImageFileError, match="damaged or cut short") as caught:
            read_image(cut)
        assert "\n" not in str(caught.value)
        assert str(cut) in str(caught.value)


def test_more_pixels_than_the_limit_are_refused_and_the_flag_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", Image.new("L", (100, 50)))
    assert read_image(tmp_path / "a.png", max_pixels=5000).width == 100
    with pytest.raises(ImageTooLargeError, match=r"100×50 is 5,000 pixels.*4,999.*--max-pixels"):
        read_image(tmp_path / "a.png", max_pixels=4999)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_our_limit_takes_the_place_of_pillows_which_is_put_back(tmp_path: Path, monkeypatch, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", Image.fromarray(smooth()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # 960 pixels are beyond twice that: an error in Pillow
    assert read_image(path, max_pixels=None).width == 40
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 4) + b"IDAT")
    with pytest.raises(ImageTooLargeError, match="3,600,000,000 pixels"):
        read_image(tmp_path / "bomb.png")


def test_many_threads_leave_pillow_as_it_was(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(smooth()))
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read_image(path) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_odd_metadata_gives_neither_warning_nor_error(tmp_path: Path) -> None:
    # A directory that announces more entries than there are: Pillow warns about it.
    broken = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 40) + b"\x12\x01\x03\x00"
    save(tmp_path / "a.jpg", Image.fromarray(smooth()), exif=broken)
    assert read_image(tmp_path / "a.jpg").pixels.shape == (24, 40, 3)


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(sorted(set(FORMATS.values()))), st.data())
def test_damaged_files_give_a_photo_or_our_error_and_nothing_else(tmp_path_factory, name: str, data) -> None:
    buffer = io.BytesIO()
    Image.fromarray(smooth(8, 8)).save(buffer, name)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(content))
    message = ""
    try:
        read_image(path, max_pixels=100_000)
    except PocketsrError as error:
        message = str(error)
    assert "\n" not in message


@settings(deadline=None, max_examples=80)
@given(st.booleans(), st.data())
def test_damaged_files_of_16_bits_give_a_photo_or_our_error_too(tmp_path_factory, is_tiff: bool, data) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (8, 9, 3), np.uint16)
    buffer = io.BytesIO()
    if is_tiff:
        write_tiff_bands(buffer, [samples], height=8, width=9, options={})
    content = bytearray(buffer.getvalue() if is_tiff else png_of_sixteen_bits(samples))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged16"
    path.write_bytes(bytes(content))
    message = ""
    try:
        read_image(path, max_pixels=100_000, deep=True)
    except PocketsrError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_the_bytes_of_a_file_are_read_as_the_file_is(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"a.{ending}", Image.fromarray(smooth()), dpi=(200, 200))
    made, read = read_image(path.read_bytes()), read_image(path)
    assert np.array_equal(made.pixels, read.pixels)
    assert made.carried == read.carried
    with pytest.raises(ImageFileError, match="cannot read the image: the file is empty"):
        read_image(b"")


def test_images_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "deeper.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.JPG", "b.png", "c.webp"]


@pytest.mark.parametrize(("name", "word"), [("none", "missing"), ("a.png", "it is a file"), ("", "has no images")])
def test_a_folder_without_images_is_refused(tmp_path: Path, name: str, word: str) -> None:
    if name == "a.png":
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=word):
        list_images(tmp_path / name)


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 3), np.float32), None),
        (np.zeros((0, 4, 3), np.uint8), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)),
    ],
)
def test_a_photo_of_another_shape_or_type_is_refused(pixels, alpha) -> None:
    with pytest.raises(SettingError, match="uint8 of shape"):
        Photo(pixels, alpha)


def test_a_profile_that_is_a_number_is_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", Image.fromarray(smooth()), icc_profile=b"\0" * 16 + b"RGB " + b"\0" * 108)
    data = path.read_bytes()
    entry = struct.pack("<HHI", 34675, 7, 128)  # ICC profile, UNDEFINED, 128 bytes
    assert data.count(entry) == 1
    path.write_bytes(data.replace(entry, struct.pack("<HHI", 34675, 5, 1)))  # one RATIONAL
    assert "icc_profile" not in read_image(path).carried


def tiff_with_pages_behind_it(count: int, *, is_damaged: bool = False) -> bytes:
    """Return a TIFF of one good page, and ``count`` of one pixel (or of nothing) behind it."""
    buffer = io.BytesIO()
    Image.fromarray(smooth()).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    (start,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, start)
    data += bytes(len(data) % 2)
    struct.pack_into("<I", data, start + 2 + 12 * tags, len(data))
    numbers = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    if is_damaged:
        numbers = {256: 1, 257: 1}
    for left in reversed(range(count)):
        data += struct.pack("<H", len(numbers))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, number) for tag, number in numbers.items())
        data += struct.pack("<I", len(data) + 4 if left else 0)
    return bytes(data)


@pytest.mark.parametrize(
    ("pages", "words"),
    [(0, ""), (1, "of 2 pict"), (98, "of 99 pict"), (99, "of 100 or more"), (20000, "of 100 or more")],
)
def test_the_pages_of_a_tiff_are_counted_as_far_as_that_is_quick(tmp_path: Path, pages: int, words: str) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_with_pages_behind_it(pages))
    start = time.perf_counter()
    photo = read_image(tmp_path / "a.tif")
    assert time.perf_counter() - start < 3  # Pillow alone takes six seconds for 20,000, and ever longer for more
    assert np.array_equal(photo.pixels, smooth())
    assert words in "".join(photo.notes)
    assert bool(photo.notes) == bool(words)


def test_a_damaged_page_behind_the_first_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_with_pages_behind_it(3, is_damaged=True))
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, smooth())
