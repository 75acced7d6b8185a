"""The tables of a report as values: what stands in a cell, which is best, how far from the first model.

HTML and Markdown show the same cells, so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pocketsr.report.runs import Comparison, DataSet, Run

#: Stands for no figure.
NOTHING = "–"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure.

    Attributes:
        text: As it is shown.
        value: The figure itself; None where there is none.
        difference: To the first model, as it is shown; empty for the first model, or where either lacks the figure.
        is_better: Whether the difference is for the better; None where it is neither.
        is_best: Whether no model has a better one, and another has a worse one.
    """

    text: str = NOTHING
    value: float | None = None
    difference: str = ""
    is_better: bool | None = None
    is_best: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Means:
    """Means over the images of every set under one protocol.

    Attributes:
        protocol: Its name.
        metrics: Names of the columns.
        rows: Sets with their rows: the label of the model and its cells, in the order of the columns.
    """

    protocol: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[DataSet, tuple[tuple[str, tuple[Cell, ...]], ...]], ...]


def means(comparison: Comparison, protocol: str) -> Means:
    """Return the table of means under a protocol."""
    present: dict[str, None] = {}
    by_set: list[tuple[DataSet, dict[str, Mapping[str, float | None]]]] = []
    for data in comparison.sets:
        figures = {run.label: comparison.figures(run, data, protocol) for run in comparison.runs}
        present.update(dict.fromkeys(name for found in figures.values() for name in found))
        by_set.append((data, figures))
    metrics = tuple(name for name in comparison.metrics if name in present)
    rows = []
    for data, figures in by_set:
        if not any(figures.values()):
            continue
        columns = [_column(comparison, name, [found.get(name) for found in figures.values()]) for name in metrics]
        rows.append((data, tuple(zip(figures, zip(*columns, strict=True), strict=True))))
    return Means(protocol=protocol, metrics=metrics, rows=tuple(rows))


def _column(comparison: Comparison, metric: str, values: list[float | None]) -> list[Cell]:
    """Return the cells of one metric on one set, in the order of the runs."""
    unit = comparison.metrics[metric].unit
    sign = 1 if comparison.metrics[metric].is_higher_better else -1
    # What is shown as equal is equal: nobody can see by what the best is better.
    shown = [None if value is None else float(_digits(value, unit)) for value in values]
    known = [sign * value for value in shown if value is not None]
    cells = []
    for place, (value, rounded) in enumerate(zip(values, shown, strict=True)):
        if value is None or rounded is None:
            cells.append(Cell())
            continue
        difference, is_better = "", None
        if place and shown[0] is not None:
            change = rounded - shown[0]
            difference = signed(change, unit)
            is_better = None if change == 0 else sign * change > 0
        is_best = sign * rounded == max(known) > min(known)
        cells.append(
            Cell(text=figure(value, unit), value=value, difference=difference, is_better=is_better, is_best=is_best)
        )
    return cells


def differences(comparison: Comparison, data: DataSet, protocol: str, runs: tuple[Run, Run]) -> dict[str, float]:
    """Return PSNR of the second run less the first's, dB, by image; images without a figure in either are left out."""
    first, second = (comparison.per_image(run, data, protocol, "psnr_db") for run in runs)
    found = {}
    for image, after in second.items():
        before = first.get(image)
        if before is not None and after is not None:
            found[image] = after - before
    return found


def heading(comparison: Comparison, metric: str) -> tuple[str, str]:
    """Return a column's name with its unit, and which way is better in words."""
    about = comparison.metrics[metric]
    name = metric.removesuffix("_db").replace("_", " ")
    name = name.upper() if len(name) <= 6 else name
    unit = f", {about.unit}" if about.unit else ""
    return f"{name}{unit}", "higher is better" if about.is_higher_better else "lower is better"


def figure(value: float | None, unit: str) -> str:
    """Return a figure as it is shown: three digits after the point for dB, four otherwise.

    >>> figure(31.23456, "dB"), figure(0.91234567, ""), figure(None, "dB")
    ('31.235', '0.9123', '–')
    """
    return NOTHING if value is None else _digits(value, unit)


def signed(change: float, unit: str) -> str:
    """Return a difference with its sign; the minus is as wide as the plus.

    >>> signed(0.5, "dB"), signed(-0.25, ""), signed(0, "dB")
    ('+0.500', '−0.2500', '±0.000')
    """
    digits = _digits(abs(change), unit)
    if float(digits) == 0:
        return f"±{digits}"
    return f"{'+' if change > 0 else '−'}{digits}"


def _digits(value: float, unit: str) -> str:
    return f"{value:.{3 if unit == 'dB' else 4}f}"
