from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from pocketsr.image.deep_tiff import count_pages, open_deep_tiff
from pocketsr.image.tiff_strips import write_tiff_bands
from sample_files import deep_samples


def _read(data: bytes) -> np.ndarray:
    found = open_deep_tiff(io.BytesIO(data))
    assert found is not None
    with Image.open(io.BytesIO(found.data)) as image:
        return found.samples(np.asarray(image))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_files_of_another_writer_are_read_in_all_layouts(dtype: type, channels: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    samples = deep_samples(37, 41, channels)
    samples = (samples / 65535 if np.dtype(dtype).kind == "f" else samples).astype(dtype)
    for order, planes, tile, compression in itertools.product(
        "<>", ("contig", "separate"), (None, (16, 16)), (None, "deflate")
    ):
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            samples[:, :, 0] if channels == 1 else samples.transpose(2, 0, 1) if planes == "separate" else samples,
            photometric="rgb" if channels > 1 else "minisblack",
            planarconfig=planes if channels > 1 else None,
            byteorder=order,
            tile=tile,
            compression=compression,
            extrasamples=["unassalpha"] if channels == 4 else None,
        )
        assert np.array_equal(_read(file.getvalue()), samples), (order, planes, tile, compression)


def test_a_big_tiff_is_read() -> None:
    tifffile = pytest.importorskip("tifffile")
    samples, file = deep_samples(), io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", bigtiff=True)
    assert np.array_equal(_read(file.getvalue()), samples)


@pytest.mark.parametrize("predictor", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_predictors_are_undone(dtype: type, predictor: int) -> None:
    if predictor == 3 and dtype == np.uint16:
        return  # the standard has it for floating point only
    samples, file = np.random.default_rng(0).random((9, 13)) * 60000, io.BytesIO()
    image = Image.fromarray(samples.astype(dtype))
    image.save(file, "TIFF", compression="tiff_lzw", tiffinfo={317: predictor})
    assert np.array_equal(_read(file.getvalue())[:, :, 0], samples.astype(dtype))


def test_what_pillow_reads_itself_is_left_to_it() -> None:
    for mode in ("RGB", "L", "1", "CMYK"):
        file = io.BytesIO()
        Image.new(mode, (4, 4)).save(file, "TIFF")
        assert open_deep_tiff(file) is None


def test_a_file_cut_short_is_an_error() -> None:
    file = io.BytesIO()
    write_tiff_bands(file, [deep_samples()], height=24, width=32, options={})
    with pytest.raises(ValueError, match=r"cut short|beyond its end"):
        open_deep_tiff(io.BytesIO(file.getvalue()[:20]))


def test_every_page_is_found_and_circles_end() -> None:
    tifffile = pytest.importorskip("tifffile")
    pages, file = np.stack([deep_samples(), deep_samples()[::-1]]), io.BytesIO()
    tifffile.imwrite(file, pages, photometric="rgb", metadata=None)
    assert (count_pages(file), count_pages(file, 1)) == (2, 1)
    for number in range(2):
        found = open_deep_tiff(file, page=number)
        assert found is not None
        with Image.open(io.BytesIO(found.data)) as image:
            assert np.array_equal(found.samples(np.asarray(image)), pages[number])
    with pytest.raises(ValueError, match="directory"):
        open_deep_tiff(file, page=2)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as parsed:
        first, second = (page.offset for page in parsed.pages)
    count = int.from_bytes(data[second : second + 2], "little")
    data[second + 2 + 12 * count : second + 6 + 12 * count] = first.to_bytes(
        4, "little"
    )  # the third is the first again
    assert count_pages(io.BytesIO(data)) == 2
