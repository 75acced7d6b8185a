import dataclasses
import errno
import os
import resource
import signal
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.errors import ImageFileError, OutputExistsError, SettingError
from pocketsr.image import FORMATS, Photo, format_of, read_image, replacing, write_image, write_strips, writing

ICC_RGB = b"\0" * 16 + b"RGB " + b"\0" * 108
ICC_GREY = b"\0" * 16 + b"GRAY" + b"\0" * 108
#: Levels by which a smooth image may move through JPEG 95, WebP 95 or AVIF 90.
LOSSY_LEVELS = 8
#: The same through 256 colours with dither.
PALETTE_LEVELS = 40


def smooth(height: int = 24, width: int = 40) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3 + 40, columns * 3 + 40, rows + columns + 60], axis=2).astype(np.uint8)


def ramp(height: int = 24, width: int = 40) -> np.ndarray:
    return np.linspace(0, 255, height * width).astype(np.uint8).reshape(height, width)


def _levels(suffix: str) -> int:
    """Levels by which a smooth image may move through a format."""
    if suffix in (".png", ".tif", ".tiff", ".bmp"):
        return 0
    return PALETTE_LEVELS if suffix == ".gif" else LOSSY_LEVELS


@pytest.fixture
def photo() -> Photo:
    return Photo(smooth())


@pytest.fixture
def grey() -> Photo:
    return Photo(np.repeat(ramp()[..., None], 3, axis=2), is_grey=True)


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_what_is_written_is_read_back(tmp_path: Path, photo: Photo, suffix: str) -> None:
    assert write_image(tmp_path / f"a{suffix}", photo) == ()
    back = read_image(tmp_path / f"a{suffix}").pixels.astype(int)
    assert np.abs(back - photo.pixels).max() <= _levels(suffix)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.format == format_of(Path(f"a{suffix}"))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_grey_is_written_as_one_channel(tmp_path: Path, grey: Photo, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", grey)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.mode == "L"
    assert read_image(tmp_path / f"a{suffix}").is_grey


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_grey_survives_formats_of_colour_without_a_tint(tmp_path: Path, grey: Photo, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", grey)
    back = read_image(tmp_path / f"a{suffix}").pixels.astype(int)
    assert np.abs(back - grey.pixels).max() <= LOSSY_LEVELS
    assert np.ptp(back, axis=2).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("is_grey", [False, True])
def test_alpha_is_written_where_the_format_has_it(tmp_path: Path, grey: Photo, suffix: str, is_grey: bool) -> None:
    photo = dataclasses.replace(grey, alpha=ramp()[::-1].copy(), is_grey=is_grey)
    assert write_image(tmp_path / f"a{suffix}", photo) == ()
    back = read_image(tmp_path / f"a{suffix}")
    assert back.alpha is not None
    assert np.abs(back.alpha.astype(int) - photo.alpha).max() <= (LOSSY_LEVELS if suffix == ".avif" else 0)
    if suffix in (".png", ".tif"):
        assert back.is_grey == is_grey
        assert np.array_equal(back.pixels, photo.pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_alpha_is_flattened_onto_white_elsewhere_and_the_note_says_so(tmp_path: Path, suffix: str) -> None:
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 8:] = 0
    photo = Photo(np.full((16, 16, 3), 50, np.uint8), alpha)
    assert "flattened onto white" in write_image(tmp_path / f"a{suffix}", photo)[0]
    back = read_image(tmp_path / f"a{suffix}").pixels.astype(int)
    assert np.abs(back[:, :8] - 50).max() <= LOSSY_LEVELS
    assert np.abs(back[:, 8:] - 255).max() <= LOSSY_LEVELS


def test_half_transparency_mixes_with_white_to_the_nearest_level(tmp_path: Path) -> None:
    pixels, alpha = np.zeros((1, 256, 3), np.uint8), np.arange(256, dtype=np.uint8)[None]
    write_image(tmp_path / "a.bmp", Photo(pixels, alpha))
    assert np.array_equal(read_image(tmp_path / "a.bmp").pixels[0, :, 0], 255 - alpha[0])


def test_opaque_alpha_is_dropped_without_a_note(tmp_path: Path, photo: Photo) -> None:
    opaque = dataclasses.replace(photo, alpha=np.full((24, 40), 255, np.uint8))
    assert write_image(tmp_path / "a.bmp", opaque) == ()
    assert np.array_equal(read_image(tmp_path / "a.bmp").pixels, photo.pixels)


def test_jpeg_keeps_full_chroma(tmp_path: Path, photo: Photo) -> None:
    write_image(tmp_path / "a.jpg", photo)
    with Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_lossless_webp_keeps_every_pixel_even_under_transparency(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 4), np.uint8)
    noise[:10, :, 3] = 0
    write_image(tmp_path / "a.webp", Photo(noise[..., :3], noise[..., 3]), lossless=True)
    back = read_image(tmp_path / "a.webp")
    assert np.array_equal(back.pixels, noise[..., :3])
    assert np.array_equal(back.alpha, noise[..., 3])


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_lower_quality_makes_a_smaller_file(tmp_path: Path, suffix: str) -> None:
    noise = Photo(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    write_image(tmp_path / f"fine{suffix}", noise)
    write_image(tmp_path / f"coarse{suffix}", noise, quality=20)
    assert (tmp_path / f"coarse{suffix}").stat().st_size < (tmp_path / f"fine{suffix}").stat().st_size / 2


@pytest.mark.parametrize(
    ("name", "settings", "word"),
    [
        ("a.jpg", {"lossless": True}, "lossy"),
        ("a.avif", {"lossless": True}, "lossy"),
        ("a.png", {"quality": 90}, "always lossless"),
        ("a.jpg", {"quality": 0}, "1 to 100"),
        ("a.webp", {"quality": 101}, "1 to 100"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, photo: Photo, name, settings, word) -> None:
    with pytest.raises(SettingError, match=word):
        write_image(tmp_path / name, photo, **settings)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tif"])
def test_metadata_survives(tmp_path: Path, photo: Photo, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    carried = {"exif": exif.tobytes(), "icc_profile": ICC_RGB, "dpi": (300.0, 150.0)}
    notes = write_image(tmp_path / f"a{suffix}", dataclasses.replace(photo, carried=carried))
    back = read_image(tmp_path / f"a{suffix}").carried
    assert back["icc_profile"] == ICC_RGB
    assert notes == ()
    reread = Image.Exif()
    reread.load(back["exif"])
    assert reread[0x010F] == "Maker"
    if suffix in (".png", ".jpg", ".tif"):
        assert back["dpi"] == pytest.approx((300, 150), abs=0.1)


def test_a_grey_profile_is_not_put_on_a_colour_file(tmp_path: Path, grey: Photo) -> None:
    photo = dataclasses.replace(grey, carried={"icc_profile": ICC_GREY})
    assert write_image(tmp_path / "a.png", photo) == ()
    assert read_image(tmp_path / "a.png").carried["icc_profile"] == ICC_GREY
    assert "profile was left out" in write_image(tmp_path / "a.webp", photo)[0]
    assert "icc_profile" not in read_image(tmp_path / "a.webp").carried


def test_exif_that_no_jpeg_can_hold_is_left_out_with_a_note(tmp_path: Path, photo: Photo) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70000
    notes = write_image(tmp_path / "a.jpg", dataclasses.replace(photo, carried={"exif": exif.tobytes()}))
    assert "do not fit into a JPEG" in notes[0]
    assert "exif" not in read_image(tmp_path / "a.jpg").carried


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "a.png").write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_image(tmp_path / "a.png", photo)
    assert (tmp_path / "a.png").read_bytes() == b"precious"
    write_image(tmp_path / "a.png", photo, overwrite=True)
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, photo.pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a.xyz", "ending '.xyz'"),
        ("a", "no ending"),
        ("none/a.png", "does not exist; create it"),
        ("folder.png", "it is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, photo: Photo, name: str, word: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageFileError, match=word):
        write_image(tmp_path / name, photo, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize(("name", "width"), [("a.webp", 16384), ("a.jpg", 65501)])
def test_an_image_too_large_for_the_format_is_refused(tmp_path: Path, name: str, width: int) -> None:
    with pytest.raises(ImageFileError, match="write PNG instead"):
        write_image(tmp_path / name, Photo(np.zeros((1, width, 3), np.uint8)))


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_a_disk_that_fills_leaves_nothing_behind(tmp_path: Path, suffix: str) -> None:
    noise = Photo(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    (tmp_path / f"a{suffix}").write_bytes(b"precious")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        # Pillow gathers small files; the last of its writes is the one that a full disk may cut short unseen.
        with pytest.raises(ImageFileError, match=r"cannot write .*disk has space") as caught:
            write_image(tmp_path / f"a{suffix}", noise, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]
    assert (tmp_path / f"a{suffix}").read_bytes() == b"precious"


def test_the_reason_of_the_system_is_passed_on(tmp_path: Path) -> None:
    def fill_the_disk() -> None:
        with replacing(tmp_path / "a.png", overwrite=False) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ImageFileError, match=os.strerror(errno.ENOSPC)):
        fill_the_disk()
    assert not any(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, photo: Photo) -> None:
    def strips():
        yield photo.pixels[:8], None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_strips(tmp_path / "a.png", strips(), height=24, width=40, like=photo)
    assert not any(tmp_path.iterdir())


def test_a_written_file_has_the_usual_permissions(tmp_path: Path, photo: Photo) -> None:
    write_image(tmp_path / "a.png", photo)
    (tmp_path / "usual").touch()
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path, photo: Photo) -> None:
    write_image(tmp_path / ("a" * 251 + ".png"), photo)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("stream_pixels", [0, 1 << 24])
@pytest.mark.parametrize("error", [ValueError("no\nway"), struct.error(), OverflowError("cannot"), SyntaxError("odd")])
def test_an_encoder_that_refuses_is_one_line(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch, stream_pixels: int, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(writing, "STREAM_PIXELS", stream_pixels)
    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(ImageFileError, match=r"cannot write .*a\.jpg: JPEG encoding failed \(.+\); try PNG"):
        write_strips(tmp_path / "a.jpg", [(photo.pixels, None)], height=24, width=40, like=photo)
    assert not any(tmp_path.iterdir())


def test_a_profile_of_more_segments_than_jpeg_counts_is_left_out(tmp_path: Path, photo: Photo) -> None:
    huge = dataclasses.replace(photo, carried={"icc_profile": ICC_RGB + bytes(65519 * 255)})
    assert "colour profile was left out: its 16,707,473 bytes" in write_image(tmp_path / "a.jpg", huge)[0]
    assert read_image(tmp_path / "a.jpg").carried == {}


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_damaged_exif_data_is_written_without_a_warning(tmp_path: Path, photo: Photo, suffix: str) -> None:
    damaged = b"II*\0" + struct.pack("<IHHHII", 8, 9, 0x0112, 3, 2**31, 2**31)
    write_image(tmp_path / f"a{suffix}", dataclasses.replace(photo, carried={"exif": damaged}))
    assert read_image(tmp_path / f"a{suffix}").height == 24


@pytest.mark.parametrize(("height", "width"), [(1, 32769), (17000, 17000)])
def test_what_no_avif_decoder_takes_is_refused_before_any_work(tmp_path: Path, height: int, width: int) -> None:
    like = Photo(np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(ImageFileError, match=r"AVIF holds up to .*; write PNG instead"):
        write_strips(tmp_path / "a.avif", iter(()), height=height, width=width, like=like)
    assert not any(tmp_path.iterdir())


def test_the_longest_avif_is_read_again(tmp_path: Path) -> None:
    write_image(tmp_path / "a.avif", Photo(np.full((2, 32768, 3), 90, np.uint8)))
    assert read_image(tmp_path / "a.avif").width == 32768
