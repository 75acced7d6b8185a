"""What was compared, as rows of words: models, data, protocols, notes. HTML and Markdown show the same rows."""

from __future__ import annotations

from collections.abc import Sequence

from pocketsr.evaluate import PROTOCOLS
from pocketsr.report.runs import Comparison, Run
from pocketsr.report.tables import NOTHING

#: Columns of the table of models.
MODEL_COLUMNS = (
    "model",
    "network",
    "scale",
    "precision",
    "parameters",
    "GMAC to 720p",
    "latency",
    "trained on",
    "licence",
    "sha256",
)


def model_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return a row for each run, in the order of the columns above."""
    rows: list[tuple[str, ...]] = []
    for run in runs_of(comparisons):
        model, latency = run.record.model, run.record.latency
        rows.append(
            (
                run.label,
                model.network or NOTHING,
                f"×{model.scale}",
                model.precision or NOTHING,
                NOTHING if model.parameters is None else f"{model.parameters:,}",
                NOTHING if model.gmacs_720p is None else f"{model.gmacs_720p:,.2f}",
                NOTHING
                if latency is None
                else f"{latency.median_ms:,.1f} ms ({latency.width}×{latency.height}, {threads(latency.threads)})",
                model.data or NOTHING,
                model.licence or NOTHING,
                model.sha256[:12] if model.sha256 else NOTHING,
            )
        )
    return rows


def data_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, str, str]]:
    """Return name, number of images and hash of every set."""
    rows = {
        (data.label, f"{len(data.images):,}", data.sha256 or NOTHING): None
        for comparison in comparisons
        for data in comparison.sets
    }
    return list(rows)


def protocol_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return name and meaning of every protocol."""
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    colours = {"rgb": "RGB", "studio_y": "BT.601 luma 16..235", "full_y": "luma 0..255"}
    rows = []
    for name in dict.fromkeys(name for comparison in comparisons for name in comparison.protocols):
        words = "not among the protocols of this version"
        if protocol := known.get(name):
            border = "as many pixels as the scale" if protocol.border == "scale" else f"{protocol.border} pixels"
            words = f"{colours[protocol.channels]}, border of {border} left out; {protocol.source}"
        rows.append((name, words))
    return rows


def unavailable(comparisons: Sequence[Comparison]) -> list[str]:
    """Return a line for each metric that could not be computed, with its reason and for which models."""
    found: dict[tuple[str, str], list[str]] = {}
    runs = runs_of(comparisons)
    for run in runs:
        for metric, reason in run.record.unavailable.items():
            found.setdefault((metric, reason), []).append(run.label)
    return [
        f"{metric} could not be computed{'' if len(labels) == len(runs) else ' for ' + ', '.join(labels)}: {reason}"
        for (metric, reason), labels in found.items()
    ]


def cautions(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what a reader should know before comparing."""
    lines = []
    runs = runs_of(comparisons)
    for words, values in (
        ("commits of pocketsr", {run.record.commit for run in runs}),
        ("versions of packages", {str(sorted(run.record.versions.items())) for run in runs}),
    ):
        if len(values) > 1:
            lines.append(f"The runs were made with {len(values)} different {words}.")
    if len({run.record.processor for run in runs}) > 1:
        lines.append("The runs come from different machines: their latencies do not compare.")
    for comparison in comparisons:
        for run in comparison.runs:
            absent = [data.label for data in comparison.sets if run.on(data) is None]
            if absent:
                lines.append(f"{run.label} at ×{comparison.scale} was not judged on {', '.join(absent)}.")
        by_name: dict[str, int] = {}
        for data in comparison.sets:
            by_name[data.folder] = by_name.get(data.folder, 0) + 1
        for folder, count in by_name.items():
            if count > 1:
                lines.append(
                    f"{count} folders named {folder} hold different images; they stand apart, by their hashes."
                )
    return lines


def runs_of(comparisons: Sequence[Comparison]) -> list[Run]:
    """Return all runs, scale by scale."""
    return [run for comparison in comparisons for run in comparison.runs]


def threads(count: int) -> str:
    """Return a number of threads in words.

    >>> threads(1), threads(2)
    ('1 thread', '2 threads')
    """
    return f"{count} thread{'' if count == 1 else 's'}"
