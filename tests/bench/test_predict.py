from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.bench import Idleness, Timing
from pocketsr.bench.predict import KINDS, _least_squares, calibration_nodes, features, fit
from pocketsr.bench.record import NodeTime
from pocketsr.cli import main
from pocketsr.errors import DataError
from sample_graphs import abpn_like_graph, random_graph

RATES = np.array([12.0, 20.0, 90.0, 40.0, 0.05, 0.01])


@pytest.mark.parametrize("integer", [True, False])
def test_a_device_that_is_additive_is_found_and_its_networks_predicted(integer: bool) -> None:
    nodes = calibration_nodes(integer=integer)
    device = fit(nodes, [float(features(node.graph, node.size) @ RATES) for node in nodes])
    assert [device.ms[kind] for kind in KINDS] == pytest.approx(RATES.tolist(), rel=1e-6)
    assert device.error < 1e-9
    for graph in (abpn_like_graph(precision="int8" if integer else "float32"), random_graph(precision="int8", seed=2)):
        assert device.predict(graph, (32, 40)) == pytest.approx(float(features(graph, (32, 40)) @ RATES), rel=1e-6)


def test_every_kind_of_work_is_in_the_calibration() -> None:
    total = sum(features(node.graph, node.size) for node in calibration_nodes(integer=True))
    assert (np.asarray(total) > 0).all()


def test_a_noisy_device_keeps_rates_that_are_not_negative() -> None:
    nodes = calibration_nodes(integer=True)
    noise = np.random.default_rng(0).uniform(0.7, 1.5, len(nodes))
    times = [float(features(node.graph, node.size) @ RATES * part) for node, part in zip(nodes, noise, strict=True)]
    device = fit(nodes, times)
    assert min(device.ms.values()) >= 0
    assert 0.02 < device.error < 0.4


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_least_squares_is_never_below_zero_and_no_worse_than_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, goal = random.normal(size=(12, 4)), random.normal(size=12)
    found = _least_squares(rows, goal)
    assert (found >= 0).all()
    assert np.linalg.norm(rows @ found - goal) <= np.linalg.norm(goal) + 1e-9


def test_too_few_timings_are_refused() -> None:
    nodes = calibration_nodes(integer=True)
    for kept, times in ((nodes[:3], [1.0] * 3), (nodes, [0.0] * len(nodes)), (nodes, [1.0] * 7)):
        with pytest.raises(DataError, match="6 or more timings"):
            fit(kept, times)


def test_the_command_predicts_models_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(nodes: tuple, **_: object) -> tuple[tuple[NodeTime, ...], dict[str, str]]:  # type: ignore[type-arg]
        rows = []
        for node in nodes:
            timing = Timing.of([float(features(node.graph, node.size) @ RATES)])
            rows.append(
                NodeTime(node=node.name, backend="litert", precision="int8", timing=timing, gmacs=0.0, moved_mb=0.0)
            )
        return tuple(rows), {}

    monkeypatch.setattr("pocketsr.bench.watch", lambda: Idleness(busy=0.0, load=0.0))
    monkeypatch.setattr("pocketsr.bench.nodes.time_nodes", timed)
    words = ["predict", "abpn-x3", "espcn", "f2srgan", "--size", "12x24", "-t", "1"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    for words_ in (
        "networks as sums of operators",
        "espcn",
        "not measured: f2srgan: model files have no Fourier",
    ):
        assert words_ in done.stdout
    done = CliRunner().invoke(main, ["bench", "--nodes", "--runs", "1", "-t", "1"])
    assert (done.exit_code, "57.6" in done.stdout) == (0, True)  # what the paper prints beside ours
    done = CliRunner().invoke(main, ["predict", "espnc", "-t", "1"])
    assert (done.exit_code, "did you mean 'espcn'" in done.stderr) == (2, True)
    done = CliRunner().invoke(main, ["bench", "abpn-x3", "--nodes"])
    assert (done.exit_code, "goes without a MODEL" in done.stderr) == (2, True)
