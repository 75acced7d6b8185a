"""``pocketsr train``: a recipe and a folder of images become a checkpoint."""

from __future__ import annotations

import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from pocketsr.train import Curve, Event


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of high-resolution images.")
@click.option("--valid", type=click.Path(path_type=Path), help="Folder of images kept apart, for the curve.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the run [default: runs/RECIPE].")
@click.option("--resume", is_flag=True, help="Go on where the run in that folder stopped.")
@click.option("--steps", type=click.IntRange(min=1), help="Cut every stage to at most this many steps.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads [default: all].")
def command(
    recipe: str,
    data: Path,
    valid: Path | None,
    output: Path | None,
    resume: bool,
    steps: int | None,
    threads: int | None,
) -> None:
    """Train a network: RECIPE is a name that comes with pocketsr or a .toml file.

    Ctrl-C saves the state and stops; --resume goes on from there to the same bits.
    """
    from rich.console import Console

    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.compress.integer import REWRITES
    from pocketsr.data import load_pairs
    from pocketsr.train import STATE_FILE, Curve, load_recipe, read_checkpoint, train
    from pocketsr.train.loop import network_for

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = load_recipe(recipe)
    if steps is not None:
        chosen = chosen.shortened(steps)
    network_for(chosen, 0, REWRITES)  # what is wrong with it is said before images are read
    folder = output or Path("runs") / chosen.name
    console = Console(stderr=True)
    console.print(f"{chosen.name}: reading images from {data}", highlight=False)
    pairs = load_pairs(data, scale=chosen.scale, shrink=chosen.data.shrink)
    valid_pairs = load_pairs(valid, scale=chosen.scale) if valid else ()
    folder.mkdir(parents=True, exist_ok=True)
    state = read_checkpoint(folder / STATE_FILE) if resume else None
    if state is None and (folder / STATE_FILE).exists():
        raise click.UsageError(f"{folder} holds a run already: add --resume, or choose another folder with -o")
    curve = Curve(folder, stage=chosen.stages[state.stage].name if state else None, step=state.step if state else 0)
    with _stop_on_signal() as should_stop, _Progress(console, curve) as progress:
        result = train(
            chosen,
            pairs,
            folder=folder,
            valid_pairs=valid_pairs,
            resume=resume,
            rewrites=REWRITES,
            on_event=progress.show,
            should_stop=should_stop,
        )
    curve.draw()
    if not result.is_finished:
        stage = chosen.stages[result.stage].name
        console.print(f"stopped in stage {stage!r} at step {result.step}; the same command with --resume goes on")
        raise SystemExit(130)
    click.echo(folder / f"{chosen.stages[-1].name}.pt")


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or termination) into a wish to stop; a second one stops at once."""
    wishes: list[int] = []

    def remember(number: int, _: types.FrameType | None) -> None:
        wishes.append(number)
        signal.signal(number, before[number])

    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """A live line on a terminal, a line for each validation elsewhere; the curve is kept either way."""

    def __init__(self, console: Console, curve: Curve) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console, self._curve = console, curve
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._stage = ""
        self._psnr = ""

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Take one event of the training loop."""
        self._curve.add(event)
        if event.stage.name != self._stage:
            self._stage = event.stage.name
            self._task = self._bar.add_task(self._stage, total=event.stage.steps, words="")
        if event.psnr_db is not None:
            self._psnr = f", {event.psnr_db:.3f} dB"
            self._curve.draw()
        minutes = event.seconds_left / 60
        words = f"loss {event.loss:.5f}{self._psnr}, {minutes:.1f} min left"
        self._bar.update(self._task, completed=event.step, words=words)
        if not self._console.is_terminal and event.psnr_db is not None:
            self._console.print(f"{self._stage} {event.step}/{event.stage.steps}: {words}", highlight=False)
