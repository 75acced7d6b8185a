"""Traces of JPEG: the quality is told from tables and from pixels; where there was no JPEG nothing is found."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.image import JpegTraces, downscale, find_jpeg_traces, list_images, photo_from_pillow, read_image
from pocketsr.image.jpeg_traces import quality_of_tables
from sample_photographs import photograph


def _photo(seed: int = 0) -> np.ndarray:
    image = np.stack([photograph(200, 240, seed + channel // 2) for channel in range(3)], axis=2)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _file(image: np.ndarray, quality: int, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def _stored(image: np.ndarray, quality: int, **options: object) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(_file(image, quality, **options))))


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 85, 92, 96, 100])
def test_the_quality_is_told_from_the_file_s_tables(quality: int) -> None:
    data = _file(_photo(), quality)
    assert read_image(data).jpeg_quality == pytest.approx(quality, abs=1)
    assert read_image(data).jpeg_halves_colour
    assert photo_from_pillow(Image.open(io.BytesIO(data))).jpeg_quality == pytest.approx(quality, abs=1)


def test_other_formats_have_no_quality() -> None:
    file = io.BytesIO()
    Image.fromarray(_photo()).save(file, "PNG")
    assert read_image(file.getvalue()).jpeg_quality is None
    assert not read_image(file.getvalue()).jpeg_halves_colour
    assert photo_from_pillow(Image.fromarray(_photo())).jpeg_quality is None


def test_tables_that_are_none_say_nothing() -> None:
    assert quality_of_tables({}) is None
    assert quality_of_tables({0: [1, 2, 3]}) is None
    assert quality_of_tables({0: [0] * 64}) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [20, 50, 75, 88])
def test_the_quality_is_told_from_pixels_alone(quality: int, subsampling: str) -> None:
    found = find_jpeg_traces(_stored(_photo(), quality, subsampling=subsampling))
    assert found.has_grid
    assert found.quality == pytest.approx(quality, abs=3)


def test_it_is_told_from_a_part_that_was_cut_out_turned_and_mirrored() -> None:
    part = _stored(_photo(), 60)[3:, 5:-2]
    for turns in range(4):
        assert find_jpeg_traces(np.rot90(part, turns)[:, ::-1]).quality == pytest.approx(60, abs=3)


def test_grey_and_sixteen_bits_are_looked_at_too() -> None:
    grey = _stored(_photo()[:, :, 0], 60)
    assert find_jpeg_traces(grey).quality == pytest.approx(60, abs=2)
    assert find_jpeg_traces(grey.astype(np.uint16) * 257).quality == pytest.approx(60, abs=2)


def test_a_coarse_storing_shows_through_a_fine_one_after_it() -> None:
    assert find_jpeg_traces(_stored(_stored(_photo(), 50), 97, subsampling="4:4:4")).quality == pytest.approx(50, abs=3)


def test_a_fine_storing_leaves_the_grid_alone() -> None:
    assert find_jpeg_traces(_stored(_photo(), 95)) == JpegTraces(has_grid=True)


@pytest.mark.parametrize("quality", [60, 75, 88, 94])
def test_whole_colour_is_told_from_halved_by_pixels_alone(quality: int) -> None:
    for subsampling, whole in (("4:4:4", True), ("4:2:2", False), ("4:2:0", False)):
        stored = _stored(_photo(), quality, subsampling=subsampling)
        for image in (stored, stored[3:, 5:-2], np.rot90(stored), stored.astype(np.uint16) * 257):
            assert find_jpeg_traces(image).keeps_colour == whole, subsampling


def test_colour_is_looked_at_where_it_is_wanted() -> None:
    stored = _stored(_photo(), 75, subsampling="4:4:4")
    assert find_jpeg_traces(stored, with_colour=False) == dataclasses.replace(
        find_jpeg_traces(stored), keeps_colour=False
    )


def test_where_there_is_no_colour_none_was_kept() -> None:
    grey = _stored(_photo()[:, :, 0], 75)
    for image in (grey, np.stack([grey] * 3, axis=2)):
        assert find_jpeg_traces(image).has_grid
        assert not find_jpeg_traces(image).keeps_colour


def test_what_was_never_jpeg_has_no_traces() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 128).astype(np.uint8), (128, 128))
    noise = np.random.default_rng(0).integers(0, 256, (100, 90, 3), np.uint8)
    for image in (_photo(), ramp, noise, np.full((64, 64), 255, np.uint8), np.zeros((5, 300, 3), np.uint8)):
        assert find_jpeg_traces(image) == JpegTraces()


def test_pixels_that_were_shrunk_since_have_no_traces() -> None:
    stored = _stored(_photo(), 60)
    assert find_jpeg_traces(downscale(stored, 2)) == JpegTraces()


def test_a_large_image_is_looked_at_in_parts_only() -> None:
    large = np.broadcast_to(np.uint8(90), (60_000, 20_000, 3))  # 3.6 GB if it were copied
    assert find_jpeg_traces(large) == JpegTraces()


def test_blocks_that_were_drawn_are_not_taken_for_jpeg_s() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    assert find_jpeg_traces(tiles).quality is None


@pytest.mark.data
@pytest.mark.slow
def test_photos_kept_apart_are_told_from_their_stored_copies(data_folder: Path) -> None:
    for file in list_images(data_folder / "valid")[::6]:
        photo = downscale(read_image(file).pixels, 2)
        assert find_jpeg_traces(photo) == JpegTraces(), file.name
        for quality in (30, 75, 90):
            found = find_jpeg_traces(_stored(photo, quality))
            assert found.quality == pytest.approx(quality, abs=4), file.name
            assert not found.keeps_colour, file.name
        assert find_jpeg_traces(_stored(photo, 85, subsampling="4:4:4")).keeps_colour, file.name
