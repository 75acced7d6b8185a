"""``pocketsr compress``: a pipeline of distilling, pruning, quantising and lowering, measured step by step."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.pipeline.compression import Step


def _names() -> str:
    """Return the names of all pipelines, read without importing torch."""
    files = (resources.files("pocketsr") / "recipes" / "pipelines").iterdir()
    return ", ".join(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@click.command(epilog=f"Pipelines: {_names()}.")
@click.argument("pipeline")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of images to train on.")
@click.option("--valid", type=click.Path(path_type=Path), required=True, help="Folder of images to measure on.")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Network to begin with (.safetensors or .pt).")
@click.option("--teacher", type=click.Path(path_type=Path), help="Network to learn from, where a step leaves it open.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the run [default: runs/PIPELINE].")
@click.option("--steps", type=click.IntRange(min=1), help="Cut every stage to at most this many optimiser steps.")
@click.option("--size", default="180x320", show_default=True, metavar="HxW", help="Image that is timed.")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="Processor threads [default: all].")
def command(
    pipeline: str,
    data: Path,
    valid: Path,
    start: Path | None,
    teacher: Path | None,
    output: Path | None,
    steps: int | None,
    size: str,
    threads: int | None,
) -> None:
    """Take every step of PIPELINE, a name or a .toml file, and write a report.

    What each step leaves and its measured row are kept; Ctrl-C stops, and the same command goes on. At the end all
    files are timed in turn; a finished pipeline only times them again, which wants a machine with nothing else to do.
    """
    from rich.console import Console

    from pocketsr.cli.export import parse_size
    from pocketsr.cli.process import stop_on_signal
    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.choice import Choice
    from pocketsr.cli.train_panel import TrainPanel
    from pocketsr.pipeline import Around, Ruler, load_pipeline, run_pipeline, write_report
    from pocketsr.train import Recipe, Stage
    from pocketsr.train.load import load_training, load_validation

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = load_pipeline(pipeline)
    chosen = chosen if steps is None else chosen.shortened(steps)
    bound = parse_size(size)
    assert bound is not None
    folder = output or Path("runs") / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    console.print(f"{chosen.name}: reading images from {data}", highlight=False, soft_wrap=True)
    network = Choice(name="any", options={"scale": chosen.scale})
    recipe = Recipe(name=chosen.name, network=network, data=chosen.data, stages=(Stage(name="all", steps=1),))
    pairs, valid_pairs = load_training(recipe, data), load_validation(recipe, valid)
    ruler = Ruler(pairs=valid_pairs, height=bound[0], width=bound[1], threads=threads)
    with TrainPanel(console, recipe) as panel, stop_on_signal() as should_stop:

        def on_step(step: Step) -> None:
            panel.note(f"step {step.name!r}")

        around = Around(
            pairs=pairs,
            ruler=ruler,
            folder=folder,
            teacher=teacher,
            on_event=panel.show,
            on_note=panel.note,
            should_stop=should_stop,
        )
        rows = run_pipeline(chosen, around, start=start, on_step=on_step)
    if len(rows) < len(chosen.steps):
        console.print(f"stopped after {len(rows)} of {len(chosen.steps)} steps; the same command goes on")
        raise SystemExit(130)
    report = write_report(chosen, rows, ruler, folder)
    click.echo(report.read_text(encoding="utf-8"), nl=False)
    click.echo(f"{report}", err=True)
