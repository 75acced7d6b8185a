"""``pocketsr bench --nodes`` and ``pocketsr predict``: single operators, and networks as sums of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.bench.predict import DeviceModel
    from pocketsr.bench.record import NodeTime, Prediction
    from pocketsr.graph import Graph

#: Runs of a network beside its prediction: large ones take seconds each.
_RUNS = 5


def timed_nodes(backends: str | None, threads: Sequence[int], runs: int) -> tuple[tuple[NodeTime, ...], dict[str, str]]:
    """Time the operators of ABPN's Table 1 on each backend; return what failed, too."""
    from pocketsr.bench.nodes import abpn_nodes, time_nodes

    found: list[NodeTime] = []
    failed: dict[str, str] = {}
    for backend in _names(backends):
        times, wrong = time_nodes(
            abpn_nodes(), backend=backend, threads=_threads(threads), runs=runs, on_step=lambda word: _step(word)
        )
        found += times
        failed |= {f"{node} on {backend}": reason for node, reason in wrong.items()}
    return tuple(found), failed


def predicted(
    names: Sequence[str], backends: str | None, threads: Sequence[int], size: str, runs: int
) -> tuple[tuple[Prediction, ...], Mapping[str, str]]:
    """Fit this machine to its own operators, then predict networks and time them.

    Args:
        names: Bundled models, ``.tflite`` files, names of networks, or ``all`` for every network of the list.
        backends: The first of these is used.
        threads: The first of these is used.
        size: As ``input_size`` takes it.
        runs: Counted runs of each operator.
    """
    from pocketsr.bench.bare import bare
    from pocketsr.bench.latency import interleaved
    from pocketsr.bench.record import Prediction
    from pocketsr.bench.sizes import input_size

    backend, count = _names(backends)[0], _threads(threads)
    devices: dict[bool, DeviceModel] = {}
    rows, failed = [], {}
    for name, graph, reason in _graphs(names):
        if graph is None:
            failed[name] = reason
            continue
        if graph.is_integer not in devices:
            devices[graph.is_integer] = _fitted(graph.is_integer, backend, count, runs)
        device, height_width = devices[graph.is_integer], input_size(size, graph.scale, 12)
        _step(f"{name} at {height_width[0]}×{height_width[1]}")
        run = bare(graph, height_width, backend=backend, threads=count)
        timing = interleaved({name: run}, runs=min(runs, _RUNS), warm_up=1)[name]
        rows.append(
            Prediction(
                model=name,
                backend=backend,
                precision=graph.precision,
                height=height_width[0],
                width=height_width[1],
                predicted_ms=device.predict(graph, height_width),
                measured_ms=timing.min_ms,
                fit_error=device.error,
            )
        )
    return tuple(rows), failed


def predicted_elsewhere(
    names: Sequence[str], device: str, size: str
) -> tuple[tuple[Prediction, ...], Mapping[str, str]]:
    """Predict networks on a device that is known by a table; arguments as ``predicted``.

    Raises:
        UnknownNameError: There is no such device or network.
    """
    from pocketsr.bench.devices import find_device
    from pocketsr.bench.record import Prediction
    from pocketsr.bench.sizes import input_size

    known = find_device(device)
    rows, failed = [], {}
    for name, graph, reason in _graphs(names):
        if graph is None:
            failed[name] = reason
            continue
        height_width = input_size(size, graph.scale, 12)
        is_printed = (graph.scale, height_width) == (3, (360, 640))
        rows.append(
            Prediction(
                model=name,
                backend=known.name,
                precision=graph.precision,
                height=height_width[0],
                width=height_width[1],
                predicted_ms=known.predict(graph, height_width),
                measured_ms=known.printed.get(name) if is_printed else None,
                fit_error=known.error,
            )
        )
    return tuple(rows), failed


def _fitted(integer: bool, backend: str, threads: int, runs: int) -> DeviceModel:
    from pocketsr.bench.nodes import time_nodes
    from pocketsr.bench.predict import calibration_nodes, fit

    nodes = calibration_nodes(integer=integer)
    times, _ = time_nodes(nodes, backend=backend, threads=threads, runs=runs, on_step=lambda word: _step(word))
    by_name = {one.node: one.timing.min_ms for one in times}  # the quickest: a fit is thrown off by disturbed ones
    kept = [node for node in nodes if node.name in by_name]
    return fit(kept, [by_name[node.name] for node in kept])


def _graphs(names: Sequence[str]) -> Iterator[tuple[str, Graph | None, str]]:
    """Yield (name, graph, "") or (name, None, why there is none)."""
    from pocketsr.errors import PocketsrError
    from pocketsr.graph.tflite import read_model
    from pocketsr.runtime import model_path
    from pocketsr.weights import entries

    bundled = [entry.name for entry in entries()]
    for name in names:
        if name in bundled or name.endswith(".tflite") or Path(name).name != name:
            yield name, read_model(model_path(name))[0], ""
            continue
        from pocketsr.cli.torch import import_torch

        import_torch()
        from pocketsr.errors import UnknownNameError
        from pocketsr.lower import trace
        from pocketsr.networks import NETWORKS, build

        chosen = list(NETWORKS) if name == "all" else [name]
        for one in chosen:
            entry = NETWORKS.get(one)
            if entry is None:
                raise UnknownNameError.among("network or model", one, [*NETWORKS, *bundled])
            scale = 3 if 3 in entry.scales else entry.scales[-1]
            try:
                yield one, None if entry.not_float32 else trace(build(one, {"scale": scale})), entry.not_float32
            except PocketsrError as error:
                yield one, None, str(error)


def _names(backends: str | None) -> list[str]:
    names = [name.strip() for name in (backends or "litert").split(",") if name.strip()]
    return ["litert", "openvino"] if names == ["all"] else names


def _threads(threads: Sequence[int]) -> int:
    from pocketsr.runtime.backend import usable_cores

    return threads[0] if threads else usable_cores()


def _step(word: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"{word} ...", err=True)
