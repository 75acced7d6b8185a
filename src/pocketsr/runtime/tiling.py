"""Where tiles lie: windows that cover an image, and the part of each that may be kept. Pure arithmetic.

    along one axis, window w, reach r:

    image   |————————————————————————————————|
    window  |——————————|          |——————————|     first and last end where the image ends,
                   |——————————|                    those between overlap by 2r or more
    keep    |————————|——————|————————————————|     r away from every cut, up to the image's own ends

A network pads with zeros at every layer, so a window gives the whole image's output only where the network cannot see
a cut: everywhere but within r pixels of a side that is not the image's own. Every window of one image has the same
size, so a runtime allocates once. Knows nothing of networks, sessions or pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from pocketsr.errors import SettingError

#: Low-resolution pixels of a window that is chosen for the user. A small convolutional network needs 0.5-2 KB for each,
#: so this is 130-500 MB; it covers a 640×360 frame in one piece, and larger windows run no faster.
WINDOW_PIXELS = 1 << 18


@dataclasses.dataclass(frozen=True)
class Span:
    """A tile along one axis, in low-resolution pixels.

    Attributes:
        start: First pixel of the window that is read.
        stop: One beyond its last.
        keep_start: First pixel whose output is kept, counted in the image.
        keep_stop: One beyond its last.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclasses.dataclass(frozen=True)
class Tile:
    """A rectangle of the image: the rows and columns to read and to keep."""

    rows: Span
    columns: Span


@dataclasses.dataclass(frozen=True)
class Grid:
    """All tiles of one image: every row span with every column span.

    Attributes:
        rows: From top to bottom; what they keep joins without gap or overlap.
        columns: From left to right, likewise.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Tile]:
        return (Tile(rows, columns) for rows in self.rows for columns in self.columns)

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of every window."""
        return self.rows[0].stop - self.rows[0].start, self.columns[0].stop - self.columns[0].start


def spans(length: int, window: int, reach: int, *, multiple: int = 1) -> tuple[Span, ...]:
    """Cover an axis with windows of one size: as few as ``window`` allows, then as small as that number allows.

    Args:
        length: Pixels along the axis, a multiple of ``multiple``.
        window: Longest window.
        reach: Pixels beyond its own that an output pixel looks at, on each side.
        multiple: Starts and lengths of windows are multiples of this.

    Returns:
        Spans in order; their kept parts join without gap or overlap.

    Raises:
        SettingError: A window so short that nothing of it could be kept, a length below 1 or no multiple of
            ``multiple``, or a reach below 0.

    >>> spans(10, 6, 1)
    (Span(start=0, stop=6, keep_start=0, keep_stop=5), Span(start=4, stop=10, keep_start=5, keep_stop=10))
    """
    if length < 1 or multiple < 1 or length % multiple or reach < 0:
        raise SettingError(f"an axis of {length} pixels cannot be tiled in multiples of {multiple} with reach {reach}")
    # In units of `multiple`, rounded to the safe side; from here on it is plain integer arithmetic.
    units, longest, margin = length // multiple, window // multiple, -(-reach // multiple)
    if longest >= units:
        return (Span(0, length, 0, length),)
    if longest <= 2 * margin:
        least = (2 * margin + 1) * multiple
        raise SettingError(f"a tile needs to be {least} pixels or more for this model, not {window}")
    inner = units - 2 * margin
    count = _divided(inner, longest - 2 * margin)
    step = _divided(inner, count)
    size = step + 2 * margin
    starts = [min(index * step, units - size) for index in range(count)]
    cuts = [0, *(start + margin for start in starts[1:]), units]
    return tuple(
        Span(start * multiple, (start + size) * multiple, first * multiple, last * multiple)
        for start, first, last in zip(starts, cuts[:-1], cuts[1:], strict=True)
    )


def tile_grid(
    height: int, width: int, reach: int, *, tile: int | None = None, multiple: int = 1, budget: Budget | None = None
) -> Grid:
    """Lay windows over an image.

    Args:
        height: Rows of the image, a multiple of ``multiple``.
        width: Columns of the image, likewise.
        reach: The network's receptive field: pixels beyond its own that an output pixel looks at.
        tile: Longest side of a window, its overlap included; None chooses.
        multiple: The network's size multiple.
        budget: Memory that a window may take, where none is chosen by ``tile``.

    Raises:
        SettingError: As ``spans``, or the budget is too small for any window.

    >>> len(tile_grid(360, 640, 7)), len(tile_grid(3000, 4000, 7))
    (1, 54)
    """
    if tile is not None:
        window_height, window_width = tile, tile
    else:
        window_height, window_width = choose_window(height, width, reach, multiple)
        if budget is not None:
            window_height, window_width = budget.shrunk((window_height, window_width), (height, width), reach, multiple)
    return Grid(
        spans(height, window_height, reach, multiple=multiple), spans(width, window_width, reach, multiple=multiple)
    )


def choose_window(height: int, width: int, reach: int, multiple: int = 1) -> tuple[int, int]:
    """Return the longest height and width of windows for an image: near ``WINDOW_PIXELS`` in all.

    Square, so that little is computed twice; an image that is short one way gets windows that are longer the other way.
    A network that looks far gets larger windows, of which half a side is kept.

    >>> choose_window(3000, 4000, 7), choose_window(360, 640, 7), choose_window(3000, 4000, 200)
    ((512, 512), (360, 728), (800, 800))
    """
    side = max(math.isqrt(WINDOW_PIXELS), 4 * (reach + multiple - 1))
    if height < side:
        return height, side * side // height
    if width < side:
        return side * side // width, width
    return side, side


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """Memory for one window and for the strip of the output that a row of windows makes.

    Attributes:
        most_bytes: What both may take together.
        window_bytes: What a pixel of a window takes.
        strip_bytes: What the output of one input pixel takes.
    """

    most_bytes: float
    window_bytes: float
    strip_bytes: float

    def shrunk(self, window: tuple[int, int], size: tuple[int, int], reach: int, multiple: int) -> tuple[int, int]:
        """Return height and width of a window of which the image's takes no more than that, as large as can be.

        Args:
            window: The one that would be taken otherwise.
            size: Rows and columns of the image.
            reach: As ``tile_grid``.
            multiple: As ``tile_grid``.

        Raises:
            SettingError: The smallest window takes more.

        >>> Budget(most_bytes=2e8, window_bytes=800, strip_bytes=27).shrunk((512, 512), (3000, 4000), 7, 1)
        (437, 437)
        """
        height, columns = (min(sides) for sides in zip(window, size, strict=True))
        row = size[1] * self.strip_bytes
        if height * (columns * self.window_bytes + row) <= self.most_bytes:
            return window
        # A square, of which the sides are cut that the window does not have: side² · window_bytes + side · row.
        root = math.hypot(row, 2 * math.sqrt(self.window_bytes * self.most_bytes))
        side = int((root - row) / (2 * self.window_bytes))
        if height <= side:
            columns = int((self.most_bytes / height - row) / self.window_bytes)
        elif columns <= side:
            height = int(self.most_bytes / (columns * self.window_bytes + row))
        else:
            height = columns = side
        least = (2 * -(-reach // multiple) + 1) * multiple
        low, narrow = min(least, size[0]), min(least, size[1])
        if height < low or columns < narrow:
            needed = math.ceil(low * (narrow * self.window_bytes + row) / 1e6)
            raise SettingError(
                f"tiles of this model need {needed} MB at the least for an image {size[1]} pixels wide; "
                f"{self.most_bytes / 1e6:g} MB are given to them: allow more memory"
            )
        return height, columns


def _divided(number: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-number // divisor)
