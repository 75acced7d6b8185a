"""How a folder of images is laid out: images, or two sides of pairs as DIV2K has them.

DIV2K/DIV2K_train_HR/0001.png      DIV2K/DIV2K_train_LR_bicubic/X2/0001x2.png
FOLDER/HR/name.png                 FOLDER/LR_bicubic/X2/name.png
FOLDER/name.png

Some tools unpack each archive into one more folder, named after the archive; that is understood too.
"""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pocketsr.errors import DataError
from pocketsr.image.reading import list_images

Part = Literal["train", "valid"]
_HIGH, _LOW = "HR", "LR_bicubic"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the two sides of pairs are.

    Attributes:
        high: Folder of high-resolution images.
        lows: Folders of low-resolution ones, by scale; empty where there are none.
    """

    high: Path
    lows: Mapping[int, Path]


def find_layout(folder: Path, part: Part = "train") -> Layout:
    """Recognise a folder.

    Args:
        folder: What the user names as data.
        part: Which part of a folder that holds several.

    Raises:
        DataError: The folder is missing, or holds several sides of high resolution and none is that part.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; a folder of images is needed")
    sides = sorted(inner for inner in folder.iterdir() if inner.is_dir() and inner.name.endswith(_HIGH))
    named = [side for side in sides if part in side.name]
    if not sides:
        return Layout(folder, {})
    if not named and (len(sides) > 1 or part == "valid"):
        raise DataError(f"{folder} holds {', '.join(side.name for side in sides)}; none of them is the {part} part")
    high = (named or sides)[0]
    inner = high / high.name
    return Layout(inner if inner.is_dir() else high, _find_lows(folder, high.name.removesuffix(_HIGH) + _LOW))


def has_part(folder: Path, part: Part) -> bool:
    """Whether a folder holds that part under its name, as a whole DIV2K does."""
    return folder.is_dir() and any(inner.is_dir() and part in inner.name for inner in folder.glob(f"*{_HIGH}"))


def match_files(layout: Layout, scale: int) -> list[tuple[Path, Path | None]]:
    """Return every high-resolution file with its low-resolution one, None where these are to be made.

    Raises:
        DataError: There are no images, or one side of a pair is missing or there twice.
    """
    highs = list_images(layout.high)
    folder = layout.lows.get(scale)
    if folder is None:
        return [(high, None) for high in highs]
    files = list_images(folder)
    left = {low.stem: low for low in files}
    suffix = "" if left.keys() == {high.stem for high in highs} else f"x{scale}"
    pairs = [(high, left.pop(high.stem + suffix, None) or left.pop(high.stem, None)) for high in highs]
    alone = [high.name for high, low in pairs if low is None]
    if alone:
        raise DataError(f"{folder} lacks the low-resolution side of {_several(alone)}; {layout.high} holds them")
    taken = {low for _, low in pairs}
    alone = [low.name for low in files if low not in taken]
    if alone:
        raise DataError(f"{layout.high} lacks the high-resolution side of {_several(alone)}; {folder} holds them")
    return pairs


def _find_lows(folder: Path, name: str) -> dict[int, Path]:
    """Return the folders ``X2``, ``X3``... below the one of that name, with one more folder around it or none."""
    lows: dict[int, Path] = {}
    name = glob.escape(name)
    for around in (name, f"{name}/{name}", f"{name}_X[0-9]*/{name}"):
        for inner in sorted(folder.glob(f"{around}/X[0-9]*")):
            if inner.is_dir() and inner.name[1:].isdecimal():
                lows.setdefault(int(inner.name[1:]), inner)
    return lows


def _several(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
