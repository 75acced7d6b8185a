from __future__ import annotations

import sys

import numpy as np
import pytest

from pocketsr.bench import profile as module
from pocketsr.bench.bare import bare
from pocketsr.bench.profile import cuts, profile
from pocketsr.errors import MissingExtraError, UnknownNameError
from pocketsr.graph import Graph, execute
from sample_graphs import abpn_like_graph, attention_graph, random_graph, random_image


@pytest.mark.parametrize("graph", [abpn_like_graph(), attention_graph(), random_graph(precision="int8", seed=1)])
def test_a_cut_computes_what_the_graph_does_up_to_there(graph: Graph) -> None:
    found = cuts(graph)
    assert [cut.output.name for cut in found] == [op.output.name for op in graph.ops]
    image = random_image(graph, 8, 8)
    assert np.array_equal(execute(found[-1], image), execute(graph, image))
    assert all(len(cut.ops) <= number for number, cut in enumerate(found, 1))


def test_by_truncation_times_add_up_and_branches_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = abpn_like_graph(depth=1)
    now = [0.0]

    class Fake:
        """Takes a millisecond for each operator of its graph."""

        def __init__(self, cut: Graph) -> None:
            self._cut = cut

        def __call__(self) -> None:
            now[0] += 1e-3 * len(self._cut.ops)

        def operators(self) -> None:
            return None

    monkeypatch.setattr(module, "bare", lambda cut, *_, **__: Fake(cut))
    found = profile(graph, (8, 8), model="m", backend="litert", threads=1, clock=lambda: now[0])
    assert found.method == "truncation"
    assert [one.name for one in found.operators] == [op.output.name for op in graph.ops]
    assert [one.ms for one in found.operators] == pytest.approx([1.0] * len(graph.ops))
    assert found.operators[0].gmacs == pytest.approx(64 * 3 * 8 * 9 / 1e9)


def test_litert_is_cut_and_openvino_tells() -> None:
    graph = abpn_like_graph(channels=4, depth=1)
    found = profile(graph, (8, 8), model="m", backend="litert", threads=1, runs=1)
    assert (found.method, len(found.operators)) == ("truncation", len(graph.ops))
    pytest.importorskip("openvino")
    told = profile(graph, (8, 8), model="m", backend="openvino", threads=1, runs=1)
    assert told.method == "runtime"
    assert any("Convolution" in one.kind for one in told.operators)


def test_other_backends_and_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="known: litert, openvino"):
        bare(abpn_like_graph(), (8, 8), backend="cuda", threads=1)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pocketsr\[openvino\]"):
        bare(abpn_like_graph(), (8, 8), backend="openvino", threads=1)
