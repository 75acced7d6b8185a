"""``pocketsr models``: the catalogue as a table, one model's card, or either as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pocketsr.weights import Entry


@click.command()
@click.argument("name", required=False)
@click.option(
    "--style",
    type=click.Choice(["clean", "jpeg", "jpeg-444", "jpeg-coarse", "gan"]),
    help="Only models for that kind of input.",
)
@click.option("-s", "--scale", type=click.IntRange(min=2), help="Only models of that factor.")
@click.option("--json", "as_json", is_flag=True, help="Print everything the catalogue, or the card, knows as JSON.")
def command(name: str | None, style: str | None, scale: int | None, as_json: bool) -> None:
    """List the models there are, or show the card of the one that is called NAME.

    Listed are those that come with pocketsr, and those of the bank where pocketsr runs from a checkout or POCKETSR_BANK
    names its folder.
    """
    from pocketsr.weights import entries, find

    if name is not None:
        _show(find(name), as_json=as_json)
        return
    chosen = [entry for entry in entries() if style in (None, entry.style) and scale in (None, entry.scale)]
    if as_json:
        click.echo(json.dumps([entry.to_dict() for entry in chosen], indent=2, ensure_ascii=False))
    elif chosen:
        click.echo(_table(chosen))
    else:
        click.echo("no model is like that; leave out --style or --scale", err=True)


def _show(entry: Entry, *, as_json: bool) -> None:
    """Print one model's entry and card."""
    from pocketsr.weights import card_text, read_card

    card = read_card(entry.folder / entry.card)
    if as_json:
        facts: dict[str, Any] = {**entry.to_dict(), "card": card.to_dict()}
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    _, text = card_text(card).split("\n---\n", 1)
    click.echo(text.strip())
    click.echo(f"\nFile: {entry.path}")


def _table(entries: Sequence[Entry]) -> str:
    """Return the entries in columns, with what each is for and its figures on Set5, Set14 and BSD100."""
    from pocketsr.weights import defaults

    taken = {entry.name for style in {entry.style for entry in entries} for entry in defaults(style).values()}
    rows = [("model", "", "for", "precision", "network", "licence", "PSNR in dB on Set5, Set14, BSD100")]
    rows += [
        (
            entry.name,
            f"×{entry.scale}",
            entry.style + (" (default)" if entry.name in taken else ""),
            entry.precision,
            entry.network,
            entry.licence,
            _figures(entry),
        )
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        lines.append("  ".join([*cells, row[-1]]))
    return "\n".join(lines)


def _figures(entry: Entry) -> str:
    """Return the figures of the first protocol; names of scores are set, protocol, what is measured."""
    if not entry.scores:
        return ""
    protocol = next(iter(entry.scores)).split(" ")[1]
    values = [f"{value:.2f}" for name, value in entry.scores.items() if name.split(" ")[1] == protocol]
    return f"{' '.join(values)} ({protocol})"
