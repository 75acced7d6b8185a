"""Benchmarks: a function from image to image, judged on a folder of ground truth.

A torch network, a model file and plain bicubic all come through this one door.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.protocol import Protocol, Scores
from pocketsr.image import FORMATS, list_images, read_image, resize_bicubic

#: uint8 ``(H, W, 3)`` RGB to uint8 ``(scale·H, scale·W, 3)``.
Upscale: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]

#: The benchmark folders of published tables, in the tables' order.
BENCHMARKS = ("Set5", "Set14", "BSD100", "Urban100", "DIV2K")


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        folder: Name of the folder of ground truth.
        scale: Factor.
        rows: Scores by image name, by protocol name.
    """

    folder: str
    scale: int
    rows: Mapping[str, Mapping[str, Scores]]

    def mean(self, protocol: str) -> Scores:
        """Return the mean over images under a protocol."""
        scores = [row[protocol] for row in self.rows.values()]
        return Scores(fmean(score.psnr_db for score in scores), fmean(score.ssim for score in scores))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers for JSON: means first, then every image.

        JSON has neither infinity nor NaN: ``null`` stands for the PSNR of equal images and for an SSIM not asked for.
        """
        protocols = next(iter(self.rows.values())) if self.rows else ()
        return {
            "folder": self.folder,
            "scale": self.scale,
            "images": len(self.rows),
            "means": {name: _plain(self.mean(name)) for name in protocols},
            "rows": {image: {name: _plain(score) for name, score in row.items()} for image, row in self.rows.items()},
        }


def find_benchmarks(root: Path) -> tuple[Path, ...]:
    """Return the folders of ground truth inside a folder, those of published tables first, in the tables' order.

    Raises:
        DataError: The folder is missing, or none of the folders inside has images.
    """
    if not root.is_dir():
        raise DataError(
            f"there is no folder {root}; benchmarks are folders of images inside it, such as {root / 'Set5'}"
        )
    found = [
        folder
        for folder in root.iterdir()
        if folder.is_dir() and any(file.suffix.lower() in FORMATS for file in folder.iterdir())
    ]
    if not found:
        raise DataError(f"no folder inside {root} has images; put benchmarks there, such as {root / 'Set5'}")
    place = {name: number for number, name in enumerate(BENCHMARKS)}
    return tuple(sorted(found, key=lambda folder: (place.get(folder.name, len(place)), folder.name)))


def evaluate(
    upscale: Upscale,
    folder: Path,
    *,
    scale: int,
    protocols: Sequence[Protocol],
    with_ssim: bool = True,
    on_image: Callable[[int, int], None] | None = None,
) -> Report:
    """Judge a function on every image of a folder.

    Args:
        upscale: What to judge. It is called once for each image and way of making its input.
        folder: High-resolution images. Grey ones are judged as RGB with equal channels.
        scale: Factor.
        protocols: How inputs are made and outputs compared; one pass of the images serves all.
        with_ssim: Compute structural similarity too (slower).
        on_image: Called with (images done, images in all).

    Raises:
        SettingError: The function gives an image of another size or type.
        DataError: The folder is missing or has no images, or an image is too small for a protocol.
        ImageFileError: An image cannot be read.
    """
    if not protocols:
        raise SettingError("at least one protocol is needed to judge by")
    rows: dict[str, Mapping[str, Scores]] = {}
    files = list_images(folder)
    for done, file in enumerate(files, 1):
        photo = read_image(file).pixels
        row: dict[str, Scores] = {}
        for degradation in dict.fromkeys(protocol.degradation for protocol in protocols):
            sharing = [protocol for protocol in protocols if protocol.degradation == degradation]
            try:
                low, truth = sharing[0].degrade(photo, scale)
            except SettingError as error:
                raise DataError(f"{file}: {error}; take it out of the folder") from error
            output = upscale(low)
            if output.shape != truth.shape or output.dtype != np.uint8:
                raise SettingError(
                    f"{file.name}: from {low.shape} uint8 {truth.shape} was expected back, "
                    f"{output.dtype} {output.shape} came; is the scale {scale}?"
                )
            for protocol in sharing:
                try:
                    row[protocol.name] = protocol.score(output, truth, scale=scale, with_ssim=with_ssim)
                except SettingError as error:
                    raise DataError(f"{file}: {error}; take it out of the folder") from error
        rows[file.name] = row
        if on_image is not None:
            on_image(done, len(files))
    return Report(folder.name, scale, rows)


def bicubic(scale: int, *, like: Literal["matlab", "opencv"] = "matlab") -> Upscale:
    """Return bicubic upscaling as a function to judge: the baseline of every table.

    Args:
        scale: Factor.
        like: ``matlab`` has a = −0.5 and rounds after each pass. ``opencv``, which torch follows, has a = −0.75 and
            rounds once; it is 0.2 to 0.3 dB better, so a table's "bicubic" means little until one knows whose.

    >>> bicubic(3)(np.zeros((4, 5, 3), np.uint8)).shape
    (12, 15, 3)
    """

    def upscale(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        height, width = image.shape[0] * scale, image.shape[1] * scale
        if like == "matlab":
            return resize_bicubic(image, height, width)
        enlarged = resize_bicubic(image.astype(np.float32), height, width, a=-0.75)
        return np.clip(np.rint(enlarged), 0, 255).astype(np.uint8)

    return upscale


def _plain(scores: Scores) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in dataclasses.asdict(scores).items()}
