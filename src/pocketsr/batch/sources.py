"""Which images there are: patterns that no shell expanded, and folders with all that is below them.

Tells images by the endings of their names; opens no file.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pocketsr.errors import DataError
from pocketsr.image import FORMATS, paths


class Expanded(NamedTuple):
    """Paths in the order they were named, and the patterns that nothing matches."""

    found: tuple[Path, ...]
    problems: tuple[tuple[Path, DataError], ...]


class Tree(NamedTuple):
    """Images below a folder, and the folders that could not be looked into."""

    images: tuple[Path, ...]
    problems: tuple[tuple[Path, DataError], ...]


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern such as ``holiday/*.jpg``. One under whose very name there is a file is none.

    >>> is_pattern(Path("holiday/*.jpg")), is_pattern(Path("holiday.jpg"))
    (True, False)
    """
    return glob.has_magic(str(path)) and not paths.exists(path)


def expand(sources: Sequence[Path]) -> Expanded:
    """Put what matches in the place of every pattern, in the order of names; ``**`` stands for any folders.

    >>> expand([Path("a.png")]).found[0].name
    'a.png'
    """
    found: list[Path] = []
    problems = []
    for source in sources:
        if not is_pattern(source):
            found.append(source)
            continue
        matches = sorted(map(Path, glob.glob(str(source), recursive=True)))  # noqa: PTH207 - patterns may be absolute
        # Folders that '**' passes through are not meant; what is in them is matched by itself.
        wanted = [path for path in matches if "**" not in source.parts or not paths.is_folder(path)]
        if not wanted:
            problems.append((source, DataError(f"nothing is called {source}; check the folder and the pattern")))
        found += wanted
    return Expanded(tuple(found), tuple(problems))


def list_tree(folder: Path, *, without: Path | None = None) -> Tree:
    """Return all images below a folder: those of a folder in the order of their names, then its folders in theirs.

    Args:
        folder: Where to look. Hidden files and folders are left out, and links to folders are not followed.
        without: A folder that is not looked into: that of the outputs.

    Raises:
        DataError: There are no images.
    """
    images: list[Path] = []
    problems: list[tuple[Path, DataError]] = []

    def refuse(error: OSError) -> None:
        closed = Path(error.filename or folder)
        problems.append((closed, DataError(f"cannot look into {closed}: {error.strerror or error}")))

    left_out = None if without is None else os.path.realpath(without)
    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (left_out is None or os.path.realpath(Path(here, name)) != left_out)
        )
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and path.suffix.lower() in FORMATS and path.is_file():
                images.append(path)
    if not images and not problems:
        raise DataError(f"{folder} has no images, nor has any folder in it; known endings: {', '.join(FORMATS)}")
    return Tree(tuple(images), tuple(problems))
