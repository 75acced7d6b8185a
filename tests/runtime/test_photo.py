from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.errors import ImageFileError, ImageTooLargeError, OutputExistsError
from pocketsr.image import Photo, read_image, write_image
from pocketsr.runtime import Upscaler, enlarge
from pocketsr.runtime.photo import network_input, photo_of, upscale_file, upscaled_strips, write_upscaled
from sample_models import InMemory


@pytest.fixture
def upscaler() -> Upscaler:
    return Upscaler("any.tflite", backend=InMemory(), tile=16)


def _pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("strip_pixels", [1, 200, 1 << 20])
@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("is_grey", [False, True])
def test_strips_of_a_photo_are_colour_and_alpha_by_the_network(
    monkeypatch: pytest.MonkeyPatch, upscaler: Upscaler, strip_pixels: int, has_alpha: bool, is_grey: bool
) -> None:
    monkeypatch.setattr(enlarge, "_STRIP_PIXELS", strip_pixels)
    pixels = _pixels(37, 21)
    if is_grey:
        pixels[:] = pixels[:, :, :1]
    alpha = np.maximum(_pixels(37, 21, 1)[:, :, 0], 1) if has_alpha else None
    source = Photo(pixels, alpha=alpha, is_grey=is_grey)
    strips = list(upscaled_strips(upscaler, source))
    assert {len(strip) for strip, _ in strips} <= set(range(1, max(1, strip_pixels // 63) + 1))
    colour = np.concatenate([strip for strip, _ in strips])
    expected = upscaler(network_input(source))
    assert np.array_equal(colour, np.dstack([expected] * 3) if is_grey else expected)
    if alpha is None:
        assert all(part is None for _, part in strips)
    else:
        made = np.concatenate([part for _, part in strips if part is not None])
        assert np.array_equal(made, upscaler(alpha))


def test_a_png_carries_colour_alpha_and_resolution_through(tmp_path: Path, upscaler: Upscaler) -> None:
    alpha = np.maximum(_pixels(20, 30, 1)[:, :, 0], 1)
    source = Photo(_pixels(20, 30), alpha=alpha, carried={"dpi": (72.0, 72.0)})
    write_image(tmp_path / "in.png", source)
    notes = upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png")
    made = read_image(tmp_path / "out.png")
    assert notes == ()
    assert np.array_equal(made.pixels, upscaler(source.pixels))
    assert made.alpha is not None
    assert made.alpha.shape == (60, 90)
    assert made.carried["dpi"] == pytest.approx((216, 216), abs=0.1)


def test_a_grey_file_stays_grey(tmp_path: Path, upscaler: Upscaler) -> None:
    grey = _pixels(20, 30)[:, :, 0]
    write_image(tmp_path / "in.png", photo_of(grey))
    upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png")
    made = read_image(tmp_path / "out.png")
    assert made.is_grey
    assert np.array_equal(made.pixels[:, :, 0], upscaler(grey))


def test_what_was_given_up_is_told(tmp_path: Path, upscaler: Upscaler) -> None:
    transparent = Photo(_pixels(8, 8), alpha=np.zeros((8, 8), np.uint8), notes=("something was reduced",))
    notes = write_upscaled(upscaler, transparent, tmp_path / "out.jpg")
    assert notes[0] == "something was reduced"
    assert "flattened" in notes[1]


def test_the_input_is_never_replaced(tmp_path: Path, upscaler: Upscaler) -> None:
    write_image(tmp_path / "in.png", photo_of(_pixels(8, 8)))
    (tmp_path / "link.png").symlink_to(tmp_path / "in.png")
    for target in (tmp_path / "in.png", tmp_path / "link.png", tmp_path / "." / "in.png"):
        with pytest.raises(OutputExistsError, match="is the input itself"):
            upscale_file(upscaler, tmp_path / "in.png", target, overwrite=True)


def test_an_output_that_is_there_is_replaced_only_on_demand(tmp_path: Path, upscaler: Upscaler) -> None:
    write_image(tmp_path / "in.png", photo_of(_pixels(8, 8)))
    (tmp_path / "out.png").write_text("mine")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_text() == "mine"
    upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png", overwrite=True)
    assert read_image(tmp_path / "out.png").height == 24


def test_errors_leave_no_file(tmp_path: Path, upscaler: Upscaler) -> None:
    write_image(tmp_path / "in.png", photo_of(_pixels(40, 40)))

    def fail(done: int, total: int) -> None:
        del total
        if done > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png", on_progress=fail)
    with pytest.raises(ImageTooLargeError, match="--max-pixels"):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png", max_pixels=1599)
    with pytest.raises(ImageFileError):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "no such folder" / "out.png")
    with pytest.raises(ImageFileError):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_of_a_document_that_becomes_an_image_only_the_first_page_is_read(tmp_path: Path, upscaler: Upscaler) -> None:
    first, *others = (Image.fromarray(_pixels(10, 12, seed)) for seed in range(3))
    first.save(tmp_path / "in.tif", save_all=True, append_images=others)
    notes = upscale_file(upscaler, tmp_path / "in.tif", tmp_path / "out.png", max_pixels=120)
    assert "only the first of 3 pictures in the file was read" in notes
    with pytest.raises(ImageTooLargeError, match="in 3 pictures"):
        upscale_file(upscaler, tmp_path / "in.tif", tmp_path / "out.tif", max_pixels=120)
