"""NIQE: how far the statistics of an image are from those of good photographs. It needs no ground truth.

    luma ─┬─ (x − local mean) / (local deviation + 1) ── blocks of 96×96 ── 18 figures each ─┐
          └─ halved by bicubic ── the same ────────────── blocks of 48×48 ── 18 figures each ─┴─ mean, covariance
                                                                                                       │
    pristine photographs ─────────────────────────────────────────────────────── mean, covariance ── distance

Numpy; float64 inside. Knows nothing of files: models come from ``niqe_model``.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.evaluate.windows import filter_inside, gaussian
from pocketsr.image import resize_bicubic, rgb_to_y

_Float: TypeAlias = npt.NDArray[np.float64]

#: Pixels of a block's side, at full size.
BLOCK = 96
#: Figures of a block: 18 at each of two sizes.
FIGURES = 36

_RADIUS, _SIGMA = 3, 7 / 6

#: A difference from the local mean below the first is rounding, and counts as the second: just above zero.
_FLAT, _JUST_ABOVE = 1e-9, 1e-12

_DECIMALS = 6

#: The four neighbours whose products are looked at: right, below, and both diagonals.
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))


@dataclasses.dataclass(frozen=True)
class NiqeModel:
    """Statistics of good photographs.

    Attributes:
        mean: float64 ``(36,)``.
        covariance: float64 ``(36, 36)``.
        source: Where it comes from, in words.
    """

    mean: _Float
    covariance: _Float
    source: str = ""


def niqe(image: npt.NDArray[Any], model: NiqeModel) -> float:
    """Return the distance of an image from good photographs; lower is better, photographs have about 2 to 5.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, which is judged by its studio-range Y rounded to whole levels, as MATLAB's
            ``rgb2ycbcr`` and the PIRM 2018 toolbox do; or ``(H, W)`` of any type in 0..255, judged as it is. At least
            two blocks of 96×96 must fit; what is left over at the right and bottom is not looked at. Borders that
            should not count (PIRM: 4 pixels at each side) are the caller's to cut off.
        model: Of pristine photographs.

    Returns:
        0 or more, rounded to six decimals: the inverse differs by 1e-13 or so between machines.

    Raises:
        SettingError: The image is smaller than two blocks or of another shape, or no two blocks have statistics (all
            of it is flat).

    Source:
        Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer" (2013), and the steps of
        its authors' MATLAB release: bicubic halving with antialiasing in floating point, repeated borders for the local
        mean, blocks without overlap, figures that are no number left out of the covariance, pooled covariance inverted
        by ``pinv``. One thing is decided that they leave to rounding: the fits count signs, and where an image is
        flat the sign of x − mean is that of the last bit, which depends on the order of additions. Here flat pixels
        are just above zero on every machine. Agreement is stated in ``docs/reference/metrics.md``.

    >>> photograph = np.random.default_rng(0).integers(0, 256, (192, 192)).astype(np.float64)
    >>> same = NiqeModel(*statistics(figures(photograph)))
    >>> niqe(photograph, same)
    0.0
    """
    mean, covariance = statistics(figures(luma(image)))
    if not np.isfinite(covariance).all():
        raise SettingError(
            "NIQE needs at least two blocks of 96×96 pixels with some texture; this image is flat nearly everywhere"
        )
    pooled = (model.covariance + covariance) / 2
    # MATLAB's pinv drops singular values below this; numpy's own bound is lower.
    largest = np.linalg.norm(pooled, 2)
    inverse = np.linalg.pinv(pooled, rcond=float(len(pooled) * np.spacing(largest) / largest))
    difference = model.mean - mean
    return round(math.sqrt(max(float(difference @ inverse @ difference), 0.0)), _DECIMALS)


def luma(image: npt.NDArray[Any]) -> _Float:
    """Return what NIQE looks at: of colour the studio-range Y in whole levels, of one channel the image as it is.

    Raises:
        SettingError: The image is neither uint8 ``(H, W, 3)`` nor ``(H, W)``.

    >>> luma(np.zeros((1, 2, 3), np.uint8)).tolist()
    [[16.0, 16.0]]
    """
    if image.ndim == 2:
        return image.astype(np.float64)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise SettingError(f"NIQE needs uint8 (H, W, 3) or one channel (H, W), not {image.dtype} {image.shape}")
    return rgb_to_y(image)


def figures(x: _Float) -> _Float:
    """Return the 36 figures of every block.

    Args:
        x: float64 ``(H, W)`` in 0..255.

    Returns:
        float64 ``(blocks, 36)``; NaN where a block is flat.

    Raises:
        SettingError: Fewer than two blocks fit.
    """
    rows, columns = x.shape[0] // BLOCK, x.shape[1] // BLOCK
    if rows * columns < 2:
        raise SettingError(f"NIQE needs at least two blocks of {BLOCK}×{BLOCK} pixels, not an image of {x.shape}")
    x = x[: rows * BLOCK, : columns * BLOCK]
    full = _figures_of_blocks(normalised(x)[0], BLOCK)
    half = resize_bicubic(x, x.shape[0] // 2, x.shape[1] // 2)
    return np.concatenate([full, _figures_of_blocks(normalised(half)[0], BLOCK // 2)], axis=1)


def statistics(rows: _Float) -> tuple[_Float, _Float]:
    """Return the mean and covariance of figures, leaving out what is no number as MATLAB's nanmean and nancov do.

    Args:
        rows: float64 ``(blocks, 36)``.

    Returns:
        float64 ``(36,)``, each over the rows where that figure is a number; and float64 ``(36, 36)`` over the rows
        where all are, NaN if those are fewer than two.

    >>> statistics(np.array([[1.0, 2.0], [3.0, np.nan]]))[0].tolist()
    [2.0, 2.0]
    """
    is_number = np.isfinite(rows)
    count = is_number.sum(axis=0)
    total = np.where(is_number, rows, 0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    whole = rows[is_number.all(axis=1)]
    if len(whole) < 2:
        return mean, np.full((rows.shape[1], rows.shape[1]), np.nan)
    return mean, np.cov(whole, rowvar=False)


def normalised(x: _Float) -> tuple[_Float, _Float]:
    """Return an image with local mean and contrast taken out, and the local deviation; both of the image's shape."""
    window = gaussian(_RADIUS, _SIGMA)
    wide = np.pad(x, _RADIUS, mode="edge")
    mean = filter_inside(wide, window)
    deviation = np.sqrt(np.abs(filter_inside(wide * wide, window) - mean * mean))
    difference = x - mean
    return np.where(np.abs(difference) < _FLAT, _JUST_ABOVE, difference) / (deviation + 1), deviation


def _figures_of_blocks(x: _Float, side: int) -> _Float:
    blocks = x.reshape(x.shape[0] // side, side, x.shape[1] // side, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.array([_figures_of(block) for block in blocks])


def _figures_of(block: _Float) -> list[float]:
    """Return the shape and width of the values' distribution, and the same with lean of four products of neighbours."""
    shape, left, right = fit_asymmetric_gaussian(block)
    result = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = fit_asymmetric_gaussian(block * np.roll(block, shift, axis=(0, 1)))
        result += [shape, (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape), left, right]
    return result


def fit_asymmetric_gaussian(values: _Float) -> tuple[float, float, float]:
    """Fit an asymmetric generalised Gaussian by its moments.

    Args:
        values: Any shape.

    Returns:
        Shape (0.2..10 in steps of 0.001; 2 is a Gaussian), and the widths left and right of zero; a width is NaN where
        no value lies on its side.

    Source:
        Lasmar, Stitou and Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis" (2009), as NIQE's
        equations 5 to 8 use it.
    """
    below, above = values[values < 0], values[values > 0]
    if below.size == 0 or above.size == 0:
        # MATLAB's means of nothing are NaN, and its minimum of NaNs is the first of the table.
        return 0.2, math.nan, math.nan
    left, right = (math.sqrt(float(np.mean(side * side))) for side in (below, above))
    ratio = left / right
    moment = float(np.mean(np.abs(values))) ** 2 / float(np.mean(values * values))
    wanted = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, moments = _shape_table()
    shape = float(shapes[np.argmin(np.square(moments - wanted))])
    width = math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))
    return shape, left * width, right * width


@functools.cache
def _shape_table() -> tuple[_Float, _Float]:
    """Return shapes, and what Γ(2/s)² / (Γ(1/s)·Γ(3/s)) is for each."""
    shapes: _Float = 0.2 + 0.001 * np.arange(9801, dtype=np.float64)
    gamma: Callable[[_Float], _Float] = np.vectorize(math.gamma, otypes=[np.float64])
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
