"""TensorFlow Lite's fixed-point multiplication, by which values of 16 bits are rescaled.

XNNPACK takes no 16-bit values; TensorFlow Lite's own kernels do, and multiply by whole numbers instead of float32:
a factor is ``multiplier`` · 2^(shift − 31), with 31 bits for sums of 32 bits and 15 for those of 64.
"""

from __future__ import annotations

import numpy as np

from pocketsr.graph.base import Array


def fixed_point(factors: Array) -> tuple[Array, Array]:
    """Return 31-bit multipliers and shifts of positive factors (``QuantizeMultiplier``).

    >>> [int(part) for part in fixed_point(np.array(0.25))]
    [1073741824, -1]
    """
    fractions, shifts = np.frexp(np.asarray(factors, np.float64))
    # C++'s round, halves away from zero; fractions are positive.
    multipliers = np.floor(fractions * (1 << 31) + 0.5).astype(np.int64)
    is_one = multipliers == 1 << 31
    return np.where(is_one, multipliers >> 1, multipliers), shifts.astype(np.int64) + is_one


def reduced(factors: Array) -> tuple[Array, Array]:
    """Return the 15-bit multipliers and right shifts by which sums of 64 bits are rescaled."""
    multipliers, shifts = fixed_point(factors)
    short = np.where(multipliers < 0x7FFF0000, (multipliers + (1 << 15)) >> 16, 0x7FFF)
    return short, 15 - shifts


def rescaled(x: Array, factor: float) -> Array:
    """Multiply whole numbers of 32 bits by a factor, rounded twice (``MultiplyByQuantizedMultiplier``).

    >>> rescaled(np.array([-64, 63, 64, 65, 192]), 1 / 128).tolist()
    [-1, 1, 1, 1, 2]
    """
    multiplier, shift = (int(part) for part in fixed_point(np.array(factor)))
    # Halves up, then, where the shift goes right, halves away from zero.
    product = (x.astype(np.int64) << max(shift, 0)) * multiplier
    high = (product + (1 << 30)) >> 31
    right = max(-shift, 0)
    return np.asarray(np.sign(high) * ((np.abs(high) + ((1 << right) >> 1)) >> right))
