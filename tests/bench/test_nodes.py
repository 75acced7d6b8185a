from __future__ import annotations

import numpy as np
import pytest

from pocketsr.bench import nodes as module
from pocketsr.bench.bare import Bare
from pocketsr.bench.nodes import ABPN_TABLE_1, LARGE, abpn_nodes, time_nodes
from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.graph import Graph, execute

NODES = abpn_nodes((12, 15), (4, 5))


def test_the_table_has_the_paper_s_operators_but_one() -> None:
    names = [node.name for node in NODES]
    assert set(ABPN_TABLE_1) - set(names) == {"global max pool"}
    assert set(names) - set(ABPN_TABLE_1) == {"depth to space ×3"}
    for node in abpn_nodes():
        size = node.graph.output_size(*node.size)
        assert size == (LARGE if node.name != "global average pool" else (1, 1)), node.name
        assert node.graph.is_integer == (node.name != "global average pool"), node.name


@pytest.mark.parametrize("node", [node for node in NODES if node.name in ("nearest ×3", "bilinear ×3")])
def test_enlarging_keeps_a_flat_image_and_its_order(node: module.Node) -> None:
    flat = np.full((1, 4, 5, 3), 40, np.int8)
    assert np.abs(execute(node.graph, flat).astype(int) - 40).max() <= 2, "thirds in 127ths do not add up to 1"
    ramp = np.broadcast_to(np.arange(5, dtype=np.int8)[None, None, :, None] * 20, (1, 4, 5, 3))
    made = execute(node.graph, np.ascontiguousarray(ramp)).astype(int)
    assert made.shape == (1, 12, 15, 3)
    assert (np.diff(made[0, 5, 3:-3, 0]) >= -1).all()


@pytest.mark.parametrize("backend", ["litert", "openvino"])
def test_every_operator_runs(backend: str) -> None:
    pytest.importorskip({"litert": "ai_edge_litert"}.get(backend, backend))
    found, failed = time_nodes(NODES, backend=backend, threads=1, runs=1)
    assert failed == {}
    assert [one.node for one in found] == [node.name for node in NODES]
    conv = next(one for one in found if one.node == "conv 3×3")
    assert conv.gmacs == pytest.approx(12 * 15 * 81 / 1e9)


def test_an_operator_that_a_backend_lacks_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(graph: Graph, *given: object, **named: object) -> Bare:
        del given, named
        if graph is NODES[1].graph:
            raise ModelFileError("no concat\nhere")
        return lambda: None  # type: ignore[return-value]

    monkeypatch.setattr(module, "bare", missing)
    steps: list[str] = []
    found, failed = time_nodes(NODES[:3], backend="litert", threads=1, runs=2, on_step=steps.append)
    assert ([one.node for one in found], failed) == (["split", "add"], {"concat": "no concat"})
    assert steps == ["split", "concat", "add"]


def test_a_backend_without_such_a_form_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="known: litert, openvino"):
        time_nodes(NODES, backend="reference", threads=1, runs=1)
