"""What ``pocketsr train --dry-run`` says: the recipe as it will run, the network's size, time and memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pocketsr.cli.train_checks import with_stand_ins

if TYPE_CHECKING:
    from pocketsr.train import Processes, Recipe


def plan(recipe: Recipe, readings: Mapping[str, str], processes: Processes) -> Iterator[str]:
    """Yield the lines of the plan; takes a few real steps of each stage to time them.

    Raises:
        PocketsrError: The recipe cannot be run as it stands; of files, only VGG-19's weights may be missing.
    """
    with TemporaryDirectory() as folder:
        timed, missing = with_stand_ins(recipe, Path(folder))
        yield from _plan(recipe, timed, readings, processes)
    if missing:
        yield f"missing    {missing} (timed with random weights)"


def _plan(recipe: Recipe, timed: Recipe, readings: Mapping[str, str], processes: Processes) -> Iterator[str]:
    from pocketsr.compress.integer import REWRITES
    from pocketsr.train import check_recipe
    from pocketsr.train.estimate import estimate

    check_recipe(timed, REWRITES, world=processes.world)
    yield f"{recipe.name}: {recipe.description}"
    yield f"network    {recipe.network}"
    yield from (f"           {line}" for line in _size(recipe))
    if recipe.starts_from:
        yield f"starts     from the result of {recipe.starts_from} (--from)"
    data = recipe.data
    yield f"data       {data.name or 'any images'}, made smaller by {', '.join(map(str, data.degradation))}"
    if data.licence:
        yield f"           weights trained on it: {data.licence}"
    hours = 0.0
    for index, stage in enumerate(recipe.stages):
        yield f"stage      {stage.name}"
        yield from (f"             {name} = {value}" for name, value in _settings(stage))
        found = estimate(timed, index, REWRITES, processes)
        hours += found.hours
        yield f"             trains {found.trained:,} parameters, {found.step_ms:.0f} ms a step here without data"
        yield f"             about {_hours(found.hours)}; memory so far {found.peak_mb:,.0f} MB, images not counted"
    yield f"in all     about {_hours(hours)} on this machine ({processes.device})"
    for name, why in readings.items():
        yield f"reading    {name}: {why}"


def _size(recipe: Recipe) -> Iterator[str]:
    import torch

    from pocketsr.cli.networks import gmacs
    from pocketsr.errors import LoweringError
    from pocketsr.lower import trace
    from pocketsr.networks import build

    network = build(recipe.network.name, recipe.network.options)
    with torch.no_grad():
        folded = network.folded()
    yield f"{sum(parameter.numel() for parameter in folded.parameters()):,} parameters as it ships"
    try:
        graph = trace(folded)
    except LoweringError as error:
        yield f"operations not counted: {error}"
    else:
        yield f"{gmacs(graph, recipe.scale, (1080, 1920)):.2f} GMAC for a frame of 1080p"


def _settings(stage: Any) -> Iterator[tuple[str, str]]:
    """Yield a stage's settings, those that decide most always and others where they are not the default."""
    always = ("steps", "batch", "patch", "losses", "optimiser", "learning_rate", "schedule", "precision")
    for field in dataclasses.fields(stage):
        value = getattr(stage, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if field.name != "name" and (field.name in always or value != default):
            yield field.name, _words(value)


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return " + ".join(map(str, value)) or "none"
    if dataclasses.is_dataclass(value) and not hasattr(value, "options"):
        fields = dataclasses.fields(value)
        return ", ".join(f"{field.name} {_words(getattr(value, field.name))}" for field in fields)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _hours(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
