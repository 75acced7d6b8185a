"""From a folder of ground truth to what is judged: pairs of files, low-resolution inputs, and a place to keep them.

    folder ─► files, with low resolution beside them or without ─► (input, ground truth) for each way of making it

Knows nothing of what is judged, nor of metrics.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.protocol import Protocol
from pocketsr.image import find_layout, list_images, match_files, read_image, replacing
from pocketsr.image.degrade import BICUBIC

_Pixels = npt.NDArray[np.uint8]

#: Images in the folders of published tables, and the longest side that Urban100 has at its true size.
COUNTS: Mapping[str, int] = {
    "Set5": 5,
    "Set14": 14,
    "BSD100": 100,
    "B100": 100,
    "Urban100": 100,
    "Manga109": 109,
    "DIV2K": 100,
    "Kodak": 24,
}
_URBAN_SIDE = 1024
#: Part of the key of kept inputs; raised when a degradation computes other bytes.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Item:
    """One image to judge on.

    Attributes:
        name: File name of the ground truth.
        size: (height, width) of the ground truth as it is stored.
        digest: Of its pixels.
        inputs: Input and the truth that its enlargement is compared with, by protocol name; equal ones are one array.
    """

    name: str
    size: tuple[int, int]
    digest: str
    inputs: Mapping[str, tuple[_Pixels, _Pixels]]


def find_files(folder: Path, scale: int) -> tuple[tuple[Path, Path | None], ...]:
    """Return every file of ground truth, with its low-resolution side where the folder holds one.

    Understood are plain folders, ``HR`` beside ``LR_bicubic/X3``, DIV2K's own names, and ``image_SRF_3`` with
    ``name_HR.png`` and ``name_LR.png``.

    Raises:
        DataError: The folder is missing or has no images, or a side of a pair is missing.
    """
    together = folder / f"image_SRF_{scale}"
    if not together.is_dir():
        layout = find_layout(folder, "valid" if (folder / "DIV2K_valid_HR").is_dir() else "train")
        return tuple(match_files(layout, scale))
    files = {file.stem: file for file in list_images(together)}
    pairs = [(file, files.get(stem.removesuffix("HR") + "LR")) for stem, file in files.items() if stem.endswith("HR")]
    if not pairs or any(low is None for _, low in pairs):
        lacking = ", ".join(high.name for high, low in pairs if low is None) or "files named ..._HR"
        raise DataError(f"{together} lacks the low-resolution side of {lacking}; ..._HR and ..._LR are needed")
    return tuple(pairs)


def load_item(
    file: Path, low_file: Path | None, scale: int, protocols: Sequence[Protocol], cache: Path | None = None
) -> Item:
    """Read one image and make its inputs.

    Args:
        file: Ground truth.
        low_file: Its low-resolution side, which is used by protocols of plain bicubic inputs.
        scale: Factor.
        protocols: How inputs are made.
        cache: Folder where inputs are kept, by content and way of making; None keeps none.

    Raises:
        DataError: The image is too small for the scale, or the sides of a pair do not fit.
        ImageFileError: One of them cannot be read.
    """
    photo: _Pixels = read_image(file).pixels
    digest = hashlib.sha256(repr(photo.shape).encode() + photo.tobytes()).hexdigest()
    made: dict[str, tuple[_Pixels, _Pixels]] = {}
    inputs: dict[str, tuple[_Pixels, _Pixels]] = {}
    for protocol in protocols:
        way = repr(protocol.inputs)
        if way not in made:
            given = low_file if (protocol.degradation, protocol.fit) == (BICUBIC, "crop") else None
            try:
                made[way] = _made(protocol, photo, scale, given, _place(cache, digest, way, scale))
            except SettingError as error:
                raise DataError(f"{file}: {error}; take it out of the folder") from error
        inputs[protocol.name] = made[way]
    return Item(file.name, (photo.shape[0], photo.shape[1]), digest, inputs)


def remarks(folder: str, sizes: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield what is odd about a folder that goes by the name of a known benchmark.

    >>> list(remarks("Set5", [(256, 256)] * 4))
    ['Set5 has 4 images here; 5 are in the published set']
    """
    expected = next((count for name, count in COUNTS.items() if name.lower() == folder.lower()), None)
    if expected is not None and len(sizes) != expected:
        yield f"{folder} has {len(sizes)} images here; {expected} are in the published set"
    longest = max((max(size) for size in sizes), default=0)
    if folder.lower() == "urban100" and 0 < longest <= _URBAN_SIDE // 2:
        yield f"{folder} is the copy at half its size, {longest} pixels on the longest side, not {_URBAN_SIDE}"


def _made(
    protocol: Protocol, photo: _Pixels, scale: int, low_file: Path | None, place: Path | None
) -> tuple[_Pixels, _Pixels]:
    if low_file is not None:
        return _read_pair(low_file, photo, scale)
    if place is not None and (low := _kept(place)) is not None:
        return low, protocol.truth(photo, scale)
    low, truth = protocol.degrade(photo, scale)
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, overwrite=True) as temporary, temporary.open("wb") as out:
            np.save(out, low)
    return low, truth


def _read_pair(low_file: Path, photo: _Pixels, scale: int) -> tuple[_Pixels, _Pixels]:
    """Return a given input, and the part of the ground truth that it shows."""
    low: _Pixels = read_image(low_file).pixels
    height, width = low.shape[0] * scale, low.shape[1] * scale
    if not (0 <= photo.shape[0] - height < scale and 0 <= photo.shape[1] - width < scale):
        raise SettingError(
            f"{low_file.name} has {low.shape[0]}×{low.shape[1]} pixels, the ground truth {photo.shape[0]}×"
            f"{photo.shape[1]}: at ×{scale} they do not fit each other"
        )
    return low, photo[:height, :width]


def _place(cache: Path | None, digest: str, way: str, scale: int) -> Path | None:
    if cache is None:
        return None
    key = hashlib.sha256(f"{_VERSION} {digest} {way} {scale}".encode()).hexdigest()
    return cache / key[:2] / f"{key[2:34]}.npy"


def _kept(place: Path) -> _Pixels | None:
    """Return a kept input; one that is missing or damaged is made again."""
    try:
        low = np.load(place)
    except (OSError, ValueError, EOFError):
        return None
    return low if low.dtype == np.uint8 and low.ndim == 3 else None
