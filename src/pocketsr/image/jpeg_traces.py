"""What JPEG leaves in an image: how coarsely it was quantised, from a file's tables or from pixels alone, and whether
its colour was kept whole.

    tables  ──> beside libjpeg's own ──> quality
    pixels  ──> luma ──> grid of 8×8, where high frequencies are nought more often than on any other grid
                      └─> cosine transform on that grid ──> low frequencies stand on a comb ──> its steps ──> quality
            ──> colour ──> the same transform ──> combs, too: it has blocks of 8×8 itself, and was not halved (4:4:4)

Pixels that were enlarged, shrunk or blurred after they were JPEG keep neither grid nor comb: then nothing is found.
Knows nothing of models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]

#: libjpeg's table for luma at quality 50 (ITU-T T.81, table K.1), row by row.
BASE_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_SIDE = 8
#: Frequencies (down, across) whose combs are looked for: low ones, where photos have enough that is not nought.
_COMBS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2))
#: Points of quality that low frequencies are worse by in tables that are not libjpeg's. In its own it is 3 at 100,
#: where all steps are 1, and rounding elsewhere.
_OTHER = 5.0
#: Combs that have to be found: by chance there is one.
_FEWEST = 3
#: Weights of red, green and blue in the two planes of colour (JFIF), and the frequencies that are looked at in both:
#: one comb across and one down have to be found, as colour may be halved across alone (4:2:2). research/LOG.md has how
#: often that is right.
_COLOUR = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_ACROSS, _DOWN = ((0, 1), (0, 2)), ((1, 0), (2, 0))
#: Values that a comb needs, the part of them that must lie beyond half its step, and how well they must fit.
_VALUES, _BEYOND, _FIT = 24, 0.9, 0.5
#: Qualities whose tables are tried.
_WORST, _BEST = 8, 91
#: Steps that a comb is tried with. Below 3, rounding to pixels hides it; that is quality 91 and better.
_STEPS = np.arange(3, 65)
#: Pixels that are looked at, in squares of this side, the busiest ones.
_TILE, _TILES, _SEARCHED = 128, 32, 2
#: Squares along each side that are compared for detail.
_ALONG = 8
#: High frequencies: down plus across of this and more.
_HIGH = 7
#: How much more of the high frequencies are nought on the grid than on the next best. On the photos that were tried it
#: is 0.008 at most without JPEG, and 0.022 at least at qualities from 15 to 95.
_LEAD = 0.015
#: Levels, of luma or of each channel, beyond which pixels may have been clipped.
_BLACK, _WHITE = 4.0, 251.0
#: Coefficients that count as nought after rounding to pixels.
_NOUGHT = 1.0


def quality_of_tables(tables: Mapping[int, Sequence[int]]) -> float | None:
    """Return libjpeg's quality, 1 to 100, whose table for luma is most like that of a file; None where there is none.

    Other tables, such as Photoshop's, spare high frequencies; of those the low ones count, by which pixels are told.

    Args:
        tables: By number, 64 values each, row by row, as Pillow's ``quantization``; 0 is luma's.

    >>> round(quality_of_tables({0: BASE_TABLE.ravel().tolist()}))
    50
    """
    if 0 not in tables or len(tables[0]) != BASE_TABLE.size or min(tables[0]) < 1:
        return None
    table = np.reshape(tables[0], BASE_TABLE.shape)
    whole = _quality(100 * float(table.sum()) / float(BASE_TABLE.sum()))
    low = _quality(100 * float(np.median([table[frequency] / BASE_TABLE[frequency] for frequency in _COMBS])))
    return low if low < whole - _OTHER else whole


@dataclasses.dataclass(frozen=True)
class JpegTraces:
    """What was found in pixels.

    Attributes:
        has_grid: Whether blocks of 8×8 were coded, and lie as they did.
        quality: libjpeg's quality, 1 to 100, that the combs of their frequencies fit; None where there is none: above
            quality 91 rounding to pixels hides it.
        keeps_colour: Whether colour was coded at full resolution (4:4:4), up to quality 94; False where there is none.
    """

    has_grid: bool = False
    quality: float | None = None
    keeps_colour: bool = False


def find_jpeg_traces(pixels: npt.NDArray[Any], *, with_colour: bool = True) -> JpegTraces:
    """Look for what JPEG leaves in pixels: in the busiest half megapixel, however large the image.

    Args:
        pixels: uint8 or uint16 ``(H, W)`` or ``(H, W, 3)``, RGB.
        with_colour: Look for traces of colour, too; otherwise none is found.

    >>> find_jpeg_traces(np.zeros((16, 16, 3), np.uint8))
    JpegTraces(has_grid=False, quality=None, keeps_colour=False)
    """
    squares = _busiest(pixels)
    tiles = [_luma(square) for square in squares]
    grid = _grid(tiles[:_SEARCHED]) if tiles else None
    if grid is None:
        return JpegTraces()
    blocks = np.concatenate([_transformed(tile, *grid)[_is_inside(tile, *grid)] for tile in tiles])
    combs = [(frequency, _comb(blocks[:, frequency[0], frequency[1]])) for frequency in _COMBS]
    factors = [step / BASE_TABLE[frequency] for frequency, step in combs if step is not None]
    quality = _quality(100 * float(np.median(factors))) if len(factors) >= _FEWEST else _by_tables(blocks)
    keeps_colour = with_colour and _keeps_colour(squares, grid)
    return JpegTraces(has_grid=True, quality=quality, keeps_colour=keeps_colour)


def _quality(percent: float) -> float:
    """Return the quality at which libjpeg takes so many percent of its table."""
    return (200 - percent) / 2 if percent <= 100 else 5000 / percent


def _floats(pixels: npt.NDArray[Any]) -> _Floats:
    """Return pixels as floats of 0 to 255."""
    wide = pixels.astype(np.float32)
    return wide / np.float32(257) if pixels.dtype == np.uint16 else wide


def _luma(square: _Floats) -> _Floats:
    return square if square.ndim == 2 else np.asarray(square @ np.array([0.299, 0.587, 0.114], np.float32))


def _busiest(pixels: npt.NDArray[Any]) -> list[_Floats]:
    """Return squares with much detail, their corners at multiples of 8, busiest first.

    Out of squares that are spread evenly over the image: a large one is not looked at whole.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 3 * _SIDE:
        return []
    side = min(_TILE, height // _SIDE * _SIDE, width // _SIDE * _SIDE)
    down, across = (_spread(length, side) for length in (height, width))
    squares = [_floats(pixels[top : top + side, left : left + side]) for top in down for left in across]
    # Clipped, so that a few hard edges do not count for more than texture everywhere.
    detail = [float(np.minimum(np.abs(np.diff(_luma(square), axis=1)), 16).mean()) for square in squares]
    order = sorted(range(len(squares)), key=lambda index: -detail[index])
    return [squares[index] for index in order[:_TILES]]


def _spread(length: int, side: int) -> list[int]:
    """Return where squares begin along an axis: as many as fit side by side, at most ``_ALONG``."""
    count = min(length // side, _ALONG)
    return [(length - side) * index // max(1, count - 1) // _SIDE * _SIDE for index in range(count)]


def _matrix() -> _Floats:
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    matrix = np.sqrt(2 / _SIDE) * np.cos(np.pi * (2 * columns + 1) * rows / (2 * _SIDE))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


_MATRIX = _matrix()


def _transformed(tile: _Floats, down: int, across: int) -> _Floats:
    """Return the cosine transforms ``(N, 8, 8)`` of a square's blocks on a grid that begins there."""
    rows, columns = ((side - first) // _SIDE for side, first in zip(tile.shape, (down, across), strict=True))
    cut = tile[down : down + rows * _SIDE, across : across + columns * _SIDE]
    wide = (cut.reshape(-1, _SIDE) @ _MATRIX.T).reshape(rows, _SIDE, columns, _SIDE)
    tall = wide.transpose(0, 2, 3, 1).reshape(-1, _SIDE) @ _MATRIX.T
    return np.asarray(tall.reshape(-1, _SIDE, _SIDE).transpose(0, 2, 1))


def _is_inside(square: _Floats, down: int, across: int) -> npt.NDArray[np.bool_]:
    """Return which blocks were surely not clipped to black or white after decoding, which moves them off the comb."""
    rows, columns = ((side - first) // _SIDE for side, first in zip(square.shape[:2], (down, across), strict=True))
    cut = square[down : down + rows * _SIDE, across : across + columns * _SIDE]
    is_inside = (cut > _BLACK) & (cut < _WHITE)
    return np.asarray(is_inside.reshape(rows, _SIDE, columns, -1).all(axis=(1, 3)).ravel())


def _keeps_colour(squares: Sequence[_Floats], grid: tuple[int, int]) -> bool:
    """Whether colour stands on combs of its own on the grid of luma: halved, its blocks are of 16×16 and smoothed."""
    if squares[0].ndim == 2:
        return False
    # A block that was clipped in one channel leaves the combs.
    is_inside = [_is_inside(one, *grid) for one in squares]
    blocks = [
        np.concatenate(
            [_transformed(one @ weights, *grid)[inside] for one, inside in zip(squares, is_inside, strict=True)]
        )
        for weights in _COLOUR
    ]
    return all(
        any(_comb(plane[:, down, across]) is not None for plane in blocks for down, across in frequencies)
        for frequencies in (_ACROSS, _DOWN)
    )


def _grid(tiles: Sequence[_Floats]) -> tuple[int, int] | None:
    """Return where the first block begins, down and across; None where no grid stands out."""
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    high = rows + columns >= _HIGH
    found = np.empty((_SIDE, _SIDE))
    for down in range(_SIDE):
        for across in range(_SIDE):
            values = np.concatenate([_transformed(tile, down, across)[:, high] for tile in tiles])
            found[down, across] = (np.abs(values) < _NOUGHT).mean()
    second, first = np.sort(found.ravel())[-2:]
    down, across = divmod(int(found.argmax()), _SIDE)
    return (down, across) if first - second >= _LEAD else None


def _comb(values: _Floats) -> float | None:
    """Return the step of the comb that values stand on; None where there is none, or too few that are not nought."""
    fitting = [float(step) for step in _STEPS if _fits([(values, float(step))])]
    return max(fitting, default=None)  # half of it is a comb, too


def _by_tables(blocks: _Floats) -> float | None:
    """Return the lowest quality whose tables, those of libjpeg, fit all low frequencies together.

    For small and smooth images, where no frequency by itself has values enough.
    """
    for quality in range(_WORST, _BEST + 1):
        percent = 5000 / quality if quality < 50 else 200 - 2 * quality
        pairs = [
            (blocks[:, down, across], max(1.0, float((BASE_TABLE[down, across] * percent + 50) // 100)))
            for down, across in _COMBS
        ]
        if _fits(pairs):
            return float(quality)
    return None


def _fits(pairs: Sequence[tuple[_Floats, float]]) -> bool:
    """Whether values that are not nought lie on the teeth of their combs; between nought and the first is nothing."""
    sizes = [(np.abs(values[np.abs(values) > 1.5 * _NOUGHT]), step) for values, step in pairs]
    on = np.concatenate([found[found > step / 2] / step for found, step in sizes])
    enough = max(_VALUES, _BEYOND * sum(len(found) for found, _ in sizes))
    return len(on) >= enough and float(np.cos(2 * np.pi * on).mean()) >= _FIT
