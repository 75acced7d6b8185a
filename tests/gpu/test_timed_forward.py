"""The challenge's way to take time, the peaks beside it, and the script that uses both on a tiny image."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from pocketsr.bench import read_record
from pocketsr.errors import SettingError
from pocketsr.gpu import TIMED, WARM_UP, DevicePeaks, device_peaks, timed_forward
from sample_graphs import abpn_like_graph

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


class Event:
    """A stamp of a clock that only a forward moves."""

    now = 0.0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at = -1.0

    def record(self) -> None:
        self.at = Event.now

    def elapsed_time(self, other: Event) -> float:
        return other.at - self.at


class FakeCuda:
    Event = Event

    def __init__(self) -> None:
        self.waited = 0

    def synchronize(self) -> None:
        self.waited += 1


def test_fifty_are_not_counted_and_two_hundred_and_forty_four_are_between_events() -> None:
    calls = []

    def forward() -> None:
        calls.append(1)
        Event.now += 100.0 if len(calls) <= WARM_UP else 2.0

    cuda = FakeCuda()
    timing = timed_forward(forward, device=CPU, cuda=cuda)
    assert (len(calls), timing.runs, timing.mean_ms, timing.p90_ms) == (WARM_UP + TIMED, TIMED, 2.0, 2.0)
    assert (WARM_UP, TIMED, cuda.waited) == (50, 244, 2)


def test_a_processor_goes_by_its_clock() -> None:
    ticks = iter(range(100))
    timing = timed_forward(lambda: None, device=CPU, warm_up=0, count=3, clock=lambda: float(next(ticks)))
    assert (timing.mean_ms, timing.runs) == (1000.0, 3)
    with pytest.raises(SettingError, match="at least one forward"):
        timed_forward(lambda: None, device=CPU, count=0)


def test_floors_follow_from_the_peaks() -> None:
    graph = abpn_like_graph(precision="float32", channels=4, depth=1)
    products, moved = DevicePeaks(precision="fp32", gmacs=1.0, bandwidth_gb=1.0).floor_ms(graph, (10, 10))
    half = DevicePeaks(precision="fp16", gmacs=2.0, bandwidth_gb=1.0).floor_ms(graph, (10, 10))
    assert products == pytest.approx(sum(op.weight.size for op in graph.ops if hasattr(op, "weight")) * 100 / 1e6)
    assert half == pytest.approx((products / 2, moved / 2))
    peaks = device_peaks(CPU, "fp32")
    assert min(peaks.gmacs, peaks.bandwidth_gb) > 0.1


def test_the_script_runs_on_a_processor_and_leaves_a_record_that_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("lrsrn_gpu")
    monkeypatch.delitem(sys.modules, "lrsrn_gpu")
    monkeypatch.delitem(sys.modules, "record")
    words = ["--device", "cpu", "--precision", "fp32", "--size", "8x10", "--warm-up", "0", "--runs", "2"]
    script.main([*words, "--form", "channels-last", "--form", "graph", "-o", str(tmp_path / "gpu.json")])
    record = read_record(tmp_path / "gpu.json")
    assert [(one.model.name, one.sizes[0].timing.runs) for one in record.results] == [("lrsrn-x2", 2), ("lrsrn-x3", 2)]
    assert all("score" in one.remarks[0] for one in record.results)
    assert all("NVIDIA device" in record.failed[f"lrsrn-x{scale}, graph"] for scale in (2, 3))
