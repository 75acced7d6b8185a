"""Benchmarks: a function from image to image, judged on a folder of ground truth.

A torch network, a model file and plain bicubic all come through this one door.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.evaluate.protocol import Protocol, Scores
from pocketsr.image import crop_to_multiple, downscale, list_images, read_image, resize_bicubic

#: uint8 ``(H, W, 3)`` RGB to uint8 ``(scale·H, scale·W, 3)``.
Upscale: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


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
        """Return plain dictionaries and numbers for JSON: means first, then every image."""
        protocols = next(iter(self.rows.values())) if self.rows else ()
        return {
            "folder": self.folder,
            "scale": self.scale,
            "images": len(self.rows),
            "means": {name: dataclasses.asdict(self.mean(name)) for name in protocols},
            "rows": {
                image: {name: dataclasses.asdict(score) for name, score in row.items()}
                for image, row in self.rows.items()
            },
        }


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
        upscale: What to judge.
        folder: High-resolution images; each is cropped to a multiple of ``scale`` and shrunk by MATLAB's bicubic.
        scale: Factor.
        protocols: How to compare; one pass of the images serves all.
        with_ssim: Compute structural similarity too (slower).
        on_image: Called with (images done, images in all).

    Raises:
        SettingError: The function gives an image of another size or type.
        DataError: The folder is missing or has no images.
    """
    rows: dict[str, Mapping[str, Scores]] = {}
    files = list_images(folder)
    for done, file in enumerate(files, 1):
        truth = crop_to_multiple(read_image(file).pixels, scale)
        output = upscale(downscale(truth, scale))
        if output.shape != truth.shape or output.dtype != np.uint8:
            raise SettingError(
                f"{file.name}: uint8 {truth.shape} was expected back, {output.dtype} {output.shape} came; "
                f"is the scale {scale}?"
            )
        rows[file.name] = {
            protocol.name: protocol.score(output, truth, scale=scale, with_ssim=with_ssim) for protocol in protocols
        }
        if on_image is not None:
            on_image(done, len(files))
    return Report(folder.name, scale, rows)


def bicubic(scale: int) -> Upscale:
    """Return MATLAB-compatible bicubic upscaling: the baseline of every table."""
    return lambda image: resize_bicubic(image, image.shape[0] * scale, image.shape[1] * scale)
