"""``pocketsr ablate``: the arms of a paper's comparison under one budget, our figures beside the printed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.pipeline import Ablation, Arm
    from pocketsr.train import Recipe

Figures = Mapping[str, Mapping[str, float]]


def _names() -> str:
    """Return the names of all ablations, read without importing torch."""
    files = (resources.files("pocketsr") / "recipes" / "ablations").iterdir()
    return ", ".join(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@click.command(epilog=f"Ablations: {_names()}.")
@click.argument("ablation")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of images to train on.")
@click.option("--valid", type=click.Path(path_type=Path), required=True, help="Folder of images to judge on.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the runs [default: runs/ABLATION].")
@click.option("--steps", type=click.IntRange(min=1), help="Cut every stage to at most this many steps.")
@click.option("--seed", type=click.IntRange(min=0), help="Other first weights and patches than the recipe's.")
@click.option("--teacher", type=click.Path(path_type=Path), help="Network to learn from; for arms that are taught.")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="Processor threads [default: all].")
def command(
    ablation: str,
    data: Path,
    valid: Path,
    output: Path | None,
    steps: int | None,
    seed: int | None,
    teacher: Path | None,
    threads: int | None,
) -> None:
    """Train every arm of ABLATION, a name or a .toml file, and print the table.

    Ctrl-C stops; the same command goes on. The table is kept as table.json and table.md beside the runs.
    """
    from rich.console import Console

    from pocketsr.cli.process import stop_on_signal
    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.cli.train_panel import TrainPanel
    from pocketsr.pipeline import load_ablation, run_ablation
    from pocketsr.pipeline.measure import write_text
    from pocketsr.train.load import load_training, load_validation

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = load_ablation(ablation)
    recipe = chosen.recipe_of(chosen.arms[0])
    folder = output or Path("runs") / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    console.print(f"{chosen.name}: reading images from {data}", highlight=False, soft_wrap=True)
    pairs, valid_pairs = load_training(recipe, data)[recipe.scale], load_validation(recipe, valid)
    with TrainPanel(console, recipe) as panel, stop_on_signal() as should_stop:

        def on_arm(arm: Arm, _: Recipe) -> None:
            panel.note(f"arm {arm.name!r}")

        figures = run_ablation(
            chosen,
            pairs,
            valid_pairs,
            folder=folder,
            steps=steps,
            seed=seed,
            teacher=teacher,
            on_arm=on_arm,
            on_event=panel.show,
            should_stop=should_stop,
        )
    text = table(chosen, figures)
    write_text(folder / "table.md", text)
    facts = {"ablation": chosen.name, "source": chosen.source, "images": str(valid.name), "steps": steps, "seed": seed}
    printed = {arm.name: dict(arm.printed) for arm in chosen.arms}
    write_text(folder / "table.json", json.dumps({**facts, "psnr_db": figures, "printed": printed}, indent=2) + "\n")
    click.echo(text, nl=False)
    if len(figures) < len(chosen.arms):
        console.print(f"stopped after {len(figures)} of {len(chosen.arms)} arms; the same command goes on")
        raise SystemExit(130)


def table(ablation: Ablation, figures: Figures) -> str:
    """Return the table as Markdown: for each column our figure, and the paper's in brackets."""
    head = f"| {ablation.name} | {' | '.join(ablation.columns)} |"
    lines = [head, f"|---|{'---|' * len(ablation.columns)}"]
    for arm in ablation.arms:
        if arm.name in figures:
            cells = (_cell(figures[arm.name][column], arm.printed.get(column)) for column in ablation.columns)
            lines.append(f"| {arm.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"PSNR in dB; in brackets {ablation.source}."]) + "\n"


def _cell(ours: float, printed: float | None) -> str:
    return f"{ours:.3f}" if printed is None else f"{ours:.3f} ({printed:.2f})"
