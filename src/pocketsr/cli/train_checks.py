"""What ``pocketsr train`` looks at before it reads images: the run's folder, its state, and files a recipe needs."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.train import Checkpoint, Recipe


def state_to_go_on_from(recipe: Recipe, folder: Path, resume: str, start: Path | None) -> Checkpoint | None:
    """Return the state that a run resumes, or None for a new run, once all that it needs has been found fit.

    Args:
        recipe: What is to run.
        folder: Where; it need not exist yet.
        resume: ``always``, ``auto`` or ``never``.
        start: What a new run begins with, if anything.

    Raises:
        UsageError: The folder cannot be one or cannot be written, or what ``start`` names is missing.
        CheckpointError: There is nothing to resume, or the state or ``start`` belongs to something else.
        SettingError: The folder holds a run already, or the recipe starts from another's result.
    """
    from pocketsr.errors import CheckpointError
    from pocketsr.train import STATE_FILE, check_start, state_to_resume

    _check_folder(folder)
    has_state = (folder / STATE_FILE).exists()
    if resume == "always" and not has_state:
        raise CheckpointError(f"{folder} holds no run to resume; leave --resume out, or say --resume=auto")
    if resume != "never" and has_state:
        return state_to_resume(recipe, folder)
    check_start(recipe, folder, start)
    return None


def with_stand_ins(recipe: Recipe, folder: Path) -> tuple[Recipe, str]:
    """Return the recipe with random weights in place of VGG-19's where these are not at hand, and what is missing.

    They take as long and as much memory as the real ones.

    Args:
        recipe: What is to be timed.
        folder: An empty one, for a file of random weights.
    """
    import torch

    from pocketsr.choice import make
    from pocketsr.errors import CheckpointError, SettingError
    from pocketsr.train.losses import LOSSES
    from pocketsr.train.losses.perceptual import features_up_to

    missing = ""
    stages = []
    for stage in recipe.stages:
        losses = []
        for term in stage.losses:
            if term.name == "vgg":
                try:
                    make("loss", LOSSES, term)
                except (SettingError, CheckpointError) as error:
                    missing, file = str(error), folder / "vgg19.pth"
                    if not file.exists():
                        torch.save(features_up_to("conv5_4", relu=False).state_dict(), file)
                    term = dataclasses.replace(term, options={**term.options, "weights": str(file)})
            losses.append(term)
        stages.append(dataclasses.replace(stage, losses=tuple(losses)))
    return dataclasses.replace(recipe, stages=tuple(stages)), missing


def _check_folder(folder: Path) -> None:
    """Refuse what cannot be made or written to, without making anything."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise click.UsageError(f"{place} is a file; a run needs a folder: choose another with -o")
    if not os.access(place, os.W_OK | os.X_OK):
        raise click.UsageError(f"{place} cannot be written to; choose another folder with -o")
