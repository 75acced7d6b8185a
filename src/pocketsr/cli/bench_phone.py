"""``pocketsr bench --adb``: the same record from a phone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.bench import Machine, Measured


def measured_on_phone(
    model: str, size: str, runs: int, *, serial: str | None, program: str, tool: Path | None
) -> tuple[Machine, tuple[Measured, ...], Mapping[str, str]]:
    """Push a model and Google's tool to a phone and run it in every way there.

    Returns:
        The phone, the measurements, and for what failed the reason.

    Raises:
        DeviceError: The phone cannot be reached, or nothing could be measured on it.
        ModelFileError: The model file is missing or damaged.
    """
    from pocketsr.bench.adb import Adb
    from pocketsr.bench.contender import Asked, described
    from pocketsr.bench.phone import measure_on_phone
    from pocketsr.bench.sizes import input_size
    from pocketsr.graph.tflite import model_bytes, read_model
    from pocketsr.runtime import model_path

    if tool is None:
        raise click.UsageError("--adb needs --benchmark-model, the path of Google's benchmark_model for the phone")
    graph, spec = read_model(model_path(model))
    height_width = input_size(size, spec.scale, spec.size_multiple)
    adb = Adb.find(serial, program=program)
    is_shown = sys.stderr.isatty()
    results, failed = measure_on_phone(
        adb,
        model_bytes(graph, spec, height_width, is_fixed=True),
        described(Asked(model=model, backend="litert", threads=1), spec),
        tool,
        height_width,
        runs=runs,
        on_step=lambda words: click.echo(f"{words} ...", err=True) if is_shown else None,
    )
    return adb.machine(), results, failed
