"""The roofline: what this machine could do at best, and how near a model comes.

    time  >=  floor  =  max( multiply-accumulates / peak ,  bytes moved / bandwidth )

Peaks are those of library kernels on this machine, each measured in a process of its own with the threads in question:
numpy's matrix product for float32; for int8 a chain of wide 1×1 convolutions, which are matrix products, by whichever
of OpenVINO and LiteRT is quicker; a large copy for memory. They are no data-sheet figures, so a share above 1 is
possible: where a runtime joins operators, fewer bytes move than were counted.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from pocketsr.bench.bare import bare
from pocketsr.bench.costs import costs
from pocketsr.bench.record import Achieved, Measured, Peaks, SizeFigures
from pocketsr.errors import MissingExtraError, ModelFileError, PocketsrError
from pocketsr.graph import Conv2D, Graph, Op, Quantisation, Value

#: Side of the matrices of float32, width and pixels of the convolutions of int8, and how many of those.
_SIDE, _WIDTH, _PIXELS, _DEPTH = 1024, 256, (64, 64), 4
#: Bytes copied: more than processors' caches hold.
_COPIED = 1 << 27
#: Seconds that each peak is looked for; the best of all tries counts.
_SECONDS = 1.0
#: Variables by which the libraries behind numpy take their threads; read when they are loaded, hence the process.
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def peaks_of_machine(threads: int) -> Peaks:
    """Measure the machine's peaks in a fresh process; takes about five seconds.

    Args:
        threads: Processor threads.

    Raises:
        PocketsrError: That process failed.
    """
    places = os.pathsep.join(place for place in sys.path if place)
    environment = {**os.environ, "PYTHONPATH": places, **dict.fromkeys(_VARIABLES, str(threads))}
    command = [sys.executable, "-m", "pocketsr.bench.roofline", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise PocketsrError(f"the machine's peaks could not be measured: {last[0]}")
    return Peaks(**json.loads(done.stdout.strip().splitlines()[-1]))


def find_peaks(threads: int, seconds: float = _SECONDS) -> Peaks:
    """Measure the peaks in this process, whose numpy should have been loaded with as many threads.

    Args:
        threads: Processor threads.
        seconds: How long each is looked for.
    """
    float32 = _SIDE**3 / _best(_product(), seconds) / 1e9
    best, by = 0.0, "none"
    work = _DEPTH * _WIDTH**2 * _PIXELS[0] * _PIXELS[1]
    for backend in ("litert", "openvino"):
        try:
            run = bare(_wide_chain(), _PIXELS, backend=backend, threads=threads)
        except (MissingExtraError, ModelFileError):
            continue
        rate = work / _best(run, seconds) / 1e9
        if rate > best:
            best, by = rate, f"{backend}, 1×1 convolutions of {_WIDTH} channels"
    return Peaks(
        threads=threads,
        float32_gmacs=round(float32, 2),
        float32_by=f"numpy {np.__version__}, product of {_SIDE}×{_SIDE} matrices",
        int8_gmacs=round(best, 2),
        int8_by=by,
        bandwidth_gb=round(2 * _COPIED / _best(_copy(threads), seconds) / 1e9, 2),
    )


def achieved(measured: Measured, figures: SizeFigures, graph: Graph, peaks: Peaks) -> Achieved:
    """Set a measurement beside the floor that the peaks give.

    Args:
        measured: A model on a backend.
        figures: One of its sizes.
        graph: What it computes.
        peaks: Of the same machine and threads.
    """
    of_all = costs(graph, (figures.height, figures.width))
    macs, moved = sum(one.macs for one in of_all), sum(one.moved_bytes for one in of_all)
    rate = peaks.int8_gmacs if graph.is_integer else peaks.float32_gmacs
    compute, memory = macs / (rate * 1e6), moved / (peaks.bandwidth_gb * 1e6)
    floor = max(compute, memory)
    return Achieved(
        model=measured.model.name,
        backend=measured.backend,
        height=figures.height,
        width=figures.width,
        gmacs=macs / 1e9,
        moved_mb=moved / 1e6,
        compute_ms=compute,
        memory_ms=memory,
        floor_ms=floor,
        median_ms=figures.timing.median_ms,
        share=floor / figures.timing.median_ms,
    )


def _best(work: Callable[[], object], seconds: float) -> float:
    """Return seconds of the quickest of many calls."""
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        began = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - began)
        if now > end:
            return best


def _product() -> Callable[[], object]:
    random = np.random.default_rng(0)
    first, second = (random.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    made = np.empty((_SIDE, _SIDE), np.float32)
    return lambda: np.matmul(first, second, out=made)


def _copy(threads: int) -> Callable[[], object]:
    """Return a copy of a large array, cut into a part for each thread; numpy lets others run meanwhile."""
    source, target = (np.ones(_COPIED // 8, np.float64) for _ in range(2))
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))

    def copy() -> None:
        workers = [threading.Thread(target=np.copyto, args=part) for part in parts[1:]]
        for worker in workers:
            worker.start()
        np.copyto(*parts[0])
        for worker in workers:
            worker.join()

    return copy


def _wide_chain() -> Graph:
    values = [Value(f"v{index}", _WIDTH, Quantisation(1.0, -128)) for index in range(_DEPTH + 1)]
    return Graph(values[0], values[-1], tuple(_wide(values)))


def _wide(values: list[Value]) -> Iterator[Op]:
    random = np.random.default_rng(0)
    for source, made in itertools.pairwise(values):
        weight = random.integers(-127, 128, (_WIDTH, 1, 1, _WIDTH)).astype(np.int8)
        scale = np.full(_WIDTH, 1e-3, np.float32)
        yield Conv2D((source,), made, weight, np.zeros(_WIDTH, np.int32), scale, "relu")


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(find_peaks(int(sys.argv[1])))))
