"""Sums split in front of convolutions: the same image in float, fewer errors in 8 bits, and only where it can be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pocketsr.compress import quantise
from pocketsr.compress.split_sums import split_sums
from pocketsr.graph import Add, Concat, Graph, execute
from pocketsr.lower import trace
from pocketsr.networks import build


def graph_of(name: str) -> Graph:
    torch.manual_seed(0)
    return trace(build(name, {"scale": 2}).folded())


def images(count: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (12, 9, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("name", "split"), [("lrsrn", 1), ("sesr", 1), ("rtsrn", 1), ("abpn", 0), ("srresnet", 2)])
def test_the_float_graph_computes_the_same(name: str, split: int) -> None:
    graph = graph_of(name)
    better = split_sums(graph)
    sums, left = (sum(isinstance(op, Add) for op in one.ops) for one in (graph, better))
    assert sums - left == split == sum(isinstance(op, Concat) for op in better.ops)
    assert (better is graph) == (split == 0)
    image = images(1)[0][None].astype(np.float32)
    np.testing.assert_allclose(execute(better, image), execute(graph, image), atol=255e-5)


def test_a_long_skip_loses_less_in_8_bits() -> None:
    torch.manual_seed(0)
    network = build("lrsrn", {"scale": 2, "rep_conv": "none"})
    with torch.no_grad():  # a long skip of a tenth of what is added to it
        network.head.weight *= 0.1
        network.body[0].weight *= 10
        network.transition.weight *= 30
    exact = execute(trace(network), images(1)[0][None].astype(np.float32))

    def loss(*, splits_sums: bool) -> float:
        graph = quantise(network, images(), splits_sums=splits_sums).graph()
        made = execute(graph, (images(1)[0][None].astype(np.int16) - 128).astype(np.int8))
        return float(np.abs(made.astype(np.float32) + 128 - np.clip(exact, 0, 255)).mean())

    assert loss(splits_sums=True) < 0.8 * loss(splits_sums=False)
