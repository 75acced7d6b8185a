from __future__ import annotations

import dataclasses

import pytest

from bench.records import MEASURED, PEAKS
from pocketsr.bench import roofline
from pocketsr.bench.costs import costs
from pocketsr.bench.roofline import achieved, find_peaks
from pocketsr.graph import Add, Conv2D, Graph, PRelu
from sample_graphs import abpn_like_graph, random_graph


def test_costs_are_those_of_paper_and_pencil() -> None:
    graph = abpn_like_graph(channels=8, depth=1)  # 3→8→27, residual 27→27, copies 3→27, sum, ×3
    found = costs(graph, (10, 20))
    assert [cost.kind for cost in found] == ["Conv2D 3×3"] * 3 + ["Conv2D 1×1", "Add", "DepthToSpace"]
    assert found[0].macs == 200 * 3 * 8 * 9
    assert found[0].moved_bytes == 200 * (3 + 8) + 3 * 8 * 9 + 4 * 8
    assert found[3].macs == 200 * 3 * 27, "copies are computed, whatever they mean"
    assert (found[4].macs, found[4].moved_bytes) == (0, 200 * 3 * 27)
    assert found[5].moved_bytes == 200 * 27 * 2


def test_float_moves_four_bytes_a_value_and_slopes_count() -> None:
    graph = abpn_like_graph(precision="float32")
    total = [sum(cost.moved_bytes for cost in costs(one, (8, 8))) for one in (graph, abpn_like_graph())]
    assert 3.5 < total[0] / total[1] < 5, "a clip comes on top"
    for seed in range(6):
        one = random_graph(precision="float32", seed=seed)
        for op, cost in zip(one.ops, costs(one, (8, 8)), strict=True):
            assert (cost.macs > 0) == isinstance(op, Conv2D)
            if isinstance(op, PRelu):
                assert cost.moved_bytes == 4 * (2 * 64 + 1) * op.output.channels


def test_an_input_that_comes_twice_is_read_once() -> None:
    graph = abpn_like_graph()
    add = next(op for op in graph.ops if isinstance(op, Add))
    twice = dataclasses.replace(add, inputs=(add.inputs[0], add.inputs[0]))
    ops = tuple(twice if op is add else op for op in graph.ops)
    found = {cost.name: cost.moved_bytes for cost in costs(Graph(graph.input, graph.output, ops), (4, 4))}
    assert found[add.output.name] == 16 * 27 * 2


def test_the_floor_is_the_larger_of_work_and_movement() -> None:
    graph, figures = abpn_like_graph(), MEASURED.sizes[0]
    found = achieved(MEASURED, figures, graph, PEAKS)
    assert found.compute_ms == pytest.approx(found.gmacs / PEAKS.int8_gmacs * 1000)
    assert found.memory_ms == pytest.approx(found.moved_mb / PEAKS.bandwidth_gb)
    assert found.floor_ms == max(found.compute_ms, found.memory_ms)
    assert found.share == pytest.approx(found.floor_ms / 20.0)
    float32 = achieved(MEASURED, figures, abpn_like_graph(precision="float32"), PEAKS)
    assert float32.compute_ms == pytest.approx(found.compute_ms * 5), "at the peak of its own arithmetic"


def test_peaks_are_found_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "_COPIED", 1 << 22)
    monkeypatch.setattr(roofline, "_SIDE", 64)
    peaks = find_peaks(1, seconds=0.01)
    assert min(peaks.float32_gmacs, peaks.int8_gmacs, peaks.bandwidth_gb) > 0
    assert "product of 64×64" in peaks.float32_by
    assert "1×1 convolutions" in peaks.int8_by
