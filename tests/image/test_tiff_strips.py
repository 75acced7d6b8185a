"""TIFF written in bands: what comes back, by our reader, Pillow and tifffile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketsr.image import tiff_strips
from pocketsr.image.tiff_strips import TiffPage, write_tiff, write_tiff_bands
from sample_files import deep_samples


def _bands(samples: np.ndarray, rows: int = 7) -> Iterator[np.ndarray]:
    """Bands of one memory, which is spoilt after each."""
    for top in range(0, len(samples), rows):
        band = samples[top : top + rows].copy()
        yield band
        band[:] = 99


def _written(samples: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    write_tiff_bands(file, _bands(samples), height=samples.shape[0], width=samples.shape[1], options=options)
    return file.getvalue()


@pytest.mark.parametrize("strip_bytes", [1, 700, 1 << 20], ids=["a row", "some rows", "all rows"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_another_reader_reads_what_is_written(
    monkeypatch: pytest.MonkeyPatch, dtype: type, channels: int, strip_bytes: int
) -> None:
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr(tiff_strips, "_STRIP_BYTES", strip_bytes)
    samples = deep_samples(23, 31, channels)
    samples = (samples >> 8).astype(np.uint8) if dtype == np.uint8 else samples
    samples = samples[:, :, 0] if channels == 1 else samples
    data = _written(samples)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), samples)
    if dtype == np.uint8:
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
            assert np.array_equal(np.asarray(image), samples)


@pytest.mark.parametrize("rows", [1, 23])
def test_files_that_may_come_to_more_than_4_gigabytes_are_big_ones(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr(tiff_strips, "_STRIP_BYTES", rows * 31 * 6)
    samples, file = deep_samples(23, 31, 3), io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    options = {"exif": exif.tobytes(), "icc_profile": bytes(200), "dpi": (300.0, 200.0)}
    pages = [TiffPage(bands=_bands(samples), height=23, width=31, options=options)]
    write_tiff(file, pages, most_pixels=1 << 30)
    assert file.getvalue()[:4] == b"II+\0"
    assert np.array_equal(tifffile.imread(io.BytesIO(file.getvalue())), samples)
    with Image.open(io.BytesIO(file.getvalue())) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.info["icc_profile"] == bytes(200)
        assert image.info["dpi"] == (300, 200)


def test_pages_are_each_of_their_own_size_depth_and_tags() -> None:
    tifffile = pytest.importorskip("tifffile")
    first, second, file = deep_samples(23, 31, 3), (deep_samples(9, 12, 1) >> 8).astype(np.uint8)[:, :, 0], io.BytesIO()
    pages = [
        TiffPage(bands=_bands(image), height=len(image), width=image.shape[1], options={"dpi": (dots, dots)})
        for image, dots in ((first, 90), (second, 120))
    ]
    write_tiff(file, pages, most_pixels=1000)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as made:
        assert np.array_equal(made.pages[0].asarray(), first)
        assert np.array_equal(made.pages[1].asarray(), second)
        assert [page.resolution[0] for page in made.pages] == [90, 120]


def test_photographs_are_smaller_than_without_differences() -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    smooth = (rows * 300 + columns * 200).astype(np.uint16)
    assert len(_written(smooth)) < smooth.nbytes / 4
