"""Colour for pixels that cannot be seen, taken from those that can.

What lies under full transparency is anything, often black, and a network that looks a few pixels around would draw it
into the edges. A pyramid fills it in: averages over ever larger squares, weighted by opacity, each finer level keeping
what it has seen.

    pixels ──> 2×2 means by opacity ──> … ──> one mean          (down)
    pixels where visible, else the level below, enlarged        (up)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def bleed_colour(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return pixels whose fully transparent ones have the colour of what is visible around them.

    Args:
        pixels: uint8 or uint16 ``(H, W, 3)``.
        alpha: ``(H, W)`` of the same type.

    Returns:
        A new array where something is transparent and something is not; else ``pixels`` itself.

    >>> pixels = np.array([[[200, 10, 10], [0, 0, 0]]], np.uint8)
    >>> bleed_colour(pixels, np.array([[255, 0]], np.uint8))[0, 1].tolist()
    [200, 10, 10]
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return pixels
    colour, weight = _halved(pixels.astype(np.float32) * alpha[:, :, None], alpha.astype(np.float32))
    levels = [(colour, weight)]
    while max(weight.shape) > 1:
        colour, weight = _halved(colour, weight)
        levels.append((colour, weight))
    filled = colour / np.maximum(weight, 1e-9)[:, :, None]
    for colour, weight in reversed(levels[:-1]):
        coarse = _doubled(filled, *weight.shape)
        seen = weight > 0
        filled = np.where(seen[:, :, None], colour / np.maximum(weight, 1e-9)[:, :, None], coarse)
    coarse = _doubled(filled, *alpha.shape)
    made = pixels.copy()
    made[hidden] = np.rint(coarse[hidden]).astype(pixels.dtype)
    return made


def _halved(
    colour: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Sum squares of 2×2, colour being already multiplied by weight; sums are scaled so that they stay small."""
    below, beside = weight.shape[0] % 2, weight.shape[1] % 2
    colour = np.pad(colour, ((0, below), (0, beside), (0, 0)))
    weight = np.pad(weight, ((0, below), (0, beside)))
    height, width = weight.shape[0] // 2, weight.shape[1] // 2
    return (
        colour.reshape(height, 2, width, 2, 3).mean(axis=(1, 3)),
        weight.reshape(height, 2, width, 2).mean(axis=(1, 3)),
    )


def _doubled(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    return image.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
