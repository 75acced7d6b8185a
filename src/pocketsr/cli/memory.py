"""``--memory``: how much of it a run may take, shared out among images, tiles and the rest."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pocketsr.errors import ImageTooLargeError, SettingError

if TYPE_CHECKING:
    from pocketsr.runtime import Target

#: Megabytes of Python, the runtime and its model, and of what is on its way between tiles and encoder.
_REST_MB = 140
#: What correcting colour takes beside.
_FAITHFUL_MB = 170
#: What the mean over eight orientations takes beside: 18 bytes for each of the 4 million pixels of a slab.
_TTA_MB = 80
#: Part of what is left that tiles get, up to so many megabytes: larger ones are no faster.
_TILES, _MOST_TILES_MB = 0.3, 700
#: Bytes for each pixel of images in work, by which it is decided whether one more is begun.
_PIXEL_BYTES = 7
_UNITS = {"": 1, "M": 1, "MB": 1, "G": 1000, "GB": 1000}


class Megabytes(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """An amount of memory, as 500M or 1.5G; a number alone is megabytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return whole megabytes.

        >>> Megabytes().convert("1.5G", None, None)
        1500
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value).strip())
        if found is None or found[2].upper() not in _UNITS:
            self.fail(f"an amount of memory is a number and M or G, such as 500M, not {value!r}", param, ctx)
        return int(float(found[1]) * _UNITS[found[2].upper()])


@dataclasses.dataclass(frozen=True)
class Shares:
    """What a run may take, and what comes to whom.

    Attributes:
        total_mb: All of it, in 10^6 bytes.
        is_faithful: Whether colour is corrected, too.
        tta: Whether the mean over eight orientations is made.

    Raises:
        SettingError: That is less than a run takes without any image.

    >>> Shares(1000).tiles_mb, Shares(1000).most_pixels
    (258, 86000000)
    """

    total_mb: int
    is_faithful: bool = False
    tta: bool = False

    def __post_init__(self) -> None:
        if self._left_mb <= 0:
            least = self.total_mb - self._left_mb
            raise SettingError(
                f"--memory {self.total_mb}M is too little: {least} MB go without an image; allow {least + 160}M"
            )

    @property
    def _left_mb(self) -> int:
        return self.total_mb - _REST_MB - self.is_faithful * _FAITHFUL_MB - self.tta * _TTA_MB

    @property
    def tiles_mb(self) -> int:
        """Megabytes for tiles and the strips they make."""
        return max(1, min(_MOST_TILES_MB, int(_TILES * self._left_mb)))

    @property
    def most_pixels(self) -> int:
        """Pixels that images in work may hold together."""
        return (self._left_mb - self.tiles_mb) * 1_000_000 // _PIXEL_BYTES

    def check(self, source: Path, target: Path, asked: Target) -> None:
        """Refuse an image that takes more by itself.

        Raises:
            ImageTooLargeError: It does; the message says how much it needs.
        """
        from pocketsr.batch import bytes_held

        held_mb = bytes_held(source, target, asked) / 1e6
        if held_mb > self._left_mb - self.tiles_mb:
            needed = self.total_mb - self._left_mb + held_mb + min(_MOST_TILES_MB, held_mb * _TILES / (1 - _TILES))
            raise ImageTooLargeError(
                f"cannot upscale {source}: it needs about {math.ceil(needed)} MB and --memory allows {self.total_mb}; "
                "allow more; PNG, JPEG and TIFF need the least"
            )
