"""``pocketsr reproduce``: a paper's table, or the cards of our models, with figures made again beside it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketsr.evaluate.official import Cell, Measure, Table
    from pocketsr.evaluate.official.beside import Contender, Figure

#: Papers whose bicubic is taken for OpenCV's.
_OPENCV = ("SCSRN", "LRSRN")


@click.command()
@click.argument("name", metavar="[TABLE]", required=False)
@click.option("--list", "is_list", is_flag=True, help="List the tables.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with Set5, Set14, BSD100, Urban100, DIV2K.")
@click.option("--model", "files", multiple=True, metavar="NAME=FILE", help="A file for the row NAME; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Images of each set, for a quick look.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    name: str | None,
    is_list: bool,
    data: Path | None,
    files: tuple[str, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    """Print TABLE as the paper has it, with ours below each row and ours minus theirs in brackets.

    Ours are bicubic, bundled models whose network and scale are in the table, and files given for a row. Without
    --data the paper's numbers stand alone.

    `reproduce bank --data FOLDER` judges every model of the catalogue again (--model NAME: only those), and ends with
    exit code 1 where a figure is not what its card says.
    """
    if name == "bank":
        from pocketsr.cli.reproduce_bank import reproduce_bank

        if limit is not None:
            raise click.UsageError("cards are of whole sets; leave out --limit")
        if not reproduce_bank(data, files, as_json=as_json):
            context.exit(1)
        return
    from pocketsr.errors import DataError
    from pocketsr.evaluate.official import find_table, official_tables
    from pocketsr.evaluate.official.beside import find_sets, judge

    if is_list:
        for table in official_tables():
            click.echo(f"{table.name:<20} {table.paper}, {table.number}: {table.title}")
        return
    if name is None:
        raise click.UsageError("name a table, or --list them")
    if data is None and (files or limit):
        raise click.UsageError("--model and --limit need images to judge on: say where with --data")
    table = find_table(name)
    ours: list[Contender] = []
    figures: list[Figure] = []
    remarks: list[str] = []
    if data is not None:
        sets = list(dict.fromkeys(cell.data for cell in table.cells))
        folders = find_sets(data, sets)
        if any(sets) and not folders:
            raise DataError(f"none of {', '.join(sets)} is in {data}; put their folders there")
        ours = [*_bicubic(table), *_bundled(table), *_given(table, files)]
        for set_, folder in folders.items():
            for contender in ours:
                found, report = judge(table, contender, set_, folder, limit=limit)
                figures += found
                remarks += report.remarks if report else ()
    said = list(dict.fromkeys(remarks))
    if as_json:
        click.echo(json.dumps(_facts(table, ours, figures, said), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(table, ours, figures, said)))


def _bicubic(table: Table) -> Iterator[Contender]:
    from pocketsr.evaluate import bicubic
    from pocketsr.evaluate.official.beside import Contender

    like = "opencv" if table.paper in _OPENCV else "matlab"
    for scale in dict.fromkeys(cell.scale for cell in table.cells if cell.scale):
        rows = dict.fromkeys(cell.row for cell in table.select(network="bicubic", scale=scale))
        yield Contender(
            name="bicubic-opencv" if like == "opencv" else "bicubic",
            upscale=bicubic(scale, like="opencv" if like == "opencv" else "matlab"),
            scale=scale,
            rows=tuple(rows),
            readings=("", "misaligned-bicubic") if table.name == "scsrn-table2" else ("",),
            facts={"data": "nothing: it is not trained"},
        )


def _bundled(table: Table) -> Iterator[Contender]:
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate.official.beside import Contender
    from pocketsr.weights import bundled

    scales = {cell.scale for cell in table.cells if cell.network}
    for entry in bundled():
        if entry.scale not in scales:
            continue
        found = resolve(entry.name, None, "litert", None)
        cells = table.select(network=found.facts["network"], scale=entry.scale)
        if cells:
            yield Contender(
                name=entry.name,
                upscale=found.exact,
                scale=entry.scale,
                rows=tuple(dict.fromkeys(cell.row for cell in cells)),
                precision=entry.precision,
                facts=found.facts,
            )


def _given(table: Table, files: Sequence[str]) -> Iterator[Contender]:
    from pocketsr.cli.resolve import resolve
    from pocketsr.errors import SettingError, UnknownNameError
    from pocketsr.evaluate.official.beside import Contender

    for given in files:
        row, _, file = given.partition("=")
        if not file or file.startswith("bicubic"):
            raise click.UsageError(f"--model takes NAME=FILE, a row's name and a model's file, not {given!r}")
        names = dict.fromkeys(cell.row for cell in table.cells)
        if row not in names:
            raise UnknownNameError.among("row", row, names)
        found = resolve(file, None, "litert", None)
        if not table.select(row=row, scale=found.scale):
            raise SettingError(f"{table.name} has no row {row!r} at ×{found.scale}, which is the factor of {file}")
        yield Contender(
            name=Path(file).name,
            upscale=found.exact,
            scale=found.scale,
            rows=(row,),
            precision=found.facts.get("precision", ""),
            facts=found.facts,
        )


def _lines(table: Table, ours: Sequence[Contender], figures: Sequence[Figure], remarks: Sequence[str]) -> list[str]:
    lines = [f"{table.name}: {table.source}, {table.number}. {table.title}"]
    lines += [f"Protocol: {table.protocol or 'none of ours'}. In brackets: ours minus the paper's."]
    reasons = list(dict.fromkeys(cell.suspect for cell in table.cells if cell.suspect))
    for scale, data in dict.fromkeys((cell.scale, cell.data) for cell in table.cells):
        cells = [cell for cell in table.cells if (cell.scale, cell.data) == (scale, data)]
        mine = [figure for figure in figures if (figure.scale, figure.data) == (scale, data)]
        columns = list(dict.fromkeys(cell.measure for cell in cells))
        title = " ".join(filter(None, (f"×{scale}" if scale else "", data)))
        title += f" ({mine[0].images} images)" if mine else ""
        lines += ["", f"{title:<40}" + "".join(f" {column.label:>18}" for column in columns)]
        for row in dict.fromkeys(cell.row for cell in cells):
            marked = {cell.measure: _printed(cell, reasons) for cell in cells if cell.row == row}
            lines.append(f"{row:<40}" + "".join(f" {marked.get(column, '–'):>18}" for column in columns))
            lines += _own([figure for figure in mine if figure.row == row], columns)
        lines += _own([figure for figure in mine if not figure.row], columns)
    judged = {figure.name for figure in figures}
    lines += ["", *(f"*{number} {reason}." for number, reason in enumerate(reasons, 1))]
    lines += [f"Paper: {note}" for note in table.notes]
    said = {contender.name: _trained(contender) for contender in ours if contender.name in judged}
    lines += [f"Ours: {name}: {words}" for name, words in said.items()]
    return lines + [f"Note: {remark}." for remark in remarks]


def _own(figures: Sequence[Figure], columns: Sequence[Measure]) -> Iterator[str]:
    from pocketsr.evaluate.official import QUANTITIES

    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        # One line holds every column's own protocol; only a second reading of a column starts another.
        key = (figure.name, figure.protocol if figure.protocol == "misaligned-bicubic" else "")
        groups.setdefault(key, []).append(figure)
    for (name, reading), group in groups.items():
        words = {}
        for figure in group:
            digits = QUANTITIES[figure.measure.quantity].digits
            change = "" if figure.difference is None else f" ({figure.difference:+.{digits}f})"
            words[figure.measure] = f"{figure.value:.{digits}f}{change}"
        label = f"  {name}, {reading or ' and '.join(dict.fromkeys(figure.protocol for figure in group))}"
        yield f"{label:<40}" + "".join(f" {words.get(column, ''):>18}" for column in columns)


def _printed(cell: Cell, reasons: Sequence[str]) -> str:
    from pocketsr.evaluate.official import QUANTITIES

    text = f"{cell.printed:.{QUANTITIES[cell.measure.quantity].digits - 1}f}"
    text = text if float(text) == cell.printed else f"{cell.printed:g}"
    text += "" if cell.recovered is None else f" [{cell.recovered:g}]"
    return f"{text} *{reasons.index(cell.suspect) + 1}" if cell.suspect else text


def _trained(contender: Contender) -> str:
    facts = contender.facts
    words = [facts.get("network", ""), contender.precision, f"trained on {facts.get('data') or 'what it does not say'}"]
    words += [f"licence {facts['licence']}"] if facts.get("licence") else []
    return ", ".join(filter(None, words))


def _facts(
    table: Table, ours: Sequence[Contender], figures: Sequence[Figure], remarks: Sequence[str]
) -> dict[str, Any]:
    facts = dataclasses.asdict(table)
    made = [{**dataclasses.asdict(figure), "difference": figure.difference} for figure in figures]
    for one in made:
        for key in ("value", "difference"):
            one[key] = one[key] if one[key] is not None and math.isfinite(one[key]) else None
    known = [{"name": one.name, "scale": one.scale, "rows": one.rows, **one.facts} for one in ours]
    return {"table": facts, "contenders": known, "ours": made, "remarks": list(remarks)}
