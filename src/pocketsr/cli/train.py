"""``pocketsr train``: a recipe and a folder of images become a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from pocketsr.data import Pair
    from pocketsr.train import Checkpoint, Processes, Recipe


def _recipes() -> str:
    """Return the names of all recipes, read without importing torch."""
    files = (resources.files("pocketsr") / "recipes").iterdir()
    return ", ".join(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@click.command(epilog=f"Recipes: {_recipes()}.")
@click.argument("recipe")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of images, or one laid out as DIV2K.")
@click.option("--valid", type=click.Path(path_type=Path), help="Folder of images kept apart, for the curve.")
@click.option(
    "--reading", "readings", multiple=True, help="Follow another reading of the paper that the recipe offers."
)
@click.option("--network", help="Train another network; for recipes that are meant for any.")
@click.option("-s", "--scale", type=click.IntRange(2, 4), help="Train for another scale.")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Begin with the weights of a checkpoint.")
@click.option("--teacher", type=click.Path(path_type=Path), help="Network to learn from; for recipes that are taught.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the run [default: runs/RECIPE].")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="always",
    default="never",
    type=click.Choice(["always", "auto", "never"]),
    help="Go on where the run in that folder stopped; with auto, or begin if there is none.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Other first weights and patches than the recipe's.")
@click.option("--steps", type=click.IntRange(min=1), help="Cut every stage to at most this many steps.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, how large it is and how long it takes.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto]")
@click.option("--compile", "backend", help="Run the network through torch.compile with this backend (inductor).")
@click.option("--pictures", type=click.IntRange(min=1), help="Draw validation crops every so many steps.")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="Processor threads [default: all].")
def command(
    recipe: str,
    data: Path | None,
    valid: Path | None,
    readings: tuple[str, ...],
    network: str | None,
    scale: int | None,
    start: Path | None,
    teacher: Path | None,
    output: Path | None,
    resume: str,
    seed: int | None,
    steps: int | None,
    dry_run: bool,
    device: str,
    backend: str | None,
    pictures: int | None,
    threads: int | None,
) -> None:
    """Train a network: RECIPE is a name that comes with pocketsr or a .toml file.

    Ctrl-C saves the state and stops; --resume goes on from there to the same bits. Several processes train together
    under torchrun: torchrun --nproc-per-node 2 -m pocketsr train RECIPE ...
    """
    from rich.console import Console

    from pocketsr.cli.torch import import_torch
    from pocketsr.cli.train_checks import state_to_go_on_from

    torch = import_torch()
    from pocketsr.compress.integer import REWRITES
    from pocketsr.train import check_recipe, join_processes, load_recipe, readings_of

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = _changed(load_recipe(recipe, readings=readings), network, scale, seed, steps)
    chosen = _watched(chosen, backend, pictures)
    if teacher is not None:
        chosen = chosen.taught_by(str(teacher))
    if dry_run:
        from pocketsr.cli.train_plan import plan

        with join_processes(device) as processes:
            for line in plan(chosen, readings_of(recipe), processes):
                if processes.is_main:
                    click.echo(line)
        return
    if data is None:
        raise click.UsageError("--data FOLDER says which images to train on; --dry-run needs none")
    folder = output or Path("runs") / _run_name(chosen, load_recipe(recipe), readings)
    with join_processes(device) as processes:
        # What is wrong is said before images are read, which may take minutes.
        check_recipe(chosen, REWRITES, world=processes.world)
        state = state_to_go_on_from(chosen, folder, resume, start)
        console = Console(stderr=True, quiet=not processes.is_main)
        pairs, valid_pairs = _images(chosen, data, valid, console)
        result = _train(chosen, pairs, valid_pairs, folder, state, start, processes, console)
    if not result.is_finished:
        stage = chosen.stages[result.stage].name
        console.print(f"stopped in stage {stage!r} at step {result.step}; the same command with --resume goes on")
        raise SystemExit(130)
    if processes.is_main:
        click.echo(folder / f"{chosen.stages[-1].name}.pt")


def _changed(recipe: Recipe, network: str | None, scale: int | None, seed: int | None, steps: int | None) -> Recipe:
    """Return the recipe as the options have it."""
    import dataclasses

    from pocketsr.networks import NETWORKS

    if network is not None and scale is None and network in NETWORKS:  # the recipe's scale if it has that, else its own
        scales = NETWORKS[network].scales
        scale = recipe.scale if recipe.scale in scales else scales[-1]
    if network is not None or scale is not None:
        options = {} if scale is None else {"scale": scale}
        recipe = recipe.for_network(network or recipe.network.name, options)
    if seed is not None:
        recipe = dataclasses.replace(recipe, seed=seed)
    if steps is not None:
        recipe = recipe.shortened(steps)
    return recipe


def _watched(recipe: Recipe, backend: str | None, pictures: int | None) -> Recipe:
    """Return the recipe as it is to be run and looked at, which has no part in its result."""
    import dataclasses

    changes: dict[str, Any] = {} if backend is None else {"compile": backend}
    if pictures is not None:
        changes["picture_every"] = pictures
    stages = tuple(dataclasses.replace(stage, **changes) for stage in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)


def _run_name(recipe: Recipe, plain: Recipe, readings: Sequence[str]) -> str:
    """Return a name for the run that tells it from others of the same recipe."""
    parts = [recipe.name, *readings]
    if recipe.network.name != plain.network.name:
        parts.append(recipe.network.name)
    if recipe.network != plain.network and recipe.scale != plain.scale:
        parts.append(f"x{recipe.scale}")
    return "-".join(parts)


def _images(
    recipe: Recipe, data: Path, valid: Path | None, console: Console
) -> tuple[Mapping[int, Sequence[Pair]], Sequence[Pair]]:
    """Read the images to train on, and those to validate on if there are any."""
    from pocketsr.image import has_part
    from pocketsr.train.load import load_training, load_validation

    console.print(f"{recipe.name}: reading images from {data}", highlight=False, soft_wrap=True)
    pairs = load_training(recipe, data)
    for stage in recipe.stages:
        scales = stage.scales or (recipe.scale,)
        small = [pair for scale in scales for pair in pairs[scale] if min(pair.low.shape[:2]) < stage.patch]
        if small:
            words = f"{len(small)} images are smaller than a patch of {stage.patch}×{stage.patch}"
            console.print(f"stage {stage.name!r}: {words} and are left out", highlight=False)
    if valid is None and not has_part(data, "valid"):
        return pairs, ()
    return pairs, load_validation(recipe, valid or data)


def _train(
    recipe: Recipe,
    pairs: Mapping[int, Sequence[Pair]],
    valid_pairs: Sequence[Pair],
    folder: Path,
    state: Checkpoint | None,
    start: Path | None,
    processes: Processes,
    console: Console,
) -> Checkpoint:
    from pocketsr.cli.process import stop_on_signal
    from pocketsr.cli.train_panel import TrainPanel
    from pocketsr.compress.integer import PENALTIES, REWRITES
    from pocketsr.train import Event, Records, train

    folder.mkdir(parents=True, exist_ok=True)
    processes.wait()  # nobody begins to write before everybody has looked
    with stop_on_signal() as should_stop, TrainPanel(console, recipe, state.history if state else ()) as panel:
        records = Records(folder, recipe, state, panel.note) if processes.is_main else None

        def on_event(event: Event) -> None:
            assert records is not None
            records.add(event)
            panel.show(event)

        result = train(
            recipe,
            pairs,
            folder=folder,
            valid_pairs=valid_pairs,
            resume=state is not None,
            start=start,
            rewrites=REWRITES,
            penalties=PENALTIES,
            processes=processes,
            on_event=on_event,
            on_note=panel.note,
            should_stop=should_stop,
        )
        if records is not None:
            records.close()
    return result
