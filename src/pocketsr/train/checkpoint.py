"""Checkpoints: the whole state of a run in one file, written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pocketsr.errors import CheckpointError
from pocketsr.train.recipe import Recipe, recipe_from

_FORMAT = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State of a run between two steps.

    Attributes:
        recipe: The recipe in use.
        stage: Index of the stage that the state belongs to.
        step: Steps done in that stage.
        network: Weights as trained.
        average: Running average of the weights: what is validated, exported and handed to the next stage.
        optimiser: State of the optimiser; empty once a stage is done.
        history: One row for each validation so far.
    """

    recipe: Recipe
    stage: int
    step: int
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    history: tuple[Mapping[str, float | str], ...]

    @property
    def is_finished(self) -> bool:
        """Whether the last stage is done."""
        return self.stage == len(self.recipe.stages) - 1 and self.step == self.recipe.stages[-1].steps


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write to a temporary file beside ``path`` and rename it: a killed run leaves the last whole state."""
    values = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    values["recipe"] = checkpoint.recipe.to_dict()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"format": _FORMAT, **values}, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what ``write_checkpoint`` wrote. Loads tensors and plain values only: a file cannot run code.

    Raises:
        CheckpointError: The file is missing, damaged, or not a checkpoint of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if values.pop("format") != _FORMAT:
            raise CheckpointError(f"{path} was written by another version of pocketsr; train again or use that version")
        values["recipe"] = recipe_from(values["recipe"])
        return Checkpoint(**values)
    except (RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint that pocketsr can read ({type(error).__name__}); "
            "a whole .pt of `pocketsr train` is needed"
        ) from error
