"""Sensitivity names the place that hurts, and nothing where nothing is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pocketsr.compress.calibrate import activation_maxima
from pocketsr.compress.integer import IntegerNetwork
from pocketsr.compress.sensitivity import Report, sensitivity
from pocketsr.errors import DataError
from pocketsr.graph import Concat, Conv2D, DepthToSpace, Graph, Value, execute


def layer(source: Value, name: str, kernel: np.ndarray) -> Conv2D:
    """1×1 convolution with ReLU."""
    outputs, inputs = kernel.shape
    weight = kernel.reshape(outputs, 1, 1, inputs).astype(np.float32)
    return Conv2D((source,), Value(name, outputs), weight, np.zeros(outputs, np.float32), None, "relu")


def chain(*kernels: np.ndarray) -> Graph:
    source = value = Value("image", 3)
    ops = []
    for index, kernel in enumerate(kernels):
        ops.append(layer(value, f"layer{index}", kernel))
        value = ops[-1].output
    return Graph(source, value, tuple(ops))


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 9, 3), dtype=np.uint8)


def found(graph: Graph) -> Report:
    return sensitivity(graph, [noise()], activation_maxima(graph, [noise()]))


def test_the_coarsest_activation_is_the_worst_place_and_the_one_to_keep_wide() -> None:
    spread = np.diag([1.0, 1.0, 40.0])  # one channel makes the range, two live in its first steps
    report = found(chain(spread, np.linalg.inv(spread)))
    worst = report.places[0]
    assert worst == report.keep_wide
    assert (worst.place, worst.kind) == ("layer0", "activation")
    assert worst.step == pytest.approx(40, rel=0.05)
    assert worst.without_db > report.all_db + 10
    assert [one.psnr_db for one in report.places] == sorted(one.psnr_db for one in report.places)
    assert {(one.place, one.kind) for one in report.places} == {
        (f"layer{index}", kind) for index in range(2) for kind in ("weights", "activation")
    }


def test_what_8_bits_hold_exactly_costs_nothing() -> None:
    report = found(chain(np.eye(3) * 127 / 128))  # steps of 1/128
    assert [one.place for one in report.places] == ["layer0"] * 2
    weights = next(one for one in report.places if one.kind == "weights")
    assert math.isinf(weights.psnr_db)
    assert weights.shift == 0
    assert weights.without_db == report.all_db


def test_everything_rounded_is_near_what_the_integer_network_computes() -> None:
    random = np.random.default_rng(1)
    graph = chain(random.uniform(0, 0.3, (8, 3)), random.normal(0, 0.3, (8, 8)), random.uniform(0, 0.3, (3, 8)))
    maxima = activation_maxima(graph, [noise()])
    integer = IntegerNetwork(graph, maxima).graph()
    made = execute(integer, (noise()[None].astype(int) - 128).astype(np.int8)).astype(np.float32) + 128
    exact = np.clip(execute(graph, noise()[None].astype(np.float32)), 0, 255)
    psnr_db = 10 * np.log10(255**2 / ((made - exact) ** 2).mean())
    assert found(graph).all_db == pytest.approx(psnr_db, abs=0.5)


def test_operators_that_hand_bytes_on_are_no_places() -> None:
    image = Value("image", 3)
    one, two = layer(image, "one", np.full((3, 3), 0.3)), layer(image, "two", np.full((9, 3), 0.2))
    joined = Concat((one.output, two.output), Value("joined", 12))
    last = DepthToSpace((joined.output,), Value("large", 3), 2)
    last_layer = layer(last.output, "last", np.eye(3) * 0.5)
    graph = Graph(image, last_layer.output, (one, two, joined, last, last_layer))
    assert {place.place for place in found(graph).places} == {"one", "two", "last"}


def test_images_are_needed() -> None:
    with pytest.raises(DataError, match="at least one image"):
        sensitivity(chain(np.eye(3)), [], {})
