"""The tables of ``pocketsr bench``: one for each part of its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pocketsr.bench import Measured, Record
    from pocketsr.bench.record import NodeTime, Prediction, Profile, Roofline

#: Columns at least: a terminal that is narrower wraps, which is better than figures that are cut short.
_WIDTH = 160
#: Columns of words; the others are figures.
_WORDS = ("model", "backend", "exact", "operator", "kind", "node")


def print_record(record: Record) -> None:
    """Print every part that a record has."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)  # names of files may hold brackets
    console.width = max(console.width, _WIDTH) if console.is_terminal else _WIDTH
    machine = record.machine
    flags = f", {' '.join(machine.flags)}" if machine.flags else ""
    console.print(f"{machine.processor}, {machine.cores} cores{flags}", soft_wrap=True)
    if record.results:
        _print_results(console, record.results)
    for what, reason in record.failed.items():
        console.print(f"not measured: {what}: {reason}", soft_wrap=True)
    if record.roofline is not None:
        _print_roofline(console, record.roofline)
    for profile in record.profiles:
        _print_profile(console, profile)
    if record.nodes:
        _print_nodes(console, record.nodes)
    if record.predictions:
        _print_predictions(console, record.predictions)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows in columns, figures to the right."""
    from rich.table import Table

    if title:
        console.print(f"\n{title}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True, justify="left" if column in _WORDS else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_results(console: Console, results: Sequence[Measured]) -> None:
    columns = ["model", "backend", "threads", "input", "median ms", "IQR", "min", "times", "MP/s", "1080p/s", "first"]
    columns += ["load", "peak MB", "exact"]
    rows = []
    for one in results:
        for figures, of_first in zip(one.sizes, results[0].sizes, strict=True):
            timing = figures.timing
            row = [_short(one.model.name), one.backend, str(one.threads or ""), f"{figures.height}×{figures.width}"]
            row += [
                f"{timing.median_ms:.2f}",
                "" if timing.iqr_ms is None else f"{timing.iqr_ms:.2f}",
                f"{timing.min_ms:.2f}",
            ]
            row.append(f"{timing.median_ms / max(of_first.timing.median_ms, 1e-6):.2f}")
            row += [f"{figures.output_megapixels_per_s:.1f}", f"{figures.frames_per_second['1080p']:.1f}"]
            row += [_maybe(figures.first_run_ms), _maybe(one.load_ms), _maybe(one.peak_memory_mb), _exact(one)]
            rows.append(row)
    print_table(console, columns, rows)
    for one in results:
        for remark in one.remarks:
            console.print(f"note: {one.backend}, {one.threads} threads: {remark}", soft_wrap=True)


def _exact(one: Measured) -> str:
    if one.correctness is None:
        return "not compared"
    if one.correctness.is_identical:
        return "same bytes"
    return f"within {one.correctness.largest_levels}"


def _print_roofline(console: Console, roofline: Roofline) -> None:
    peaks = roofline.peaks
    title = (
        f"peaks with {peaks.threads} threads: float32 {peaks.float32_gmacs:.1f} GMAC/s ({peaks.float32_by}), "
        f"int8 {peaks.int8_gmacs:.1f} GMAC/s ({peaks.int8_by}), memory {peaks.bandwidth_gb:.1f} GB/s"
    )
    columns = [
        "model",
        "backend",
        "input",
        "GMACs",
        "moved MB",
        "compute ms",
        "memory ms",
        "floor ms",
        "took ms",
        "share",
    ]
    rows = [
        [_short(one.model), one.backend, f"{one.height}×{one.width}", f"{one.gmacs:.3f}", f"{one.moved_mb:.1f}"]
        + [f"{figure:.2f}" for figure in (one.compute_ms, one.memory_ms, one.floor_ms, one.median_ms)]
        + [f"{100 * one.share:.0f} %"]
        for one in roofline.models
    ]
    print_table(console, columns, rows, title)


def _print_profile(console: Console, profile: Profile) -> None:
    total = sum(max(0.0, one.ms) for one in profile.operators) or 1.0
    how = {"truncation": "graphs cut after each operator", "runtime": "the runtime's own clock"}[profile.method]
    title = f"{profile.model} on {profile.backend} at {profile.height}×{profile.width}, by {how}"
    rows = [
        [one.name, one.kind, f"{one.ms:.3f}", f"{100 * one.ms / total:.1f}", f"{one.gmacs:.3f}" if one.gmacs else ""]
        for one in profile.operators
    ]
    print_table(console, ["operator", "kind", "ms", "%", "GMACs"], rows, title)


def _print_nodes(console: Console, nodes: Sequence[NodeTime]) -> None:
    from pocketsr.bench.nodes import ABPN_TABLE_1

    title = "single operators, output 1080×1920 of 3 channels; the paper's column is ABPN's Table 1, a phone's NPU"
    rows = []
    for one in nodes:
        paper = ABPN_TABLE_1.get(one.node)
        figures = f"{one.timing.median_ms:.2f}", f"{one.timing.min_ms:.2f}", "" if paper is None else f"{paper:.1f}"
        rows.append([one.node, one.backend, one.precision, *figures, f"{one.moved_mb:.1f}"])
    print_table(console, ["node", "backend", "kind", "median ms", "min", "paper ms", "moved MB"], rows, title)


def _print_predictions(console: Console, predictions: Sequence[Prediction]) -> None:
    from statistics import median

    from pocketsr.bench.devices import DEVICES

    errors = [None if one.measured_ms is None else one.predicted_ms / one.measured_ms - 1 for one in predictions]
    rows = []
    for one, error in zip(predictions, errors, strict=True):
        row = [_short(one.model), one.backend, one.precision, f"{one.height}×{one.width}", f"{one.predicted_ms:.2f}"]
        row += ["" if one.measured_ms is None else f"{one.measured_ms:.2f}"]
        rows.append([*row, "" if error is None else f"{100 * error:+.0f} %"])
    known = [abs(error) for error in errors if error is not None]
    words = f"median error {100 * median(known):.0f} %, " if known else ""
    fits = ", ".join(f"{100 * error:.0f} %" for error in dict.fromkeys(one.fit_error for one in predictions))
    titles = {device.name: device.title for device in DEVICES}
    elsewhere = next((titles[one.backend] for one in predictions if one.backend in titles), "")
    if elsewhere:
        words = f"{elsewhere}; measured is what papers print; {words}on all their networks {fits}"
    else:
        words += f"on the operators themselves {fits}"
    columns = ["model", "backend", "kind", "input", "predicted ms", "measured ms", "error"]
    print_table(console, columns, rows, f"networks as sums of operators: {words}")


def _short(name: str) -> str:
    """Return the name of a file without its folder."""
    return Path(name).name


def _maybe(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.0f}"
