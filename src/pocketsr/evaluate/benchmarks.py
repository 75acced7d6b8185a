"""Benchmarks: a function from image to image, judged on a folder of ground truth.

    files ─► inputs (several at a time) ─► what is judged (one at a time) ─► scores (several at a time) ─► report

A torch network, a model file and plain bicubic all come through this one door. Every image is scored by one thread, and
rows stand in the order of file names: the same inputs give the same digits on any number of threads.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.inputs import Item, find_files, load_item, remarks
from pocketsr.evaluate.protocol import Protocol, Scores
from pocketsr.image import FORMATS, resize_bicubic

#: uint8 ``(H, W, 3)`` RGB to ``(scale·H, scale·W, 3)``, uint8, or float in 0..255 which the protocol rounds.
Upscale: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]
#: Output and ground truth, uint8 ``(H, W, 3)``, and the image's name, to a figure.
Measuring: TypeAlias = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str], float]
_Row: TypeAlias = tuple[str, Mapping[str, Scores]]

#: The benchmark folders of published tables, in the tables' order.
BENCHMARKS = ("Set5", "Set14", "BSD100", "Urban100", "DIV2K")


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        folder: Name of the folder of ground truth.
        scale: Factor.
        rows: Scores by image name, by protocol name.
        digest: Of all ground truth: names and pixels.
        remarks: What is odd about the folder, in words.
    """

    folder: str
    scale: int
    rows: Mapping[str, Mapping[str, Scores]]
    digest: str = ""
    remarks: tuple[str, ...] = ()

    def mean(self, protocol: str) -> Scores:
        """Return the mean over images under a protocol."""
        return Scores.mean([row[protocol] for row in self.rows.values()])

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers for JSON: means first, then every image.

        JSON has neither infinity nor NaN: ``null`` stands for the PSNR of equal images and for an SSIM not asked for.
        """
        protocols = next(iter(self.rows.values())) if self.rows else ()
        return {
            "folder": self.folder,
            "sha256": self.digest,
            "remarks": list(self.remarks),
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
    measures: Mapping[str, Measuring] | None = None,
    workers: int | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    on_image: Callable[[int, int], None] | None = None,
    on_output: Callable[[Item, Protocol, npt.NDArray[Any]], None] | None = None,
) -> Report:
    """Judge a function on every image of a folder.

    Args:
        upscale: What to judge. It is called once for each image and way of making its input, one at a time.
        folder: High-resolution images, or pairs (``find_files``). Grey ones are judged as RGB with equal channels.
        scale: Factor.
        protocols: How inputs are made and outputs compared; one pass of the images serves all.
        with_ssim: Compute structural similarity too (slower).
        measures: More figures, by name: functions of output and ground truth, both uint8 ``(H, W, 3)`` without the
            protocol's border, and of the image's name.
        workers: Threads that read and score beside; all processors if left out. Of no influence on the result.
        limit: Judge the first so many images only, for a quick look; the report's remarks say so. None judges all.
        cache: Folder where inputs are kept, by content and way of making; None keeps none.
        on_image: Called with (images done, images in all).
        on_output: Called with each image, protocol, and what came of the protocol's input.

    Raises:
        SettingError: The function gives an image of another size or type, or a protocol is not for it.
        DataError: The folder is missing or has no images, or an image is too small for a protocol.
        ImageFileError: An image cannot be read.
    """
    if not protocols:
        raise SettingError("at least one protocol is needed to judge by")
    every = find_files(folder, scale)
    files = every[:limit]
    count = workers or os.cpu_count() or 1
    rows: dict[str, Mapping[str, Scores]] = {}
    sizes, digests = [], []
    with ThreadPoolExecutor(count) as pool:
        scoring: deque[Future[_Row]] = deque()

        def finish() -> None:
            name, row = scoring.popleft().result()
            rows[name] = row
            if on_image is not None:
                on_image(len(rows), len(files))

        loads = (partial(load_item, high, low, scale, protocols, cache) for high, low in files)
        try:
            for item in _ahead(pool, loads, count + 1):
                outputs = _outputs(upscale, item, scale, protocols)
                if on_output is not None:
                    for protocol in protocols:
                        on_output(item, protocol, outputs[protocol.name])
                scoring.append(pool.submit(_scored, item, outputs, protocols, scale, with_ssim, measures or {}))
                sizes.append(item.size)
                digests.append(f"{item.name} {item.digest}")
                if len(scoring) > count + 1:
                    finish()
            while scoring:
                finish()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    said = tuple(remarks(folder.name, sizes))
    if len(files) < len(every):
        said = (f"only the first {len(files)} of {len(every)} images of {folder.name} were judged",)
    return Report(folder.name, scale, rows, digest, said)


@dataclasses.dataclass(frozen=True)
class Bicubic:
    """Bicubic upscaling as a function to judge: the baseline of every table.

    Attributes:
        scale: Factor.
        like: ``matlab`` has a = −0.5 and rounds after each pass. ``opencv``, which torch follows, has a = −0.75,
            repeats the last pixels at the border and rounds once; it is 0.2 to 0.3 dB better, so a table's "bicubic"
            means little until one knows whose.

    >>> Bicubic(3)(np.zeros((4, 5, 3), np.uint8)).shape
    (12, 15, 3)
    """

    scale: int
    like: Literal["matlab", "opencv"] = "matlab"

    def __call__(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the image ``scale`` times as large."""
        return self.stretched(image, (image.shape[0] * self.scale, image.shape[1] * self.scale))

    def stretched(self, image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Return the image at a size, both sides stretched as that needs."""
        if self.like == "matlab":
            return resize_bicubic(image, *size)
        enlarged = resize_bicubic(image.astype(np.float32), *size, a=-0.75, border="edge")
        return np.clip(np.rint(enlarged), 0, 255).astype(np.uint8)


def bicubic(scale: int, *, like: Literal["matlab", "opencv"] = "matlab") -> Bicubic:
    """Return bicubic upscaling as a function to judge."""
    return Bicubic(scale, like)


def _ahead(pool: ThreadPoolExecutor, jobs: Iterator[Callable[[], Item]], count: int) -> Iterator[Item]:
    """Yield results in order, with so many jobs at work before they are asked for, and no more."""
    waiting = deque(pool.submit(job) for job in islice(jobs, count))
    while waiting:
        item = waiting.popleft().result()
        waiting.extend(pool.submit(job) for job in islice(jobs, 1))
        yield item


def _outputs(upscale: Upscale, item: Item, scale: int, protocols: Sequence[Protocol]) -> dict[str, npt.NDArray[Any]]:
    """Return what is made of each protocol's input, by protocol name."""
    made: dict[int, npt.NDArray[Any]] = {}
    for protocol in protocols:
        low, truth = item.inputs[protocol.name]
        if id(low) in made:
            continue
        if protocol.fit == "stretch":
            if not isinstance(upscale, Bicubic):
                raise SettingError(f"protocol {protocol.name!r} judges bicubic only: it stretches its output")
            made[id(low)] = upscale.stretched(low, (truth.shape[0], truth.shape[1]))
            continue
        output = upscale(low)
        if output.shape != truth.shape or not (output.dtype == np.uint8 or output.dtype.kind == "f"):
            raise SettingError(
                f"{item.name}: from {low.shape} uint8 {truth.shape} was expected back, "
                f"{output.dtype} {output.shape} came; is the scale {scale}?"
            )
        made[id(low)] = output
    return {protocol.name: made[id(item.inputs[protocol.name][0])] for protocol in protocols}


def _scored(
    item: Item,
    outputs: Mapping[str, npt.NDArray[Any]],
    protocols: Sequence[Protocol],
    scale: int,
    with_ssim: bool,
    measures: Mapping[str, Measuring],
) -> _Row:
    row: dict[str, Scores] = {}
    found: dict[object, dict[str, float]] = {}
    for protocol in protocols:
        output, truth = outputs[protocol.name], item.inputs[protocol.name][1]
        try:
            scores = protocol.score(output, truth, scale=scale, with_ssim=with_ssim)
            key = id(output), protocol.rounding, protocol.border
            if key not in found:
                both = protocol.compared(output, scale=scale), protocol.compared(truth, scale=scale)
                found[key] = {name: measure(*both, item.name) for name, measure in measures.items()}
        except SettingError as error:
            raise DataError(f"{item.name}: {error}; take it out of the folder") from error
        row[protocol.name] = dataclasses.replace(scores, more=found[key])
    return item.name, row


def _plain(scores: Scores) -> dict[str, float | None]:
    figures = {"psnr_db": scores.psnr_db, "ssim": scores.ssim, **scores.more}
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
