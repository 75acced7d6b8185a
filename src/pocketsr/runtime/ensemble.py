"""Test-time augmentation: one image upscaled in its eight orientations, and the mean of what comes.

    slab of rows ──> as it is, mirrored, turned (8) ──> upscaler ──> turned back ──> sum, (sum + 4) >> 3 ──> strip

A network gives each orientation slightly other errors, part of which the mean takes away. Slabs overlap by the
receptive field, and sums are of whole numbers: the result is that of the whole image in one piece, and the same on
every machine in int8. Takes eight runs and the turning. Knows nothing of backends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np

from pocketsr.runtime.pixels import Samples
from pocketsr.runtime.tiling import spans

#: Pixels of the result that are worked on at once; sums and orientations take some 12 bytes each.
_SLAB_PIXELS = 1 << 22
#: Turns by a quarter, and whether mirrored: upright ones first, because a runtime prepares for each shape anew.
ORIENTATIONS = tuple((turns, is_mirrored) for turns in (0, 2, 1, 3) for is_mirrored in (False, True))


def ensemble_strips(
    upscale: Callable[[Samples], Samples],
    image: Samples,
    *,
    scale: int,
    reach: int | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Samples]:
    """Upscale an image strip by strip, each pixel the mean over eight orientations, halves up.

    Float32 is not rounded.

    Args:
        upscale: uint8 ``(h, w)`` or ``(h, w, C)`` to ``(s·h, s·w)`` or ``(s·h, s·w, C)``.
        image: uint8 or float32 ``(H, W)`` or ``(H, W, C)``.
        scale: s.
        reach: Pixels that an output pixel looks at beyond its own; None is the whole image.
        on_progress: Called after every orientation of every slab with (those done, those in all).

    Yields:
        ``(h, sW)`` or ``(h, sW, C)``, from top to bottom.
    """
    height, width = image.shape[:2]
    rows = max(1, _SLAB_PIXELS // (width * scale * scale))
    margin = 0 if reach is None else reach
    slabs = spans(height, height if reach is None else rows + 2 * margin, margin)
    for number, slab in enumerate(slabs):
        window = image[slab.start : slab.stop]
        shape = len(window) * scale, width * scale, *image.shape[2:]
        is_whole = image.dtype == np.uint8
        total = np.full(shape, len(ORIENTATIONS) // 2, np.uint16) if is_whole else np.zeros(shape, np.float32)
        for index, (turns, is_mirrored) in enumerate(ORIENTATIONS, 1):
            made = upscale(cast(Samples, turned(window, turns, is_mirrored)))
            total += turned_back(made, turns, is_mirrored)
            if on_progress is not None:
                on_progress(number * len(ORIENTATIONS) + index, len(slabs) * len(ORIENTATIONS))
        first = (slab.keep_start - slab.start) * scale
        kept = total[first : first + (slab.keep_stop - slab.keep_start) * scale]
        mean = (kept // len(ORIENTATIONS)).astype(np.uint8) if is_whole else kept / np.float32(len(ORIENTATIONS))
        yield cast(Samples, mean)


def turned(image: Samples, turns: int, is_mirrored: bool) -> Samples:
    """Return an image mirrored left to right, where asked for, and then turned left by quarters."""
    return cast(Samples, np.ascontiguousarray(np.rot90(image[:, ::-1] if is_mirrored else image, turns)))


def turned_back(image: Samples, turns: int, is_mirrored: bool) -> Samples:
    """Undo ``turned``.

    >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    >>> all(np.array_equal(turned_back(turned(image, *one), *one), image) for one in ORIENTATIONS)
    True
    """
    upright = np.rot90(image, -turns)
    return cast(Samples, upright[:, ::-1] if is_mirrored else upright)
