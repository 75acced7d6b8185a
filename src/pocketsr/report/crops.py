"""Which pieces of which images are worth looking at, and the pieces as bytes for a page.

    PSNR of every image ── ranked ──> worst, median, best ─┐
    saved outputs ── compared in a moving window ──────────┴─> Place (image, window) ──> Crops (one piece a model)

Reads saved outputs; knows nothing of HTML.
"""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.errors import DataError, ImageFileError
from pocketsr.image import read_image
from pocketsr.report.runs import DataSet, Run

_Pixels = npt.NDArray[np.uint8]

#: Side of a crop, pixels; shown twice as large it fills a phone.
SIDE = 160
#: The window is moved by so many pixels.
_STEP = 8
#: What a difference map multiplies by.
MAGNIFIED = 8
#: Of the lossy form, where the lossless ones are too many bytes.
LOSSY_QUALITY = 90


@dataclasses.dataclass(frozen=True)
class Place:
    """A window in an image.

    Attributes:
        reasons: Why it is shown, in words.
        image: Name.
        top: First row.
        left: First column.
    """

    reasons: tuple[str, ...]
    image: str
    top: int
    left: int


@dataclasses.dataclass(frozen=True)
class Crops:
    """One window as every model made it.

    Attributes:
        place: Which.
        pieces: Pixels by what made them; the ground truth comes first where it is there.
        compared: The two labels whose difference is shown.
        difference: Absolute difference of the two, eight times, uint8 ``(h, w, 3)``.
    """

    place: Place
    pieces: Mapping[str, _Pixels]
    compared: tuple[str, str]
    difference: _Pixels


#: What the ground truth is called among the pieces.
TRUTH = "ground truth"


class Outputs:
    """The saved outputs of some runs on one set, read image by image.

    Args:
        runs: Those whose outputs are there; at least one.
        data: The set.
    """

    def __init__(self, runs: Sequence[Run], data: DataSet) -> None:
        self.runs = tuple(runs)
        self.data = data

    def read(self, image: str) -> dict[str, _Pixels]:
        """Return an image by what made it, the ground truth first.

        Raises:
            DataError: An output is missing or their sizes differ.
        """
        stem = Path(image).stem
        pieces: dict[str, _Pixels] = {}
        for run in self.runs:
            folder = _folder(run, self.data)
            truth = folder / f"{stem}.truth.png"
            if TRUTH not in pieces and truth.is_file():
                pieces[TRUTH] = _pixels(truth)
        for run in self.runs:
            pieces[run.label] = _pixels(_folder(run, self.data) / f"{stem}.png")
        sizes = {name: pixels.shape[:2] for name, pixels in pieces.items()}
        if len(set(sizes.values())) > 1:
            words = ", ".join(f"{name} {height}×{width}" for name, (height, width) in sizes.items())
            raise DataError(f"outputs of {self.data.label}/{image} must have one size; {words} came; save them anew")
        if len(pieces) < 2:
            raise DataError(f"{self.data.label}/{image}: neither ground truth nor a second model to compare with")
        return pieces

    @property
    def pair(self) -> tuple[str, str]:
        """Return what is compared: the first two models, or the ground truth and the only one."""
        return (self.runs[0].label, self.runs[1].label) if len(self.runs) > 1 else (TRUTH, self.runs[0].label)


def saved_outputs(runs: Sequence[Run], data: DataSet) -> tuple[Outputs | None, list[str]]:
    """Return the outputs that are there for a set, and notes on those that are not."""
    there, notes = [], []
    for run in runs:
        if run.on(data) is None:
            continue
        if run.outputs is None:
            notes.append(f"{run.label} was evaluated without --save: its outputs on {data.label} cannot be shown")
        elif not _folder(run, data).is_dir():
            notes.append(f"{run.label}: there is no folder {_folder(run, data)}; its outputs cannot be shown")
        else:
            there.append(run)
    return (Outputs(there, data) if there else None), notes


def choose(outputs: Outputs, ranking: Mapping[str, float]) -> tuple[Place, ...]:
    """Choose windows: in the worst, the median and the best image, and where the two compared differ most of all.

    Args:
        outputs: What was saved.
        ranking: A figure by image name, the worst lowest; may be empty.

    Returns:
        At most four; one window chosen for two reasons comes once.

    Raises:
        DataError: An output is missing or their sizes differ.
    """
    widest, most, where = -1.0, "", (0, 0)
    for image in outputs.data.images:
        strength, corner = _most_different(outputs, outputs.read(image))
        if strength > widest:
            widest, most, where = strength, image, corner
    ranked = sorted(ranking, key=lambda image: ranking[image])
    wanted: list[tuple[str, str]] = []
    if ranked:
        wanted = [("worst", ranked[0]), ("median", ranked[len(ranked) // 2]), ("best", ranked[-1])]
    places: dict[tuple[str, int, int], tuple[str, ...]] = {}
    for reason, image in wanted:
        _, corner = _most_different(outputs, outputs.read(image))
        key = (image, *corner)
        places[key] = (*places.get(key, ()), reason)
    key = (most, *where)
    places[key] = (*places.get(key, ()), "largest difference")
    return tuple(Place(reasons, *key) for key, reasons in places.items())


def cut(outputs: Outputs, place: Place) -> Crops:
    """Cut a window out of every model's output."""
    pieces = {
        name: pixels[place.top : place.top + SIDE, place.left : place.left + SIDE]
        for name, pixels in outputs.read(place.image).items()
    }
    first, second = outputs.pair
    return Crops(place, pieces, (first, second), magnified_difference(pieces[first], pieces[second]))


def magnified_difference(first: _Pixels, second: _Pixels) -> _Pixels:
    """Return the absolute difference of two images, magnified and clipped.

    >>> one, other = np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 13, np.uint8)
    >>> magnified_difference(one, other).max()
    np.uint8(24)
    """
    difference = np.abs(first.astype(np.int16) - second.astype(np.int16)) * MAGNIFIED
    result: _Pixels = np.clip(difference, 0, 255).astype(np.uint8)
    return result


def encode(pixels: _Pixels, *, is_lossless: bool) -> str:
    """Return an image as a data URI: WebP, lossless or of quality 90."""
    stream = io.BytesIO()
    options = {"lossless": True, "quality": 80} if is_lossless else {"quality": LOSSY_QUALITY}
    Image.fromarray(pixels).save(stream, "WEBP", method=4, **options)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _most_different(outputs: Outputs, pieces: Mapping[str, _Pixels]) -> tuple[float, tuple[int, int]]:
    """Return the mean absolute difference in the window where it is largest, and that window's corner."""
    first, second = (pieces[name].astype(np.int16) for name in outputs.pair)
    change = np.abs(first - second).sum(axis=2, dtype=np.int64)
    height, width = (min(SIDE, side) for side in change.shape)
    sums = np.zeros((change.shape[0] + 1, change.shape[1] + 1), np.int64)
    sums[1:, 1:] = change.cumsum(axis=0).cumsum(axis=1)
    rows, columns = _starts(change.shape[0], height), _starts(change.shape[1], width)
    corners = np.ix_(rows, columns)
    ends = (np.ix_(rows + height, columns), np.ix_(rows, columns + width), np.ix_(rows + height, columns + width))
    totals = sums[ends[2]] - sums[ends[0]] - sums[ends[1]] + sums[corners]
    row, column = np.unravel_index(int(totals.argmax()), totals.shape)
    return float(totals[row, column]) / (3 * height * width), (int(rows[row]), int(columns[column]))


def _starts(side: int, window: int) -> npt.NDArray[np.intp]:
    """Return where windows begin: every so many pixels, and at the far end."""
    return np.unique([*range(0, side - window + 1, _STEP), side - window]).astype(np.intp)


def _folder(run: Run, data: DataSet) -> Path:
    assert run.outputs is not None
    return run.outputs / data.folder


def _pixels(path: Path) -> _Pixels:
    try:
        return read_image(path).pixels
    except ImageFileError as error:
        raise DataError(f"{error}; evaluate again with --save, or move the outputs' folder away") from error
