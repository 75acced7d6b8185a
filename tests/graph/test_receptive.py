"""The receptive field, compared with what perturbing single input pixels changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.errors import ModelFileError
from pocketsr.graph import Conv2D, DepthToSpace, Graph, Op, Value, execute, receptive_field
from sample_graphs import abpn_like_graph, random_chain, random_graph


def measured_reach(graph: Graph, size: int) -> int:
    """Change one input pixel at a time; return how far from it, in input pixels, an output pixel changed."""
    scale = graph.output_size(1, 1)[0]
    base = np.zeros((1, size, size, graph.input.channels), np.float32)
    before = execute(graph, base)
    reach = 0
    middle = size // 2
    for row, column in ((middle, middle), (middle, middle - 1)):
        changed = base.copy()
        changed[0, row, column] += 1
        rows, columns = np.nonzero(np.any(execute(graph, changed) != before, axis=3)[0])
        reach = max(reach, np.abs(rows // scale - row).max(), np.abs(columns // scale - column).max())
    return int(reach)


def positive_convolutions(steps: list[tuple[int, int]]) -> Graph:
    """Return a graph whose every weight is above zero, so that no influence cancels: (kernel, enlargement) steps."""
    image = value = Value("image", 1)
    ops: list[Op] = []
    for index, (kernel, block) in enumerate(steps):
        made = Value(f"conv{index}", block**2)
        weight = np.ones((block**2, kernel, kernel, value.channels), np.float32)
        ops.append(Conv2D((value,), made, weight, np.zeros(block**2, np.float32)))
        value = made
        if block > 1:
            value = Value(f"enlarged{index}", 1)
            ops.append(DepthToSpace((made,), value, block))
    return Graph(image, value, tuple(ops))


def test_seven_convolutions_in_a_row_reach_seven_pixels() -> None:
    assert receptive_field(abpn_like_graph(depth=5, precision="float32")) == 7


def test_a_graph_without_convolutions_looks_at_its_own_pixel_only() -> None:
    image, output = Value("image", 12), Value("upscaled", 3)
    assert receptive_field(Graph(image, output, (DepthToSpace((image,), output, 2),))) == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(3, 2)], 1),  # before the pixels are enlarged: a whole pixel
        ([(3, 2), (3, 1)], 2),  # after: half a pixel more, rounded up
        ([(3, 2), (3, 1), (3, 1)], 2),  # two halves make one
        ([(3, 2), (3, 1), (3, 1), (3, 1)], 3),
        ([(1, 3), (3, 1), (3, 1), (3, 1)], 1),  # three thirds
        ([(1, 2), (3, 2), (3, 1), (3, 1)], 1),  # a half and two quarters
        ([(1, 2), (3, 2), (3, 1), (3, 1), (3, 1)], 2),
        ([(9, 2), (5, 1)], 5),
    ],
)
def test_convolutions_on_enlarged_pixels_count_in_fractions(steps: list[tuple[int, int]], expected: int) -> None:
    graph = positive_convolutions(steps)
    assert receptive_field(graph) == expected
    assert measured_reach(graph, 2 * expected + 3) == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 1, 2, 3])), min_size=1, max_size=4))
def test_the_receptive_field_is_what_perturbation_measures(steps: list[tuple[int, int]]) -> None:
    graph = positive_convolutions(steps)
    expected = receptive_field(graph)
    assert measured_reach(graph, 2 * expected + 3) == expected


@pytest.mark.parametrize("anchor", ["conv", "concat"])
def test_the_anchor_does_not_narrow_the_receptive_field(anchor: str) -> None:
    assert receptive_field(abpn_like_graph(depth=1, precision="float32", anchor=anchor)) == 3


def test_a_kernel_counts_by_its_longer_side() -> None:
    image, output = Value("image", 1), Value("output", 1)
    weight = np.ones((1, 1, 7, 1), np.float32)
    graph = Graph(image, output, (Conv2D((image,), output, weight, np.zeros(1, np.float32)),))
    assert receptive_field(graph) == 3
    assert measured_reach(graph, 9) == 3


def test_precision_does_not_change_the_receptive_field() -> None:
    chains = [
        random_chain(widths=[4, 4], relus=[True, False], kernels=[3, 5], precision=precision, seed=1)
        for precision in ("int8", "float32")
    ]
    assert [receptive_field(chain) for chain in chains] == [3, 3]


def test_an_operator_of_unknown_reach_is_refused() -> None:
    image, output = Value("image", 3), Value("output", 3)
    with pytest.raises(ModelFileError, match="it is not known how far Op looks around itself"):
        receptive_field(Graph(image, output, (Op((image,), output),)))


@pytest.mark.parametrize("seed", range(12))
def test_no_random_graph_looks_further_than_its_receptive_field(seed: int) -> None:
    graph = random_graph(precision="float32", seed=seed)
    expected = receptive_field(graph)
    assert measured_reach(graph, 2 * expected + 5) <= expected
