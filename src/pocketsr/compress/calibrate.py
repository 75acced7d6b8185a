"""Calibration: the ranges of activations on representative images, for post-training quantisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

import numpy as np

from pocketsr.errors import DataError, SettingError
from pocketsr.graph import Graph
from pocketsr.graph.base import Array
from pocketsr.graph.reference import execute_all

#: How a range is taken from what was seen.
Method = Literal["minmax", "percentile", "mse"]
#: The ``percentile`` method leaves out this share of the largest values of each image.
PERCENTILE = 99.99
#: ``mse`` counts magnitudes in this many bins, and tries this many ranges up to the largest value.
_BINS, _TRIES = 4096, 128


def activation_maxima(graph: Graph, images: Iterable[Array], *, method: Method = "minmax") -> Mapping[str, float]:
    """Return how far the range of every value of a float graph should reach, from running images through it.

    Args:
        graph: A float graph.
        images: uint8 ``(H, W, C)`` each, of any sizes.
        method: ``minmax`` takes the largest magnitude of all; ``percentile`` the largest over images of each image's
            99.99th percentile, which gives up rare peaks for a finer step; ``mse`` the range whose 8-bit rounding and
            clipping together have the least squared error over all values seen: 97 ranges from a quarter of the
            largest value up to it, judged on a histogram of 2048 to 4096 bins within the largest value.

    Raises:
        SettingError: The graph is not float, or the method is unknown.
        DataError: There are no images.

    Source:
        ``percentile`` and ``mse`` as NVIDIA's Model Optimizer has them (``HistogramCalibrator``); AIMET's
        "TF enhanced" scheme searches as ``mse`` does.
    """
    if graph.is_integer or method not in get_args(Method):
        known = ", ".join(repr(name) for name in get_args(Method))
        raise SettingError(f"calibration takes a float graph and a method out of {known}, not {method!r}")
    seen: dict[str, _Seen] = {}
    for image in images:
        for name, array in execute_all(graph, image[None].astype(np.float32)).items():
            seen.setdefault(name, _Seen()).add(array, method)
    if not seen:
        raise DataError("calibration needs at least one representative image")
    return {name: one.reach(method) for name, one in seen.items()}


def with_extremes(images: Iterable[Array]) -> Iterator[Array]:
    """Yield images, and after each what makes its values reach black and white.

    Ranges taken from photographs alone are clipped by the first image of pure white beside black: text, screens, the
    sky. Each image is followed by itself stretched to the full range and by its negative, and the last by a pattern of
    black and white blocks; what networks do at the ends of the range is seen by calibration then.

    Wider ranges are coarser ones: where images to come are photographs, leave it. ABPN x3 loses 0.02 to 0.03 dB on
    Set5 by it, and gains nothing on pages of text, black on white: what is cut off there is the residual that is added
    to the enlarged image, and its range, -128..127, is fixed.

    Args:
        images: uint8 ``(H, W, C)`` each.
    """
    last: Array | None = None
    for image in images:
        yield image
        low, high = int(image.min()), int(image.max())
        stretched = (image.astype(np.float32) - low) * (255 / max(1, high - low))
        yield np.rint(stretched).astype(np.uint8)
        yield np.asarray(255 - image)
        last = image
    if last is not None:
        rows, columns = np.indices(last.shape[:2])
        board: Array = np.where((rows // 4 + columns // 4) % 2, np.uint8(255), np.uint8(0))
        yield board[:, :, np.newaxis].repeat(last.shape[2], axis=2)


class _Seen:
    """What was seen of one value: its peaks, and for ``mse`` how often each magnitude occurred."""

    def __init__(self) -> None:
        self._peak = self._percentile = self._top = 0.0
        self._counts = np.zeros(_BINS)
        self._is_signed = False

    def add(self, array: Array, method: Method) -> None:
        magnitude = np.abs(array)
        peak = float(magnitude.max())
        self._is_signed = self._is_signed or bool(array.min() < 0)
        self._peak = max(self._peak, peak)
        if method == "percentile":
            self._percentile = max(self._percentile, float(np.percentile(magnitude, PERCENTILE)))
        if method == "mse" and peak > 0:
            while self._top < peak:  # double the histogram's reach, pairs of bins becoming one
                if self._top:
                    joined = self._counts.reshape(-1, 2).sum(axis=1)
                    self._counts = np.concatenate([joined, np.zeros(_BINS // 2)])
                self._top = self._top * 2 or peak
            self._counts += np.histogram(magnitude, _BINS, (0, self._top))[0]

    def reach(self, method: Method) -> float:
        if method == "minmax" or self._peak == 0:
            return self._peak
        return self._percentile if method == "percentile" else self._least_error()

    def _least_error(self) -> float:
        levels = 127 if self._is_signed else 255
        middles = (np.arange(_BINS) + 0.5) * self._top / _BINS
        reaches = self._peak * np.arange(_TRIES // 4, _TRIES + 1) / _TRIES
        errors = []
        for reach in reaches:
            step = reach / levels
            inside = middles <= reach
            # Inside, rounding errors are even between −½ and ½ steps; outside, all that is beyond the range is lost.
            lost = (self._counts * ~inside) @ (middles - reach) ** 2
            errors.append(self._counts[inside].sum() * step**2 / 12 + lost)
        return float(reaches[int(np.argmin(errors))])
