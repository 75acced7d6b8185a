"""Colour kept true: what the network made, shrunk again, has the mean colour of what it was given, everywhere.

    image ──> network ──> shrunk by bicubic ──(−) image ──> mean of 5×5 ──> enlarged by bicubic ──(+) network's

Only slow differences are corrected, which are a shift of colour; detail is the network's. On the bundled model the
effect is small (docs/reference/photo-contract.md has the figures); it is for models that shift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.image import resize_bicubic
from pocketsr.runtime.deep import deep_strips
from pocketsr.runtime.tiling import spans
from pocketsr.runtime.upscaler import Progress, Upscaler

#: Pixels of the input to either side that the mean is over.
_MEAN_REACH = 2
#: The mean, and bicubic down and up again.
_REACH = _MEAN_REACH + 6
_SLAB_PIXELS = 1 << 21


def faithful_strips(
    upscaler: Upscaler, image: npt.NDArray[Any], *, on_progress: Progress | None = None
) -> Iterator[npt.NDArray[Any]]:
    """Upscale strip by strip, with the mean colour of the image.

    Args:
        upscaler: A model of any kind.
        image: uint8 or uint16, ``(H, W, 3)`` RGB or ``(H, W)`` grey.
        on_progress: Called after every part with (parts done, parts in all).

    Yields:
        ``(h, sW, 3)`` or ``(h, sW)`` of the same type, from top to bottom.
    """
    height, width = image.shape[:2]
    scale, field = upscaler.scale, upscaler.spec.receptive_field
    is_whole = field is None or upscaler.spec.size_multiple > 1
    reach = 0 if field is None else field + _REACH
    rows = max(1, _SLAB_PIXELS // (width * scale * scale))
    parts = spans(height, height if is_whole else rows + 2 * reach, reach)
    for number, part in enumerate(parts, 1):
        slab = image[part.start : part.stop]
        made = upscaler(slab) if slab.dtype == np.uint8 else np.concatenate(list(deep_strips(upscaler, slab)))
        made = correct_colour(made, slab)
        first = (part.keep_start - part.start) * scale
        yield made[first : first + (part.keep_stop - part.keep_start) * scale]
        if on_progress is not None:
            on_progress(number, len(parts))


def correct_colour(made: npt.NDArray[Any], image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an enlarged image with the slow differences to its source taken away.

    Args:
        made: uint8 or uint16 ``(sH, sW)`` or ``(sH, sW, C)``.
        image: ``(H, W)`` or ``(H, W, C)`` of the same type.

    >>> image = np.full((6, 6, 3), 100, np.uint8)
    >>> correct_colour(np.full((12, 12, 3), 104, np.uint8), image)[0, 0].tolist()
    [100, 100, 100]
    """
    wide = made.astype(np.float32)
    missing = image.astype(np.float32) - resize_bicubic(wide, *image.shape[:2])
    wide += resize_bicubic(_mean_nearby(missing), *made.shape[:2])
    return np.asarray(np.clip(np.rint(wide), 0, np.iinfo(made.dtype).max).astype(made.dtype))


def _mean_nearby(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    size = 2 * _MEAN_REACH + 1
    for axis in (0, 1):
        widths = [(_MEAN_REACH, _MEAN_REACH) if number == axis else (0, 0) for number in range(image.ndim)]
        padded = np.pad(image, widths, mode="edge")
        length = image.shape[axis]
        image = np.sum([np.take(padded, range(start, start + length), axis) for start in range(size)], axis=0) / size
    return np.asarray(image, np.float32)
