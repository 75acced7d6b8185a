"""Pairs of low- and high-resolution images, made once from a folder and kept in memory as 8-bit pixels."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from pocketsr.choice import Choice
from pocketsr.errors import DataError, SettingError
from pocketsr.image import list_images, read_image, resize_bicubic
from pocketsr.image.degrade import BICUBIC, Pixels, make_degradation
from pocketsr.image.layout import Part, find_layout, match_files
from pocketsr.image.resize import crop_to_multiple

#: What happens to images whose sides are no multiple of the scale.
Fit = Literal["crop", "resize", "refuse"]


@dataclasses.dataclass(frozen=True)
class Pair:
    """One training image.

    Attributes:
        low: uint8 ``(H, W, 3)`` RGB, made from ``high``.
        high: uint8 ``(scale·H, scale·W, 3)`` RGB.
        name: File it came from.
        guide: What a teacher made of ``low``, as ``high``; None where nobody teaches by images made before.
    """

    low: Pixels
    high: Pixels
    name: str
    guide: Pixels | None = None


def load_pairs(
    folder: Path,
    *,
    scale: int,
    shrink: Sequence[float] = (1.0,),
    degradation: Sequence[Choice] = BICUBIC,
    fit: Fit = "crop",
    part: Part = "train",
    seed: int = 0,
    on_image: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> tuple[Pair, ...]:
    """Read every image of a folder and its low-resolution twin, which is made where it is not there.

    Args:
        folder: Images in any format that pocketsr reads, not searched below; or laid out as DIV2K, with ``..._HR``
            beside ``..._LR_bicubic/X2``. The latter's files are used where the degradation is plain ``bicubic``, images
            are not shrunk, and there are some at this scale.
        scale: Factor between the two sides of a pair.
        shrink: Sizes, 0 < s ≤ 1, at which each image is used as ground truth. Shrunk photographs are sharper pixel by
            pixel, as benchmark images are.
        degradation: How low-resolution images are made, step by step.
        fit: Images whose sides are no multiple of the scale are cropped at the bottom and right, resized to the next
            lower multiple, or refused.
        part: Which part of a folder that holds several.
        seed: Decides what is random in the degradation.
        on_image: Called with (images done, images in all).
        workers: Threads that decode; the result does not depend on their number.

    Returns:
        Pairs in the order of the file names, one for each size; sizes too small for a single pixel are left out.

    Raises:
        DataError: The folder is missing or has no images, the sides of a pair do not fit each other, or an image
            does not fit the scale and is to be refused.
        ImageFileError: One of them cannot be read.
        SettingError: The degradation does not exist or does not shrink.
    """
    options = {"shrink": shrink, "degradation": degradation, "fit": fit, "part": part, "seed": seed}
    return load_scales(folder, scales=(scale,), on_image=on_image, workers=workers, **options)[scale]  # type: ignore[arg-type]


def load_scales(
    folder: Path,
    *,
    scales: Sequence[int],
    shrink: Sequence[float] = (1.0,),
    degradation: Sequence[Choice] = BICUBIC,
    fit: Fit = "crop",
    part: Part = "train",
    seed: int = 0,
    on_image: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> Mapping[int, tuple[Pair, ...]]:
    """Read a folder as ``load_pairs`` does, for several scales; images are decoded once and kept once if they can."""
    if not scales or min(scales) < 1:
        raise SettingError(f"one scale of 1 or above is needed, or more of them, not {list(scales)}")
    if not shrink or not all(0 < size <= 1 for size in shrink):
        raise DataError(f"images can be shrunk to sizes above 0 and up to 1, not {list(shrink)}")
    degrade = {scale: make_degradation(degradation, scale) for scale in scales}
    layout = find_layout(folder, part)
    has_lows = tuple(degradation) == BICUBIC and tuple(shrink) == (1.0,)
    lows = {scale: dict(match_files(layout, scale)) if has_lows else {} for scale in scales}
    files = list_images(layout.high)

    def read(file: Path) -> list[tuple[int, Pair]]:
        image, found = read_image(file).pixels, []
        for size in shrink:
            for scale, high in _fitted(_shrunk(image, size), scales, fit, file):
                random = np.random.default_rng([seed, scale, zlib.crc32(file.name.encode()), round(size * 1000)])
                low_file = lows[scale].get(file)
                low = degrade[scale](high, random) if low_file is None else _read_low(low_file, high, scale, file)
                found.append((scale, Pair(low=low, high=high, name=file.name)))
        return found

    pairs: dict[int, list[Pair]] = {scale: [] for scale in scales}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, made in enumerate(pool.map(read, files), 1):
            for scale, pair in made:
                pairs[scale].append(pair)
            if on_image is not None:
                on_image(done, len(files))
    return {scale: tuple(made) for scale, made in pairs.items()}


def _shrunk(image: Pixels, size: float) -> Pixels:
    if size == 1:
        return image
    return resize_bicubic(image, max(1, round(image.shape[0] * size)), max(1, round(image.shape[1] * size)))


def _fitted(image: Pixels, scales: Sequence[int], fit: Fit, file: Path) -> Iterator[tuple[int, Pixels]]:
    """Yield the image as ground truth for each scale; equal ones are one array."""
    made: dict[tuple[int, ...], Pixels] = {}
    for scale in scales:
        height, width = (side // scale * scale for side in image.shape[:2])
        if (height, width) != image.shape[:2] and fit == "refuse":
            raise DataError(
                f"{file} has {image.shape[0]}×{image.shape[1]} pixels; multiples of {scale} are needed "
                '(fit = "crop" or "resize" in the recipe\'s [data] makes them)'
            )
        if not height or not width:
            continue
        if (height, width) not in made:
            cropped = crop_to_multiple(image, scale) if fit != "resize" else resize_bicubic(image, height, width)
            made[height, width] = np.ascontiguousarray(cropped)
        yield scale, made[height, width]


def _read_low(file: Path, high: Pixels, scale: int, high_file: Path) -> Pixels:
    low: Pixels = read_image(file).pixels
    expected = (high.shape[0] // scale, high.shape[1] // scale)
    if low.shape[:2] != expected:
        raise DataError(
            f"{file} has {low.shape[0]}×{low.shape[1]} pixels; {high_file} of {high.shape[0]}×{high.shape[1]} needs "
            f"{expected[0]}×{expected[1]} beside it at ×{scale}"
        )
    return low
