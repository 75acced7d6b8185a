"""What a perceptual measure is: facts about it, whether it can run here, and a call that runs it.

The list of them is in ``measures``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.evaluate.perceptual.needed_files import NeededFile, describe_missing, find_file

Pixels: TypeAlias = npt.NDArray[np.uint8]
#: Where the files that a measure needs were found, by their keys.
Files: TypeAlias = Mapping[str, Path]
_Value = TypeVar("_Value")


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        image: uint8 ``(H, W, 3)`` RGB.
        truth: The same shape; the image itself where a measure needs none.
        name: File name of the image, empty if it has none.
    """

    image: Pixels
    truth: Pixels
    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure for what an image looks like.

    Attributes:
        name: Name to ask for.
        unit: What one is counted in.
        is_higher_better: Else lower is.
        lowest: Least value there can be, None if there is none.
        highest: Largest value there can be, None if there is none.
        needs_truth: It compares with ground truth.
        source: Paper.
        agreement: Whose numbers ours were compared with, and how closely they agree.
        files: What must be there for it to run.
        compute: From what is measured and the files to the value.
    """

    name: str
    unit: str
    is_higher_better: bool
    lowest: float | None
    highest: float | None
    needs_truth: bool
    source: str
    agreement: str
    files: tuple[NeededFile, ...] = ()
    compute: Callable[[Subject, Files], float] = dataclasses.field(repr=False)

    def reason(self, folder: Path | None = None) -> str | None:
        """Return why it cannot run here, None if it can.

        Args:
            folder: Where to look before the usual places.

        >>> from pocketsr.evaluate.perceptual.measures import find_measure
        >>> find_measure("ms-ssim").reason() is None
        True
        """
        missing = [describe_missing(needed, folder) for needed in self.files if find_file(needed, folder) is None]
        return f"{self.name} {'; and it '.join(missing)}" if missing else None

    def __call__(
        self, image: Pixels, truth: Pixels | None = None, *, name: str = "", folder: Path | None = None
    ) -> float:
        """Return the value.

        Args:
            image: uint8 ``(H, W, 3)`` RGB. Borders that should not count are the caller's to cut off.
            truth: The same shape; not looked at by measures that need none.
            name: File name of the image, for measures that look it up in a table.
            folder: Where to look for files before the usual places.

        Raises:
            SettingError: The image is too small, not uint8 RGB, or there is no ground truth where one is needed.
            ModelFileError: A file is missing (see :meth:`reason`) or damaged.
            DataError: A table has no such image.

        >>> from pocketsr.evaluate.perceptual.measures import find_measure
        >>> grey = np.full((200, 200, 3), 90, np.uint8)
        >>> find_measure("ms-ssim")(grey, grey)
        1.0
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise SettingError(f"{self.name} needs uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")
        if self.needs_truth and truth is None:
            raise SettingError(f"{self.name} compares with ground truth, and none was given")
        if self.needs_truth and truth is not None and (truth.shape != image.shape or truth.dtype != np.uint8):
            raise SettingError(
                f"{self.name} needs ground truth of the image's shape, uint8 {image.shape}, "
                f"not {truth.dtype} {truth.shape}"
            )
        if (reason := self.reason(folder)) is not None:
            raise ModelFileError(reason)
        found = {needed.key: path for needed in self.files if (path := find_file(needed, folder)) is not None}
        return self.compute(Subject(image, image if truth is None else truth, name), found)


def read_once(read: Callable[..., _Value]) -> Callable[..., _Value]:
    """Return a function that reads files as ``read`` does, and keeps the two models used last until a file changes.

    >>> from pathlib import Path
    >>> read_once(lambda word, path: word.upper())("kept", Path(__file__))
    'KEPT'
    """

    @functools.lru_cache(maxsize=2)
    def read_state(arguments: tuple[Any, ...], _: tuple[tuple[int, int], ...]) -> _Value:
        return read(*arguments)

    def reading(*arguments: str | Path) -> _Value:
        facts = [part.stat() for part in arguments if isinstance(part, Path)]
        return read_state(arguments, tuple((fact.st_mtime_ns, fact.st_size) for fact in facts))

    return reading
