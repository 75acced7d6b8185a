"""Transparency made larger by the network, as if it were a grey photo: sharper edges than bicubic's.

Two things the network does not promise are seen to here: what is fully opaque stays so, and what is fully transparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.runtime.deep import deep_strips
from pocketsr.runtime.upscaler import Upscaler


def alpha_strips(upscaler: Upscaler, alpha: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Upscale transparency strip by strip, from top to bottom.

    Args:
        upscaler: A model of any kind.
        alpha: uint8 or uint16 ``(H, W)``.

    Yields:
        ``(h, sW)`` of the same type. Pixels whose source and its eight neighbours are all opaque, or all transparent,
        are exactly that.
    """
    white = np.iinfo(alpha.dtype).max
    scale = upscaler.scale
    if alpha.min() == alpha.max() and alpha.min() in (0, white):  # one value all over: nothing to sharpen
        for row in alpha:
            yield np.full((scale, len(row) * scale), row[0], alpha.dtype)
        return
    opaque, transparent = _surrounded(alpha == white), _surrounded(alpha == 0)
    top = 0
    for strip in upscaler.strips(alpha) if alpha.dtype == np.uint8 else deep_strips(upscaler, alpha):
        rows = slice(top, top + len(strip) // scale)
        strip[_enlarged(opaque[rows], scale)] = white
        strip[_enlarged(transparent[rows], scale)] = 0
        top = rows.stop
        yield strip


def _surrounded(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where a pixel and its eight neighbours are all set; beyond the border everything is."""
    padded = np.pad(mask, 1, constant_values=True)
    height, width = mask.shape
    made = mask.copy()
    for down in range(3):
        for right in range(3):
            made &= padded[down : down + height, right : right + width]
    return made


def _enlarged(mask: npt.NDArray[np.bool_], scale: int) -> npt.NDArray[np.bool_]:
    return mask.repeat(scale, axis=0).repeat(scale, axis=1)
