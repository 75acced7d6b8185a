"""``pocketsr score``: a challenge's score of a PSNR and a runtime, and where it would have stood."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pocketsr.evaluate.challenge import Standing, Track
    from pocketsr.evaluate.record import Record

_Kind = TypeVar("_Kind")


@click.command()
@click.option("--track", "track_name", required=True, help="mai21, aim22, ntire23-x2 or ntire23-x3.")
@click.option("--psnr", "psnr_db", type=float, metavar="DB", help="PSNR in dB, under the track's terms.")
@click.option("--runtime", "runtime_ms", type=float, metavar="MS", help="Milliseconds an image, on its device.")
@click.option("--record", "record_file", type=click.Path(path_type=Path), help="Both, from `evaluate --time -o`.")
@click.option("--folder", help="Which of the record's folders, where it has several.")
@click.option("-p", "--protocol", help="Which of the record's protocols, where it has several.")
@click.option("--reach", type=float, metavar="SCORE", help="With one of the two above: print what the other must be.")
@click.option("--name", help="What to call it among the others [default: this one, or the record's model].")
@click.option("--against", is_flag=True, help="Print where it would stand among the official rows.")
@click.option("--json", "as_json", is_flag=True, help="Print the score, the rows and the track's terms as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw PSNR over runtime.")
@click.option("--overwrite", is_flag=True, help="Replace the drawing if it is there.")
def command(
    track_name: str,
    psnr_db: float | None,
    runtime_ms: float | None,
    record_file: Path | None,
    folder: str | None,
    protocol: str | None,
    reach: float | None,
    name: str | None,
    against: bool,
    as_json: bool,
    plot: Path | None,
    overwrite: bool,
) -> None:
    """Print the score that a challenge gives to a PSNR at a runtime; higher is better.

    Both must be taken as the track takes them, on its device: a laptop's milliseconds have no place in a phone's
    ranking. --against without a PSNR and a runtime prints the official rows alone. What a record measured is scored
    with a word on where it differs from the track's terms.
    """
    from pocketsr.evaluate.challenge import Standing, find_track, standings

    track = find_track(track_name)
    measured = None
    if record_file is not None:
        if psnr_db is not None or runtime_ms is not None or reach is not None:
            raise click.UsageError("--record brings PSNR and runtime: leave out --psnr, --runtime and --reach")
        from pocketsr.evaluate.record import read_record

        record = read_record(record_file)
        psnr_db, runtime_ms, measured = _recorded(record, track, folder, protocol)
        name = name or record.model.name
    elif folder is not None or protocol is not None:
        raise click.UsageError("--folder and --protocol choose among the figures of a --record")
    if reach is not None:
        if against or plot or as_json:
            raise click.UsageError("--reach prints one number; leave out --against, --json and --plot")
        click.echo(_needed(track, reach, psnr_db, runtime_ms))
        return
    if (psnr_db is None) != (runtime_ms is None) or (psnr_db is None and not (against or plot or as_json)):
        raise click.UsageError("a score takes both --psnr and --runtime, or a --record with a latency")
    mine = None
    if psnr_db is not None and runtime_ms is not None:
        score = track.score(psnr_db, runtime_ms)
        mine = Standing(name=name or "this one", psnr_db=psnr_db, runtime_ms=runtime_ms, score=score)
    rows = sorted([*standings(track), *([mine] if mine else [])], key=lambda row: -row.score)
    if plot is not None:
        from pocketsr.cli.score_plane import draw

        draw(track, rows, plot, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps(_facts(track, rows, mine, measured), indent=2, ensure_ascii=False))
    elif against:
        click.echo("\n".join(_ranking(track, rows, mine)))
    elif mine:
        click.echo(f"{mine.score:.2f}")
    if measured:
        click.echo(f"note: measured were {measured}; the track's terms are {track.terms}", err=True)
    if plot is not None:
        click.echo(f"drawn: {plot}", err=True)


def _needed(track: Track, score: float, psnr_db: float | None, runtime_ms: float | None) -> str:
    if psnr_db is None and runtime_ms is not None:
        return f"{track.required_psnr(score, runtime_ms):.3f} dB"
    if psnr_db is not None and runtime_ms is None:
        return f"{track.required_runtime(score, psnr_db):.3f} ms"
    raise click.UsageError("--reach takes one of --psnr and --runtime, and prints the other")


def _recorded(record: Record, track: Track, folder: str | None, protocol: str | None) -> tuple[float, float, str]:
    """Return PSNR in dB and runtime in ms of a record, and in words how they were measured."""
    from pocketsr.errors import DataError

    model, latency = record.model, record.latency
    if model.scale != track.scale:
        raise DataError(
            f"{track.name} is for ×{track.scale}; the record's model {model.name!r} upscales by {model.scale}"
        )
    if latency is None:
        raise DataError("the record has no latency; write it with `evaluate --time -o`, or give --psnr and --runtime")
    if (latency.height, latency.width) != (track.height, track.width):
        raise DataError(
            f"{track.name} times inputs of {track.height}×{track.width}; the record's latency is of {latency.height}×"
            f"{latency.width}. Time that size with `bench`, and give --psnr and --runtime"
        )
    folders = {report.folder: report for report in record.reports}
    if len(folders) != len(record.reports):
        raise DataError(
            "the record has two folders of one name; write it with one of them, or give --psnr and --runtime"
        )
    report = _one(folders, folder, "--folder")
    figures = _one(report.means, protocol, "--protocol")
    terms = next(name for name, found in report.means.items() if found is figures)
    psnr_db = figures.get("psnr_db")
    if psnr_db is None:
        raise DataError(f"the record has no finite PSNR of {report.folder} under {terms}; a score needs one")
    ran = f"{latency.threads} threads of {record.processor or 'an unnamed processor'}"
    words = f"{model.precision} " if model.precision else ""
    return psnr_db, latency.median_ms, f"{words}PSNR on {report.folder} under {terms} and runtime on {ran}"


def _one(choices: Mapping[str, _Kind], name: str | None, option: str) -> _Kind:
    if name is None and len(choices) == 1:
        return next(iter(choices.values()))
    if name is None:
        raise click.UsageError(f"the record has several: choose with {option} among {', '.join(choices)}")
    if name not in choices:
        raise click.UsageError(f"the record has no {name!r}: choose with {option} among {', '.join(choices)}")
    return choices[name]


def _facts(track: Track, rows: Sequence[Standing], mine: Standing | None, measured: str | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"track": dataclasses.asdict(track)}
    if mine:
        facts |= {"score": mine.score, "place": rows.index(mine) + 1}
    if measured:
        facts["measured"] = measured
    return {**facts, "rows": [dataclasses.asdict(row) for row in rows]}


def _ranking(track: Track, rows: Sequence[Standing], mine: Standing | None) -> list[str]:
    from pocketsr.evaluate.challenge import pareto_front

    front = pareto_front(rows)
    width = max(len(row.name) for row in rows)
    lines = [
        f"{track.title}, ×{track.scale}",
        f"{'':3} {'':<{width}} {'PSNR dB':>9} {'ms':>8} {'score':>8} {'printed':>8}",
    ]
    for place, row in enumerate(rows, 1):
        printed = "" if row.printed is None else f"{row.printed:.2f}"
        marks = (" < here" if row is mine else "") + (" front" if row in front else "") + (" *" if row.suspect else "")
        figures = f"{row.psnr_db:>9.3f} {row.runtime_ms:>8.2f} {row.score:>8.2f} {printed:>8}"
        lines.append(f"{place:>2}. {row.name:<{width}} {figures}{marks}")
    lines += ["", "front: none is both better and quicker.", f"Terms: {track.terms}.", f"Formula: {track.source}."]
    lines += [f"* {reason}." for reason in dict.fromkeys(row.suspect for row in rows if row.suspect)]
    if mine and rows[0] is not mine:
        best = rows[0].score
        line = f"First place needs {track.required_psnr(best, mine.runtime_ms):.3f} dB at {mine.runtime_ms:g} ms"
        if mine.score:
            line += f", or {track.required_runtime(best, mine.psnr_db):.2f} ms at {mine.psnr_db:g} dB"
        lines.append(f"{line}.")
    return lines
