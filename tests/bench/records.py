"""A record with every part, for tests of several rooms."""

from __future__ import annotations

from pocketsr.bench.idle import Idleness
from pocketsr.bench.latency import Timing
from pocketsr.bench.machine import Machine
from pocketsr.bench.measure import size_figures
from pocketsr.bench.record import (
    Achieved,
    Correctness,
    Measured,
    MeasuredModel,
    NodeTime,
    OperatorTime,
    Peaks,
    Prediction,
    Profile,
    Record,
    Roofline,
)

TIMING = Timing(median_ms=20.0, iqr_ms=1.0, min_ms=19.0, mean_ms=20.5, p90_ms=22.0, runs=10)
MODEL = MeasuredModel(name="m[x]", network="abpn", scale=3, precision="int8", sha256="ab", data="photos")
MEASURED = Measured(
    model=MODEL,
    backend="litert",
    threads=2,
    load_ms=12.0,
    peak_memory_mb=80.5,
    correctness=Correctness(height=32, width=48, is_identical=False, largest_levels=1, different=0.001),
    sizes=(size_figures((360, 640), 3, 31.0, TIMING),),
    remarks=("all of it",),
)
PEAKS = Peaks(threads=2, float32_gmacs=20.0, float32_by="numpy", int8_gmacs=100.0, int8_by="litert", bandwidth_gb=10.0)
RECORD = Record(
    command="pocketsr bench",
    date="2026-01-01T00:00:00+00:00",
    commit="abc",
    versions={"numpy": "2"},
    data="noise",
    machine=Machine(processor="Quick", flags=("avx2",), cores=2, governor="", memory_gb=None, system="Linux x86_64"),
    idle=Idleness(busy=0.0, load=None),
    results=(MEASURED,),
    roofline=Roofline(
        peaks=PEAKS,
        models=(
            Achieved(
                model="m[x]", backend="litert", height=360, width=640, gmacs=9.8, moved_mb=100.0, compute_ms=98.0,
                memory_ms=10.0, floor_ms=98.0, median_ms=196.0, share=0.5,
            ),
        ),
    ),
    profiles=(
        Profile(
            model="m[x]", backend="litert", method="truncation", height=360, width=640,
            operators=(OperatorTime(name="head", kind="Conv2D 3×3", ms=1.0, gmacs=0.1),),
        ),
    ),
    nodes=(NodeTime(node="add", backend="litert", precision="int8", timing=TIMING, gmacs=0.0, moved_mb=18.7),),
    predictions=(
        Prediction(
            model="espcn", backend="litert", precision="float32", height=360, width=640, predicted_ms=11.0,
            measured_ms=10.0, fit_error=0.2,
        ),
    ),
    failed={"gpu": "none"},
)  # fmt: skip
