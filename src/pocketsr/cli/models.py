"""``pocketsr models``: the catalogue as a table or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.weights import Entry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything the catalogue knows as JSON.")
def command(as_json: bool) -> None:
    """List the models that come with pocketsr, with their licence and data."""
    from pocketsr.weights import entries

    if as_json:
        click.echo(json.dumps([entry.to_dict() for entry in entries()], indent=2, ensure_ascii=False))
    else:
        click.echo(_table(entries()))


def _table(entries: tuple[Entry, ...]) -> str:
    """Return the entries in columns, figures below each."""
    rows = [("model", "scale", "precision", "licence", "trained on")]
    rows += [(entry.name, f"×{entry.scale}", entry.precision, entry.licence, entry.data) for entry in entries]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for index, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        lines.append("  ".join([*cells, row[-1]]))
        if index:
            lines += [f"    {name}: {value:g}" for name, value in entries[index - 1].scores.items()]
    return "\n".join(lines)
