"""``resize_bicubic`` for images that arrive in strips and are too large to hold.

Columns are resized strip by strip; of the rows as many are kept as an output row looks at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.image.resize import contributions, resize_bicubic

#: Rows that are made at once: few, so that little is held, and many beside the cost of a call.
_ROWS = 64


def resize_strips(
    strips: Iterable[npt.NDArray[Any]], *, rows_in: int, height: int, width: int
) -> Iterator[npt.NDArray[Any]]:
    """Resize an image as ``resize_bicubic`` does, antialiased where it shrinks, without rounding in between.

    Args:
        strips: uint8 or uint16 ``(h, W)`` or ``(h, W, C)`` from top to bottom, ``rows_in`` rows in all.
        rows_in: Rows of the image.
        height: Rows of the result.
        width: Columns of the result.

    Yields:
        ``(h, width)`` or ``(h, width, C)`` of the same type.
    """
    weights, indices = contributions(rows_in, height)
    held: list[npt.NDArray[np.float32]] = []
    first = count = 0  # of the rows held: the number of the first, and how many there are
    source = (strip[top : top + _ROWS] for strip in strips for top in range(0, len(strip), _ROWS))
    dtype: npt.DTypeLike = np.uint8
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        high = int(indices[rows].max()) + 1
        while first + count < high:
            strip = next(source)
            dtype = strip.dtype
            held.append(resize_bicubic(strip.astype(np.float32), len(strip), width))
            count += len(strip)
        joined = np.concatenate(held)
        # Mirrored rows at the ends look back a little, never before what a later row of the middle needs.
        made = np.zeros((rows.stop - rows.start, *joined.shape[1:]), np.float32)
        for tap in range(weights.shape[1]):
            share = weights[rows, tap].astype(np.float32).reshape(-1, *[1] * (joined.ndim - 1))
            made += joined[indices[rows, tap] - first] * share
        white = 255 if dtype == np.uint8 else 65535
        yield np.clip(np.rint(made), 0, white).astype(dtype)
        later = int(indices[rows.stop :].min()) if rows.stop < height else first + count
        dropped = max(0, min(later - first, count))
        held, first, count = [joined[dropped:]], first + dropped, count - dropped
    for _ in source:  # what is left beyond the last row looked at still has to be made, for progress and for errors
        pass
