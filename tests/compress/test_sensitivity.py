"""Sensitivity names the place that hurts, and nothing where nothing is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pocketsr.compress.calibrate import activation_maxima
from pocketsr.compress.sensitivity import sensitivity
from pocketsr.errors import DataError
from pocketsr.graph import Conv2D, Graph, Value


def chain(*kernels: np.ndarray) -> Graph:
    """1×1 convolutions with ReLU in a row, three channels each."""
    values = [Value("image", 3), *(Value(f"layer{index}", 3) for index in range(len(kernels)))]
    ops = tuple(
        Conv2D((values[index],), values[index + 1], kernel.reshape(3, 1, 1, 3).astype(np.float32),
               np.zeros(3, np.float32), None, "relu")
        for index, kernel in enumerate(kernels)
    )  # fmt: skip
    return Graph(values[0], values[-1], ops)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 9, 3), dtype=np.uint8)


def test_the_coarsest_activation_is_the_worst_place() -> None:
    spread = np.diag([1.0, 1.0, 40.0])  # one channel makes the range, two live in its first steps
    graph = chain(spread, np.linalg.inv(spread))
    found = sensitivity(graph, [noise()], activation_maxima(graph, [noise()]))
    assert (found[0].place, found[0].kind) == ("layer0", "activation")
    assert found[0].step == pytest.approx(40, rel=0.05)
    assert [one.psnr_db for one in found] == sorted(one.psnr_db for one in found)
    assert {(one.place, one.kind) for one in found} == {
        (f"layer{index}", kind) for index in range(2) for kind in ("weights", "activation")
    }


def test_what_8_bits_hold_exactly_costs_nothing() -> None:
    graph = chain(np.diag([1.0, 1.0, 1.0]) + 0.0)
    graph = Graph(graph.input, graph.output, graph.ops)
    found = sensitivity(graph, [noise()], activation_maxima(graph, [noise()]))
    assert all(math.isinf(one.psnr_db) and one.shift == 0 for one in found)


def test_images_are_needed() -> None:
    with pytest.raises(DataError, match="at least one image"):
        sensitivity(chain(np.eye(3)), [], {})
