"""Planes enlarged by a whole factor with bicubic: what 8 bits could not say.

A whole factor has as many phases as its size, each with four taps that are the same everywhere: a plane is enlarged in
4 × scale products a direction. Knows nothing of video.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

#: Keys' cubic with this slope, as in ``pocketsr.image.resize``.
_SLOPE = -0.5


def enlarge_plane(plane: npt.NDArray[np.generic], scale: int) -> npt.NDArray[np.float32]:
    """Enlarge a plane by bicubic; beyond its sides lie its last samples.

    Args:
        plane: ``(H, W)`` or ``(H, W, C)``, any real dtype.
        scale: Whole factor.

    Returns:
        float32 ``(sH, sW)`` or ``(sH, sW, C)``, neither rounded nor clipped.

    >>> enlarge_plane(np.full((2, 3), 7, np.uint8), 2).tolist()[0]
    [7.0, 7.0, 7.0, 7.0, 7.0, 7.0]
    """
    result = plane.astype(np.float32)
    if scale > 1:
        for axis in (0, 1):
            result = _enlarge_axis(result, axis, scale)
    return result


def _enlarge_axis(plane: npt.NDArray[np.float32], axis: int, scale: int) -> npt.NDArray[np.float32]:
    length = plane.shape[axis]
    padding = [(0, 0)] * plane.ndim
    padding[axis] = (3, 3)
    padded = np.pad(plane, padding, mode="edge")
    shape = list(plane.shape)
    shape[axis] = length * scale
    result = np.empty(shape, np.float32)
    for phase, (first, taps) in enumerate(_phases(scale)):
        parts = [slice(None)] * plane.ndim
        parts[axis] = slice(phase, None, scale)
        total = np.zeros_like(plane)
        for index, weight in enumerate(taps):
            start = 3 + first + index
            total += weight * padded[(slice(None),) * axis + (slice(start, start + length),)]
        result[tuple(parts)] = total
    return result


@functools.cache
def _phases(scale: int) -> tuple[tuple[int, tuple[np.float32, ...]], ...]:
    """Return for each phase where its first tap lies, relative to the input sample, and its four weights."""
    phases = []
    for phase in range(scale):
        place = (phase + 0.5) / scale - 0.5
        first = int(np.floor(place)) - 1
        weights = [_keys(abs(place - (first + index))) for index in range(4)]
        phases.append((first, tuple(np.float32(weight / sum(weights)) for weight in weights)))
    return tuple(phases)


def _keys(x: float) -> float:
    a = _SLOPE
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0
