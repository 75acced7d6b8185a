"""Where a model's time goes, operator by operator.

OpenVINO tells it (``runtime``). LiteRT's Python interpreter does not, so the graph is cut after each operator, each cut
is written as a model file with what it needs and no more, and timed (``truncation``). An operator's time is that of its
cut, less the times of all other operators in it:

    a ── b ── d      a      ▌▌ms            b = its cut − a
     └── c ──┘       a b    ▌▌▌▌▌ms         c = its cut − a
                     a c    ▌▌▌ms           d = its cut − a − b − c
                     a b c d ▌▌▌▌▌▌▌ms

Where a runtime computes operators together, one of them looks free or below 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pocketsr.bench.bare import Bare, bare
from pocketsr.bench.costs import costs
from pocketsr.bench.latency import timed
from pocketsr.bench.record import OperatorTime, Profile
from pocketsr.graph import Graph
from pocketsr.graph.base import Size

#: Runs of each cut; the quickest of each counts, because differences of medians are mostly noise.
_RUNS = 8


def profile(
    graph: Graph,
    size: Size,
    *,
    model: str,
    backend: str,
    threads: int,
    runs: int = _RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> Profile:
    """Time every operator of a graph.

    Args:
        graph: What the model computes.
        size: (height, width) of the input.
        model: Its name, for the record.
        backend: ``litert`` or ``openvino``.
        threads: Processor threads.
        runs: Of the model, or of each cut of it.
        clock: Seconds, for tests.

    Raises:
        UnknownNameError: The backend has no form without pixels.
        ModelFileError: The runtime cannot run the graph.
        MissingExtraError: The backend's package is not installed.
    """
    whole = bare(graph, size, backend=backend, threads=threads, profiled=True)
    whole()
    method = "truncation" if whole.operators() is None else "runtime"
    if method == "runtime":
        operators = _told(whole, runs)
    else:
        operators = _by_truncation(graph, size, backend, threads, runs, clock)
    return Profile(
        model=model, backend=backend, method=method, height=size[0], width=size[1], operators=tuple(operators)
    )


def cuts(graph: Graph) -> tuple[Graph, ...]:
    """Return the graph cut after each operator, with what that needs only; not where 16 bits would leave it.

    >>> from pocketsr.graph import Relu, Value
    >>> a, b, c = (Value(name, 3) for name in "abc")
    >>> [len(cut.ops) for cut in cuts(Graph(a, c, (Relu((a,), b), Relu((a,), c))))]
    [1, 1]
    """
    found = []
    for number, op in enumerate(graph.ops, 1):
        if not op.output.is_wide:
            needed, ops = {op.output.name}, []
            for earlier in reversed(graph.ops[:number]):
                if earlier.output.name in needed:
                    ops.append(earlier)
                    needed |= {value.name for value in earlier.inputs}
            found.append(Graph(graph.input, op.output, tuple(reversed(ops))))
    return tuple(found)


def _told(whole: Bare, runs: int) -> list[OperatorTime]:
    """Return the least time of each operator over several runs, as the runtime tells them."""
    best: dict[str, float] = {}
    for _ in range(runs):
        whole()
        for name, milliseconds in (whole.operators() or {}).items():
            best[name] = min(best.get(name, milliseconds), milliseconds)
    rows = []
    for name, milliseconds in best.items():
        made, _, kind = name.rpartition(" (")
        rows.append(OperatorTime(name=made, kind=kind.rstrip(")"), ms=milliseconds, gmacs=0.0))
    return rows


def _by_truncation(
    graph: Graph, size: Size, backend: str, threads: int, runs: int, clock: Callable[[], float]
) -> list[OperatorTime]:
    of_all = {cost.name: cost for cost in costs(graph, size)}
    times: dict[str, float] = {}
    for cut in cuts(graph):  # one after the other: the memory of all cuts together may be more than there is
        run = bare(cut, size, backend=backend, threads=threads)
        run()
        quickest = min(timed(run, runs, clock))
        times[cut.output.name] = quickest - sum(times.get(op.output.name, 0.0) for op in cut.ops[:-1])
    return [
        OperatorTime(name=name, kind=of_all[name].kind, ms=milliseconds, gmacs=of_all[name].macs / 1e9)
        for name, milliseconds in times.items()
    ]
