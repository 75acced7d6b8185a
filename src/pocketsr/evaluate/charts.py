"""Test charts: images that show faults which photographs hide, and the figures that are read off them.

    flat, edge ──> are black and white reached
    ramps ───────> height of steps (bands), pattern inside the cells of one low-resolution pixel (grid)

Knows images only, not what made them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

#: Levels that a ramp passes, and where it begins: shadows, middle, lights.
RAMP_LEVELS = 64
_STARTS = (0, 96, 191)
#: Which channels rise; the others stay where the ramp begins.
_COLOURS = {"grey": (0, 1, 2), "red": (0,), "green": (1,), "blue": (2,)}
#: Low-resolution pixels at each side that are not judged: borders are padded, and padding is not smooth.
_MARGIN = 8


def flat(level: int) -> Image:
    """Return an image of one level, uint8 ``(16, 16, 3)``."""
    return np.full((16, 16, 3), level, np.uint8)


def edge() -> Image:
    """Return an image whose left half is black and whose right half is white, uint8 ``(16, 16, 3)``."""
    image = flat(0)
    image[:, 8:] = 255
    return image


def ramps() -> Iterator[tuple[str, Image]]:
    """Yield slopes as smooth as 8 bits allow: each passes 64 levels, one every third or fourth pixel.

    Yields:
        A name such as ``grey ramp across from 96``, and uint8 ``(20, 256, 3)``, ``(256, 20, 3)`` or ``(96, 96, 3)``.

    >>> images = dict(ramps())
    >>> len(images), images["red ramp down from 191"][:, 0, 0].max()
    (36, np.uint8(254))
    """
    across = np.tile(np.arange(4 * RAMP_LEVELS) // 4, (20, 1))
    side = np.arange(3 * RAMP_LEVELS // 2)
    slopes = {"across": across, "down": across.T, "diagonal": np.add.outer(side, side) // 3}
    for direction, slope in slopes.items():  # outermost: runtimes prepare anew for each size
        for start in _STARTS:
            for colour, channels in _COLOURS.items():
                image = np.full((*slope.shape, 3), start, np.uint8)
                image[:, :, channels] += slope[:, :, None].astype(np.uint8)
                yield f"{colour} ramp {direction} from {start}", image


def step_height(made: Image, *, scale: int) -> float:
    """Return the height of the tallest step on an enlarged ramp, in levels: the figure of banding.

    A ramp climbs a fixed height, so what lies too long on one level, leaves levels out, or falls back, must make up for
    it by a taller step elsewhere: one figure stands for all. Steps are taken between neighbouring low-resolution
    pixels, each the mean of its ``scale × scale`` cell, so that rounding, up here and down there, does not count. A
    good enlarger makes 1, eight bits without the last make 2, without the last two 4.

    Args:
        made: An enlarged ramp, uint8 ``(scale·h, scale·w, 3)``.
        scale: Factor.

    >>> _, ramp = next(ramps())
    >>> step_height(ramp, scale=1), step_height(ramp // 4 * 4, scale=1)
    (1.0, 4.0)
    """
    means = _cells(made, scale).mean(axis=(1, 3))
    return float(max(np.abs(np.diff(means, axis=axis)).max() for axis in (0, 1)))


def cell_pattern(made: Image, *, scale: int) -> float:
    """Return how far the pixels of a cell are apart on an enlarged ramp, in levels: the figure of the grid.

    A network makes the ``scale × scale`` pixels of a cell in as many channels. Where those round differently, smooth
    areas show a pattern that repeats in every cell. Means over all cells are compared, so that noise does not count;
    the slope itself makes less than 1.

    Args:
        made: An enlarged ramp, uint8 ``(scale·h, scale·w, 3)``.
        scale: Factor.

    >>> image = np.zeros((40, 40, 3), np.uint8)
    >>> image[::2, ::2] = 3
    >>> cell_pattern(image, scale=2), cell_pattern(image, scale=1)
    (3.0, 0.0)
    """
    return float(np.ptp(_cells(made, scale).mean(axis=(0, 2)), axis=(0, 1)).max())


def _cells(made: Image, scale: int) -> npt.NDArray[np.float64]:
    """Return ``(h, scale, w, scale, 3)`` without the margin."""
    height, width = made.shape[0] // scale, made.shape[1] // scale
    cells = made.reshape(height, scale, width, scale, 3)
    return cells[_MARGIN:-_MARGIN, :, _MARGIN:-_MARGIN].astype(np.float64)
