"""Pairs of low- and high-resolution images, made once from a folder and kept in memory as 8-bit pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError
from pocketsr.image import list_images, read_image
from pocketsr.image.resize import crop_to_multiple, downscale, resize_bicubic


@dataclasses.dataclass(frozen=True)
class Pair:
    """One training image.

    Attributes:
        low: uint8 ``(H, W, 3)`` RGB, made from ``high`` by MATLAB-compatible bicubic.
        high: uint8 ``(scale·H, scale·W, 3)`` RGB.
        name: File it came from.
    """

    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]
    name: str


def load_pairs(
    folder: Path,
    *,
    scale: int,
    shrink: Sequence[float] = (1.0,),
    on_image: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> tuple[Pair, ...]:
    """Read every image of a folder and make its low-resolution twin.

    Args:
        folder: Images in any format that pocketsr reads; not searched below.
        scale: Factor between the two sides of a pair. Images are cropped to a multiple of it.
        shrink: Sizes, 0 < s ≤ 1, at which each image is used as ground truth. Shrunk photographs are sharper pixel by
            pixel, as benchmark images are.
        on_image: Called with (images done, images in all).
        workers: Threads that decode; the result does not depend on their number.

    Returns:
        Pairs in the order of the file names, one for each size; sizes too small for a single pixel are left out.

    Raises:
        DataError: The folder is missing or has no images.
        ImageFileError: One of them cannot be read.
    """
    if not shrink or not all(0 < size <= 1 for size in shrink):
        raise DataError(f"images can be shrunk to sizes above 0 and up to 1, not {list(shrink)}")
    files = list_images(folder)
    pairs: list[Pair] = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, made in enumerate(pool.map(lambda file: list(_pairs_of(file, scale, shrink)), files), 1):
            pairs.extend(made)
            if on_image is not None:
                on_image(done, len(files))
    return tuple(pairs)


def _pairs_of(file: Path, scale: int, shrink: Sequence[float]) -> Iterable[Pair]:
    image = read_image(file).pixels
    for size in shrink:
        high = image
        if size != 1:
            high = resize_bicubic(image, max(1, round(image.shape[0] * size)), max(1, round(image.shape[1] * size)))
        high = np.ascontiguousarray(crop_to_multiple(high, scale))
        if high.size:
            yield Pair(low=downscale(high, scale), high=high, name=file.name)
