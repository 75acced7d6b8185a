"""Checkpoints: the whole state of a run in one file, written whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pocketsr.choice import Choice
from pocketsr.errors import CheckpointError, SettingError, TrainingError, UnknownNameError
from pocketsr.networks.saved import load_network
from pocketsr.train.recipe import Recipe
from pocketsr.train.recipe_files import recipe_from

_FORMAT = 2
#: What torch says of a file that ends early (OSError) or holds wrong bytes (nearly anything).
_UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    pickle.UnpicklingError,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State of a run between two steps.

    Attributes:
        recipe: The recipe in use.
        stage: Index of the stage that the state belongs to.
        step: Steps done in that stage.
        network: Weights as trained.
        average: Running average of the weights: what is validated, exported and handed to the next stage.
        learner: What the next step depends on beside them: the optimiser's state, a discriminator.
        history: One row for each validation so far.
    """

    recipe: Recipe
    stage: int
    step: int
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    learner: Mapping[str, Any]
    history: tuple[Mapping[str, float | str], ...]

    @property
    def is_finished(self) -> bool:
        """Whether the last stage is done."""
        return self.stage == len(self.recipe.stages) - 1 and self.step == self.recipe.stages[-1].steps

    @property
    def best_db(self) -> float | None:
        """Return the best validation PSNR of the stage so far, None before the first."""
        name = self.recipe.stages[self.stage].name
        return max((float(row["psnr_db"]) for row in self.history if row["stage"] == name), default=None)


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write to a temporary file beside ``path`` and rename it: a killed run leaves the last whole state.

    Raises:
        TrainingError: The disk is full or the folder cannot be written; what ``path`` held before is still there.
    """
    values = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    values["recipe"] = checkpoint.recipe.to_dict()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save({"format": _FORMAT, **values}, file)
            file.flush()
            os.fsync(file.fileno())  # a rename may reach the disk before the bytes do
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise TrainingError(f"{path} cannot be written: {_reason(error)}; the state saved last is whole") from error
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
    except (SettingError, UnknownNameError) as error:
        raise CheckpointError(f"{path} holds a recipe that this version of pocketsr does not know: {error}") from error
    except _UNREADABLE as error:
        raise CheckpointError(
            f"{path} is not a checkpoint that pocketsr can read ({type(error).__name__}); "
            "a whole .pt of `pocketsr train` is needed"
        ) from error


def begin_from(network: nn.Module, recipe: Recipe, path: Path) -> tuple[str, ...]:
    """Give a fresh network the averaged weights of a checkpoint: a warm start.

    Layers whose shape depends on the scale stay fresh where the scales differ, and so do those that a deeper network
    has more.

    Args:
        network: Changed in place.
        recipe: What it is about to be trained by.
        path: A checkpoint of the same network, of a stage of float arithmetic; or a saved or imported network
            (``.safetensors``).

    Returns:
        Names of the weights that stay fresh.

    Raises:
        CheckpointError: The file cannot be read, or holds another network or integer arithmetic.
    """
    theirs, weights = _network_and_weights(path)
    if theirs.name != recipe.network.name:
        raise CheckpointError(f"{path} holds {theirs.name}; recipe {recipe.name!r} trains {recipe.network.name}")
    own = network.state_dict()
    fresh = tuple(name for name, value in own.items() if name not in weights or weights[name].shape != value.shape)
    if len(fresh) == len(own):
        raise CheckpointError(f"{path} holds no weight that fits; its options are {dict(theirs.options)}")
    differs = {key for key in ("scale", "depth") if theirs.options.get(key) != recipe.network.options.get(key)}
    if "scale" not in differs:
        lacking = [name for name in fresh if name in weights or "depth" not in differs]
        surplus = [name for name in weights if name not in own]
        if lacking or surplus:
            named, word = lacking or surplus, "lacks" if lacking else "has more:"
            raise CheckpointError(
                f"{path} {word} {', '.join(named[:3])}{'...' if len(named) > 3 else ''}; "
                f"it was trained with the options {dict(theirs.options)}, not {dict(recipe.network.options)}"
            )
    network.load_state_dict({**own, **{name: weights[name] for name in own if name not in fresh}})
    return fresh


def _network_and_weights(path: Path) -> tuple[Choice, Mapping[str, Tensor]]:
    """Return which network a file holds, and its float weights."""
    if path.suffix == ".safetensors":
        network, facts = load_network(path)
        return Choice(name=facts["name"], options=facts["options"]), network.state_dict()
    state = read_checkpoint(path)
    if state.recipe.stages[state.stage].arithmetic != "float":
        raise CheckpointError(f"{path} is of integer arithmetic; begin from the float stage's result beside it")
    return state.recipe.network, state.average


def _reason(error: Exception) -> str:
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return "the disk is full" if is_full else str(error).splitlines()[0]
