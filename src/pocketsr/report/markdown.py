"""The tables of a report as Markdown: the same rows and cells as the page's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pocketsr.report import facts
from pocketsr.report.captions import provenance
from pocketsr.report.page import default_title, lead_of
from pocketsr.report.runs import Comparison
from pocketsr.report.tables import Cell, heading, means


def make_markdown(comparisons: Sequence[Comparison], *, title: str = "") -> str:
    """Return the report's tables; the best of a set is bold, differences to the first model stand in brackets.

    Args:
        comparisons: What :func:`pocketsr.report.compare` gave; at least one.
        title: Empty for the names of the models.
    """
    parts = [f"# {_plain(title or default_title(comparisons))}", _plain(lead_of(comparisons))]
    for comparison in comparisons:
        parts.append(f"## Means at ×{comparison.scale}")
        for protocol in comparison.protocols:
            parts += [f"### Protocol {_plain(protocol)}", _means(comparison, protocol)]
        parts.append(
            f"Differences are to {_plain(comparison.runs[0].label)}. "
            f"{_plain(provenance(comparison.runs, comparison.sets))}."
        )
    parts += ["## Models", _table(facts.MODEL_COLUMNS, facts.model_rows(comparisons))]
    parts += ["## Data", _table(("set", "images", "sha256"), facts.data_rows(comparisons))]
    parts += ["## Protocols", _list(f"{name}: {words}" for name, words in facts.protocol_rows(comparisons))]
    if lines := [*facts.cautions(comparisons), *facts.unavailable(comparisons)]:
        parts += ["## To keep in mind", _list(lines)]
    commands = dict.fromkeys(run.record.command for run in facts.runs_of(comparisons))
    parts += ["## Commands", "```sh\n" + "\n".join(commands) + "\n```"]
    return "\n\n".join(parts) + "\n"


def _means(comparison: Comparison, protocol: str) -> str:
    found = means(comparison, protocol)
    columns = ["set", "model"]
    for metric in found.metrics:
        name, _ = heading(comparison, metric)
        columns.append(f"{name} {'↑' if comparison.metrics[metric].is_higher_better else '↓'}")
    rows = [(data.label, label, *map(_cell, cells)) for data, lines in found.rows for label, cells in lines]
    return _table(columns, rows, is_plain=False)


def _cell(cell: Cell) -> str:
    shown = f"**{cell.text}**" if cell.is_best else cell.text
    return f"{shown} ({cell.difference})" if cell.difference else shown


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, is_plain: bool = True) -> str:
    """Return a table; where cells hold marks of their own, only the first two columns are made plain."""
    lines = [f"| {' | '.join(map(_plain, columns))} |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [_plain(text) if is_plain or number < 2 else text for number, text in enumerate(row)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    for mark in "\\`*_|<[":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
