"""Captions: every figure says from which commit, machine, data and commands it came, wherever it is taken to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pocketsr.report.markup import Markup, element, join
from pocketsr.report.runs import DataSet, Run


def caption(words: str, runs: Sequence[Run], sets: Sequence[DataSet], *, name: str = "figcaption") -> Markup:
    """Return a caption with the provenance of the runs it shows.

    Args:
        words: What is seen.
        runs: Whose figures they are.
        sets: On which data.
        name: The element: ``figcaption``, or ``div`` below a table.
    """
    facts = provenance(runs, sets)
    commands = list(dict.fromkeys(run.record.command for run in runs if run.record.command))
    made = element(
        "details",
        element("summary", "Made by" if len(commands) == 1 else f"Made by {len(commands)} commands"),
        *(element("pre", command) for command in commands),
    )
    return element(
        name,
        element("p", words),
        element("p", facts, class_="provenance"),
        made if commands else join(),
        class_="caption",
    )


def provenance(runs: Sequence[Run], sets: Sequence[DataSet]) -> str:
    """Return commit, machine and data on one line."""
    commits = _distinct(run.record.commit[:12] or "not known" for run in runs)
    processors = _distinct(run.record.processor or "not known" for run in runs)
    data = ", ".join(f"{one.folder} {one.sha256[:12] or 'without hash'}" for one in sets)
    return " · ".join(
        [
            f"{'commits' if ',' in commits else 'commit'} {commits}",
            f"{'machines' if ', ' in processors else 'machine'} {processors}",
            f"data {data}",
        ]
    )


def _distinct(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
