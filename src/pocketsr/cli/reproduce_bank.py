"""``pocketsr reproduce bank``: every model of the catalogue judged again, beside what its card says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.evaluate.bank import Checked


def reproduce_bank(data: Path | None, names: Sequence[str], *, as_json: bool) -> bool:
    """Judge models again and print every figure beside the card's; what differs is said once more at the end.

    Args:
        data: Folder with Set5, Set14 and BSD100.
        names: Models; none is all there are.
        as_json: Print one object instead of lines.

    Returns:
        Whether all figures are those of the cards.

    Raises:
        UnknownNameError: No model has such a name.
        ModelFileError: A file is missing or was changed, or a card is none.
        DataError: A set is missing or not whole.
    """
    from pocketsr.evaluate.bank import check_bank
    from pocketsr.weights import entries, find

    if data is None:
        raise click.UsageError("reproduce bank judges models again: say where Set5, Set14 and BSD100 are with --data")
    chosen = [find(name) for name in names] or list(entries())
    found: list[Checked] = []

    def add(one: Checked) -> None:
        found.append(one)
        if not as_json:
            click.echo(_line(one))

    different = check_bank(chosen, data, on_checked=add)
    if as_json:
        facts = [{**dataclasses.asdict(one), "is_same": one.is_same} for one in found]
        click.echo(json.dumps({"models": len(chosen), "different": len(different), "figures": facts}, indent=2))
    else:
        for one in different:
            click.echo(f"differs: {_line(one)}", err=True)
        words = "all as their cards say" if not different else f"{len(different)} not as their cards say"
        click.echo(f"{len(found)} figures of {len(chosen)} models: {words}")
    return not different


def _line(one: Checked) -> str:
    line = f"{one.name:<24} {one.data:<8} {one.protocol:<10} {one.found_db:>8.3f} dB, card {one.said_db:.3f}"
    return line if one.is_same else f"{line}: {one.found_db - one.said_db:+.3f}"
