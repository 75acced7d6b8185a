"""Calibration: the ranges of activations on representative images, for post-training quantisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from pocketsr.errors import DataError, SettingError
from pocketsr.graph import Graph
from pocketsr.graph.base import Array
from pocketsr.graph.reference import execute_all

#: How a range is taken from what was seen.
Method = Literal["minmax", "percentile"]
#: The ``percentile`` method leaves out this share of the largest values of each image.
PERCENTILE = 99.99


def activation_maxima(graph: Graph, images: Iterable[Array], *, method: Method = "minmax") -> Mapping[str, float]:
    """Return the largest absolute value of every value of a float graph over images.

    Args:
        graph: A float graph.
        images: uint8 ``(H, W, 3)`` each, of any sizes.
        method: ``minmax`` takes the largest value of all; ``percentile`` the largest over images of each image's
            99.99th percentile, which gives up rare peaks for a finer step.

    Raises:
        SettingError: The graph is not float, or the method is unknown.
        DataError: There are no images.
    """
    if graph.is_integer or method not in ("minmax", "percentile"):
        raise SettingError(f"calibration takes a float graph and a method 'minmax' or 'percentile', not {method!r}")
    maxima: dict[str, float] = {}
    for image in images:
        for name, array in execute_all(graph, image[None].astype(np.float32)).items():
            magnitude = np.abs(array)
            peak = magnitude.max() if method == "minmax" else np.percentile(magnitude, PERCENTILE)
            maxima[name] = max(maxima.get(name, 0.0), float(peak))
    if not maxima:
        raise DataError("calibration needs at least one representative image")
    return maxima
