import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pocketsr.image.exif import resize_exif, split_orientation, turn_upright

EVERY_ORIENTATION = range(1, 9)


def exif_block(orientation: int | None, *, order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "Maker"
    if orientation is not None:
        exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", EVERY_ORIENTATION)
def test_the_orientation_is_found_and_reset_and_no_other_byte_changes(orientation: int, order: str) -> None:
    block = exif_block(orientation, order=order)
    found, upright = split_orientation(block)
    assert found == orientation
    reread = Image.Exif()
    reread.load(upright)
    assert reread[0x0112] == 1
    assert reread[0x010F] == "Maker"
    differing = [a != b for a, b in zip(block.removeprefix(b"Exif\0\0"), upright, strict=True)]
    assert sum(differing) == (orientation != 1)


def test_a_block_without_the_tag_is_upright_and_unchanged() -> None:
    block = exif_block(None).removeprefix(b"Exif\0\0")
    assert split_orientation(block) == (1, block)


@pytest.mark.parametrize("orientation", EVERY_ORIENTATION)
def test_pixels_turn_as_pillow_turns_them(orientation: int) -> None:
    pixels = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    turned = turn_upright(pixels, orientation)
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.flags.c_contiguous


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_blocks_never_raise_and_keep_their_length(data: st.DataObject) -> None:
    block = bytearray(exif_block(6).removeprefix(b"Exif\0\0"))
    for _ in range(data.draw(st.integers(0, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(block[: data.draw(st.integers(0, len(block)))])
    orientation, upright = split_orientation(damaged)
    assert 1 <= orientation <= 8
    assert len(upright) == len(damaged.removeprefix(b"Exif\0\0"))


def test_a_phone_photo_stored_sideways_is_read_upright_once(tmp_path) -> None:
    from pocketsr.image import read_image, write_image

    buffer = io.BytesIO()
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left as stored: on top when upright
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif_block(6), quality=95)
    (tmp_path / "phone.jpg").write_bytes(buffer.getvalue())
    photo = read_image(tmp_path / "phone.jpg")
    assert photo.pixels.shape == (32, 16, 3)
    assert photo.pixels[:12].min() > 240 > 20 > photo.pixels[20:].max()
    write_image(tmp_path / "again.jpg", photo)
    again = read_image(tmp_path / "again.jpg")
    assert again.pixels.shape == (32, 16, 3)
    assert again.carried["exif"] == photo.carried["exif"]


def _full_block(order: str) -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x011A], exif[0x011B], exif[0x0100] = "Maker", 72.0, 300.0, 640
    exif.get_ifd(0x8769).update({0xA002: 640, 0xA003: 480, 0x927C: b"maker's own"})
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", ["<", ">"])
def test_size_and_resolution_are_made_true_and_nothing_else_changes(order: str) -> None:
    made = Image.Exif()
    made.load(resize_exif(_full_block(order), width=70000, height=1200, factors=(2.5, 2)))
    assert (made[0x0100], made[0x011A], made[0x011B], made[0x010F]) == (70000, 180, 600, "Maker")
    inner = made.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003], inner[0x927C]) == (70000, 1200, b"maker's own")


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_blocks_are_never_an_error_when_resized(data) -> None:
    block = bytearray(_full_block(data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(1, 8))):
        block[data.draw(st.integers(2, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(block[: data.draw(st.integers(0, len(block)))])
    assert len(resize_exif(cut, width=10, height=10, factors=(2, 2))) <= len(cut)
