"""Which size an enlarged image is to have, and which models in a row come to it.

Knows nothing of pixels or model files.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from pocketsr.errors import SettingError

#: Nothing good comes of enlarging further, and a slip of the finger should not fill a disk.
LARGEST_SCALE = 64.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A size that was asked for, in one of several ways; shape is always kept, to the nearest pixel.

    Attributes:
        scale: Output side over input side, above 0.
        width: Columns of the output.
        height: Rows of the output.
        fit: Columns and rows of a box that the output fills in one direction and does not leave in the other.
        longest: Pixels of the longer side.
        megapixels: Million pixels of the output.

    Raises:
        SettingError: None is given or more than one, or one out of range.

    >>> Target(fit=(1920, 1080)).size(300, 400)
    (1080, 1440)
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    fit: tuple[int, int] | None = None
    longest: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if len(given) != 1:
            what = " and ".join(given) or "nothing"
            advice = "; for a box of both, use fit" if set(given) == {"width", "height"} else ""
            raise SettingError(f"a size is asked for in one way, by {', '.join(_NAMES)}; {what} came{advice}")
        for name, value in given.items():
            for number in value if isinstance(value, tuple) else (value,):
                if not (number > 0 and math.isfinite(number)):
                    raise SettingError(f"{name} needs to be above 0, not {number:g}")

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return rows and columns of the output for an image of that many rows and columns.

        Raises:
            SettingError: That is more than 64 times the image.

        >>> Target(scale=2.5).size(3, 10), Target(width=25).size(3, 10), Target(megapixels=1).size(500, 500)
        ((8, 25), (8, 25), (1000, 1000))
        """
        if self.scale is not None:
            factor = self.scale
        elif self.width is not None:
            factor = self.width / width
        elif self.height is not None:
            factor = self.height / height
        elif self.fit is not None:
            factor = min(self.fit[0] / width, self.fit[1] / height)
        elif self.longest is not None:
            factor = self.longest / max(height, width)
        else:
            assert self.megapixels is not None
            factor = math.sqrt(self.megapixels * 1e6 / (height * width))
        if factor > LARGEST_SCALE:
            raise SettingError(
                f"{width}×{height} would become {factor:g} times as large; at most {LARGEST_SCALE:g} times is made"
            )
        return tuple(max(1, math.floor(side * factor + 0.5)) for side in (height, width))  # type: ignore[return-value]

    def __str__(self) -> str:
        """Return what goes into file names: ``x2.5``, ``1920w``, ``1080h``, ``1920x1080``, ``3000px``, ``12mp``."""
        if self.fit is not None:
            return f"{self.fit[0]}x{self.fit[1]}"
        if self.scale is not None:
            return f"x{self.scale:g}"
        for value, mark in ((self.width, "w"), (self.height, "h"), (self.longest, "px"), (self.megapixels, "mp")):
            if value is not None:
                return f"{value:g}{mark}"
        raise AssertionError("one is given")


_NAMES = tuple(field.name for field in dataclasses.fields(Target))


def choose_scales(needed: float, known: Iterable[int], first: Iterable[int] | None = None) -> tuple[int, ...]:
    """Return the scales of models that, one after the other, come to a scale or just past it.

    Args:
        needed: Output side over input side.
        known: Scales that there are models for, each at least 2.
        first: Scales that the first of them is to be of; None is ``known``.

    Returns:
        Scales whose product is the smallest that is no less than ``needed``, as few as can be, the largest first (but
        for one out of ``first``); empty where nothing needs to be enlarged.

    Raises:
        SettingError: There is no model that enlarges.

    >>> choose_scales(2.5, [3]), choose_scales(4, [3]), choose_scales(4, [2, 3]), choose_scales(1, [3])
    ((3,), (3, 3), (2, 2), ())
    >>> choose_scales(4, [2, 3, 4], first=[3])
    (3, 2)
    """
    if first is not None and needed > 1:
        rows = [(one, *choose_scales(needed / one, known)) for one in sorted(first, reverse=True) if one >= 2]
        return min(rows, key=lambda row: (math.prod(row), len(row))) if rows else choose_scales(needed, known)
    scales = sorted({scale for scale in known if scale >= 2}, reverse=True)
    if needed <= 1:
        return ()
    if not scales:
        raise SettingError(f"no model enlarges, and {needed:g} times was asked for")
    # Rows of one more model each, until the shortest way past the goal is sure to be among them.
    best: tuple[int, ...] = ()
    begun: list[tuple[int, ...]] = [()]
    while begun:
        longer = []
        for row in begun:
            for scale in scales:
                if row and scale > row[-1]:
                    continue
                made = (*row, scale)
                product = math.prod(made)
                if product < needed - 1e-9:
                    longer.append(made)
                elif not best or (product, len(made)) < (math.prod(best), len(best)):
                    best = made
        begun = longer
    return best
