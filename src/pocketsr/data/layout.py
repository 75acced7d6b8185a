"""How a folder of training images is laid out: images, or two sides of pairs as DIV2K has them.

DIV2K/DIV2K_train_HR/0001.png      DIV2K/DIV2K_train_LR_bicubic/X2/0001x2.png
FOLDER/HR/name.png                 FOLDER/LR_bicubic/X2/name.png
FOLDER/name.png
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from pocketsr.errors import DataError
from pocketsr.image import list_images

Part = Literal["train", "valid"]
_HIGH, _LOW = "HR", "LR_bicubic"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the two sides of pairs are.

    Attributes:
        high: Folder of high-resolution images.
        low: Folder that holds ``X2``, ``X3``... of low-resolution ones, if there is one.
    """

    high: Path
    low: Path | None


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
        return Layout(folder, None)
    if not named and (len(sides) > 1 or part == "valid"):
        raise DataError(f"{folder} holds {', '.join(side.name for side in sides)}; none of them is the {part} part")
    high = (named or sides)[0]
    name = high.name.removesuffix(_HIGH) + _LOW
    # Unpacking each scale's archive gives DIV2K_train_LR_bicubic/X2; by some tools one more folder around it.
    low = next((inner for inner in (folder / name / name, folder / name) if inner.is_dir()), None)
    return Layout(high, low)


def has_part(folder: Path, part: Part) -> bool:
    """Whether a folder holds that part under its name, as a whole DIV2K does."""
    return folder.is_dir() and any(inner.is_dir() and part in inner.name for inner in folder.glob(f"*{_HIGH}"))


def match_files(layout: Layout, scale: int) -> list[tuple[Path, Path | None]]:
    """Return every high-resolution file with its low-resolution one, None where these are to be made.

    Raises:
        DataError: There are no images, or one side of a pair is missing.
    """
    highs = list_images(layout.high)
    folder = layout.low / f"X{scale}" if layout.low else None
    if folder is None or not folder.is_dir():
        return [(high, None) for high in highs]
    lows = {low.stem.removesuffix(f"x{scale}"): low for low in list_images(folder)}
    alone = [high.name for high in highs if high.stem not in lows]
    if alone:
        raise DataError(f"{folder} lacks the low-resolution side of {_several(alone)}; {layout.high} holds them")
    stems = {high.stem for high in highs}
    alone = [low.name for stem, low in lows.items() if stem not in stems]
    if alone:
        raise DataError(f"{layout.high} lacks the high-resolution side of {_several(alone)}; {folder} holds them")
    return [(high, lows[high.stem]) for high in highs]


def _several(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
