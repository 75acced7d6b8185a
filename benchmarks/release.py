"""Makes a finished run a model of the catalogue: files, figures, card, entry and learning curve, by one command.

    python benchmarks/release.py run RUN NAME --style clean --to wheel --order 1 --data DATA
    python benchmarks/release.py again NAME... --data DATA      figures of the files that are there, made again
    python benchmarks/release.py move NAME... [--order N]       from the wheel to the bank, or from there to the wheel
    python benchmarks/release.py time NAME...                   how long a frame takes here; leave the machine alone

RUN is a folder of `pocketsr train`, or of a pipeline of `pocketsr compress`. DATA holds `train`, `benchmarks/Set5`,
`Set14`, `BSD100` and `manifest.json`. With an integer stage its int8 file is NAME, and the last float stage's is
NAME-float; without, NAME is the float file. --quantised makes int8 of the last float stage, after training. The folded
float network goes to bank/NAME.safetensors.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

import numpy as np
import record

import pocketsr
from pocketsr.bench.latency import interleaved
from pocketsr.cli.circumstances import commit, processor
from pocketsr.errors import PocketsrError
from pocketsr.weights import STYLES, Card, Entry, Speed, find, read_card
from pocketsr.weights.shelf import Shelf

#: Low-resolution frame that is timed, and how often.
WIDTH, HEIGHT, RUNS = 640, 360, 20


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run")
    one.add_argument("run", type=Path)
    one.add_argument("name")
    one.add_argument("--style", choices=STYLES, required=True, help="what input it is for")
    one.add_argument("--to", choices=("wheel", "bank"), required=True)
    one.add_argument("--order", type=int, help="place among models taken where none is named; 0: only by name")
    one.add_argument("--summary", default="", help="one line for the card")
    one.add_argument("--scale", type=int, help="of a network that holds several")
    one.add_argument("--checkpoint", default="", help="name of the saved network, which several scales share")
    one.add_argument("--quantised", action="store_true", help="int8 after training, without integer stages")
    one.add_argument("--own-steps", action="store_true", help="of int8 after training: as of `pocketsr export`")
    one.add_argument("--without-float", action="store_true", help="no float32 file: the saved network makes it again")
    one.add_argument("--hardware", default=hardware(), help="that the run was on [default: this machine]")
    one.add_argument("--commit", default=commit(), help="of the code [default: this one]")
    one.add_argument("--command", default="", help="that makes such weights [default: told from the run]")
    one.add_argument("--use", action="append", default=[], help="one more line of intended use")
    one.add_argument("--failure", action="append", default=[], help="one more known failure")
    again = verbs.add_parser("again")
    moved = verbs.add_parser("move")
    moved.add_argument("--order", type=int, default=0, help="place there among models taken where none is named")
    timed = verbs.add_parser("time")
    for verb in (again, moved, timed):
        verb.add_argument("names", nargs="+")
    timed.add_argument("--threads", type=int, default=2)
    for verb in (one, again):
        verb.add_argument("--data", type=Path, required=True)
    for verb in (one, again, moved, timed):
        verb.add_argument("--root", type=Path, default=record.ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        {"run": release_run, "again": release_again, "move": move, "time": add_times}[options.verb](options)
    except PocketsrError as error:
        raise SystemExit(f"error: {error}") from error
    print("now `make docs`: tables and pages are written from the cards")


def release_run(options: argparse.Namespace) -> None:
    from pocketsr.pipeline.release import Wanted, release

    manifest = options.data / "manifest.json"
    card = release(
        options.run,
        Wanted(
            name=options.name,
            style=options.style,
            shelf=Shelf(options.root, is_bank=options.to == "bank"),
            summary=options.summary,
            order=options.order,
            scale=options.scale,
            checkpoint=options.checkpoint,
            quantised=options.quantised,
            own_steps=options.own_steps,
            without_float=options.without_float,
            commit=options.commit,
            hardware=options.hardware,
            command=options.command,
            intended_use=tuple(options.use),
            known_failures=tuple(options.failure),
        ),
        images=options.data / "train",
        benchmarks=options.data / "benchmarks",
        manifest=manifest if manifest.is_file() else None,
        on_note=print,
    )
    show(card)


def release_again(options: argparse.Namespace) -> None:
    from pocketsr.pipeline.publish import publish_card
    from pocketsr.pipeline.release import judged_again

    for card, shelf in cards(options):
        made = judged_again(card, shelf, benchmarks=options.data / "benchmarks")
        publish_card(made, shelf)
        show(made)


def move(options: argparse.Namespace) -> None:
    from pocketsr.pipeline.publish import move_model

    for card, shelf in cards(options):
        move_model(card, shelf, order=options.order)
        print(f"{card.name}: {'to the wheel' if shelf.is_bank else 'to the bank'}")


def add_times(options: argparse.Namespace) -> None:
    from pocketsr.pipeline.publish import publish_card

    found = cards(options)
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    grey = np.ascontiguousarray(frame[:, :, 0])  # what a model of luma enlarges itself; chroma is a resampler's work
    works = {}
    for card, shelf in found:
        for file in card.files:
            upscaler = pocketsr.load(shelf.folder / file.file, threads=options.threads)
            image = frame if upscaler.spec.channels == 3 else grey
            works[file.name] = lambda upscaler=upscaler, image=image: upscaler(image)
    times = interleaved(works, runs=RUNS)
    for card, shelf in found:
        speed = tuple(
            Speed(
                name=file.name,
                width=WIDTH,
                height=HEIGHT,
                threads=options.threads,
                median_ms=round(times[file.name].median_ms, 1),
                processor=processor(),
            )
            for file in card.files
        )
        publish_card(dataclasses.replace(card, speed=speed), shelf)
        print(*(f"{one.name}: {one.median_ms} ms" for one in speed), sep="\n")


def cards(options: argparse.Namespace) -> list[tuple[Card, Shelf]]:
    """Return the cards of the models that were named, each once, with where they lie."""
    entries: dict[str, Entry] = {entry.card: entry for entry in map(find, options.names)}
    return [
        (read_card(entry.folder / entry.card), Shelf(options.root, is_bank=not entry.is_bundled))
        for entry in entries.values()
    ]


def hardware() -> str:
    """Return this machine's processor with all its cores, however many this process may use."""
    return f"{processor().rpartition(', ')[0]}, {os.cpu_count()} cores"


def show(card: Card) -> None:
    for one in card.scores:
        figures = (one.bicubic_db, one.float32_db, one.int8_db, one.ptq_db, one.paper_db)
        print(
            f"{card.name} {one.data} {one.protocol}", *("–" if value is None else f"{value:.3f}" for value in figures)
        )


if __name__ == "__main__":
    main()
