"""What the folder of a finished run says of itself: recipe, readings, steps, hours, curve.

A pipeline of ``pocketsr compress`` is a run whose stages are the trainings of its steps. Knows nothing of model files.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import json
import shlex
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from pocketsr.errors import CheckpointError, UnknownNameError
from pocketsr.pipeline.compression import load_pipeline, pipeline_names
from pocketsr.train import Recipe, load_recipe, read_checkpoint, readings_of, recipe_names
from pocketsr.train.curve import CSV_FILE
from pocketsr.train.stage_run import STATE_FILE

#: Columns of the curve that are kept.
_COLUMNS = ("stage", "step", "loss", "learning_rate", "psnr_db")
#: Kinds of steps that leave another network than the last training did.
_CHANGES = ("prune", "quantise")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of a run.

    Attributes:
        recipe: As it was run.
        float_checkpoint: Result of the last float stage.
        integer_checkpoint: Result of the last integer stage; None where there is none.
        readings: Readings of the recipe that were laid over it.
        hours: What its steps took at the curve's usual pace, validations and pauses not counted; None without a curve.
        curve: The curve's rows: stage, step, loss, learning rate and, at validations, PSNR in dB.
        command: What makes such weights again, but for the folders of images.
        splits_sums: Whether its integer stages split sums; what is quantised after training does so, too.
        own_steps: Whether they give sums steps of their own.
    """

    recipe: Recipe
    float_checkpoint: Path
    integer_checkpoint: Path | None
    readings: tuple[str, ...]
    hours: float | None
    curve: tuple[tuple[str | float | None, ...], ...]
    command: str
    splits_sums: bool
    own_steps: bool

    def curve_record(self, name: str) -> dict[str, Any]:
        """Return what is kept of the run beside the model: the recipe with its digest, and the curve."""
        return {
            "name": name,
            "recipe_sha256": recipe_digest(self.recipe),
            "recipe": json.loads(json.dumps(self.recipe.to_dict())),
            "columns": list(_COLUMNS),
            "rows": [list(row) for row in self.curve],
        }


class _Read(NamedTuple):
    """A folder as it was read: the recipe, the result of each stage, the curve's rows, readings, what ran it."""

    recipe: Recipe
    results: dict[str, Path]
    rows: list[dict[str, str]]
    readings: tuple[str, ...]
    command: str


def read_run(folder: Path, *, floats_only: bool = False) -> RunFacts:
    """Read the folder of a run of ``pocketsr train``, or of a pipeline.

    Args:
        folder: Of the run.
        floats_only: Leave integer stages out, finished or not: they had no part in what is made of the run.

    Raises:
        CheckpointError: There is no run, one that is not finished, or one without a float network.
    """
    found = _read(folder)
    of_integers = [stage for stage in found.recipe.stages if stage.arithmetic == "integer"]
    if len(of_integers) == len(found.recipe.stages):
        raise CheckpointError(f"{folder} has integer stages only; the float network is needed too")
    found = _without(found, {stage.name for stage in of_integers}) if floats_only else found
    recipe, results = found.recipe, found.results
    if missing := [file for file in results.values() if not file.is_file()]:
        raise CheckpointError(
            f"{missing[0].parent} lacks {missing[0].name}: its run is not finished; go on with `train --resume`"
        )
    floats = [results[stage.name] for stage in recipe.stages if stage.arithmetic == "float"]
    integers = [results[stage.name] for stage in recipe.stages if stage.arithmetic == "integer"]
    return RunFacts(
        recipe=recipe,
        float_checkpoint=floats[-1],
        integer_checkpoint=integers[-1] if integers else None,
        readings=found.readings,
        hours=_hours(found.rows),
        curve=tuple(tuple(_value(row[column]) for column in _COLUMNS) for row in found.rows),
        command=found.command,
        splits_sums=any(stage.split_sums for stage in of_integers),
        own_steps=any(stage.own_steps for stage in of_integers),
    )


def _read(folder: Path) -> _Read:
    steps = [file.parent for file in sorted(folder.glob("*/step.json"))]
    return _read_pipeline(folder, steps) if steps else _read_training(folder)


def _without(found: _Read, names: Collection[str]) -> _Read:
    """Return a run without the stages of those names."""
    stages = tuple(stage for stage in found.recipe.stages if stage.name not in names)
    return found._replace(
        recipe=dataclasses.replace(found.recipe, stages=stages),
        results={name: file for name, file in found.results.items() if name not in names},
        rows=[row for row in found.rows if row["stage"] not in names],
    )


def _read_training(folder: Path) -> _Read:
    checkpoints = sorted(folder.glob("*.pt")) if folder.is_dir() else []
    if not checkpoints:
        raise CheckpointError(f"{folder} has no checkpoint; the folder of a finished run of `pocketsr train` is needed")
    state = folder / STATE_FILE
    recipe = read_checkpoint(state if state in checkpoints else checkpoints[0]).recipe
    results = {stage.name: folder / f"{stage.name}.pt" for stage in recipe.stages}
    readings = find_readings(recipe)
    return _Read(recipe, results, _rows(folder / CSV_FILE), readings, _training_command(recipe, readings))


def _read_pipeline(folder: Path, steps: Sequence[Path]) -> _Read:
    """Return a pipeline as one recipe of all its trainings, whose stages are called after its steps.

    Args:
        folder: Of the pipeline.
        steps: Folders of its finished steps, in order.
    """
    stages, results, rows, last = [], {}, [], None
    untrained = ""
    for step in steps:
        trained = sorted(step.rglob(STATE_FILE), key=lambda file: (len(file.parent.name), file.parent.name))
        for state in trained:
            last, of_stages, curve, *_ = _read_training(state.parent)
            # "03-pruned/round-1" is pruned-round-1: a step trains once, or once in each of its rounds.
            name = "-".join(state.parent.relative_to(folder).parts).partition("-")[2]
            stages.append(dataclasses.replace(last.stages[-1], name=name))
            results[name] = of_stages[last.stages[-1].name]
            rows += [{**row, "stage": name} for row in curve]
        if trained:
            untrained = ""
        elif json.loads((step / "step.json").read_text(encoding="utf-8"))["step"]["kind"] in _CHANGES:
            untrained = step.name
    if last is None:
        raise CheckpointError(f"{folder} holds a pipeline that trained nothing; a run that trains is needed")
    if untrained:
        raise CheckpointError(f"{folder}: no training comes after {untrained}; what it left is not released as it is")
    name = last.name.partition(":")[0]
    if name in pipeline_names() and len(steps) < (all_steps := len(load_pipeline(name).steps)):
        raise CheckpointError(f"{folder}: {len(steps)} of {all_steps} steps are finished; go on with `compress {name}`")
    recipe = dataclasses.replace(last, name=name, stages=tuple(stages))
    return _Read(recipe, results, rows, (), shlex.join(["pocketsr", "compress", name]))


def _training_command(recipe: Recipe, readings: Sequence[str]) -> str:
    """Return what runs a recipe as it was run, but for the folders of images."""
    words = ["pocketsr", "train", recipe.name]
    for reading in readings:
        words += ["--reading", reading]
    shipped = load_recipe(recipe.name, readings=readings) if recipe.name in recipe_names() else recipe
    if recipe.network.name != shipped.network.name:
        words += ["--network", recipe.network.name]
    if recipe.scale != shipped.scale or recipe.network.name != shipped.network.name:
        words += ["--scale", str(recipe.scale)]
    steps = [stage.steps for stage in recipe.stages]
    if steps != [stage.steps for stage in shipped.stages]:
        words += ["--steps", str(max(steps))]
    if recipe.seed != shipped.seed:
        words += ["--seed", str(recipe.seed)]
    teachers = [stage.distillation.teacher for stage in recipe.stages if stage.distillation]
    if any(teachers):
        words += ["--teacher", Path(next(filter(None, teachers))).name]
    return shlex.join(words)


def recipe_digest(recipe: Recipe) -> str:
    """Return the SHA-256 of everything that decides a run, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(recipe.to_dict(), sort_keys=True).encode()).hexdigest()


def find_readings(recipe: Recipe) -> tuple[str, ...]:
    """Return the readings that make a recipe that comes with pocketsr what was run; none where nothing does.

    >>> find_readings(load_recipe("bank", readings=["jpeg"]).shortened(20))
    ('jpeg',)
    """
    if recipe.name not in recipe_names():
        return ()
    candidates = []
    for readings in _subsets(sorted(readings_of(recipe.name))):
        with suppress(UnknownNameError):
            candidates.append((readings, load_recipe(recipe.name, readings=readings)))
    # --network and --steps change what a reading may change, too: the most alike comes first.
    for has_options, has_lengths in ((True, True), (True, False), (False, True), (False, False)):
        wanted = _essence(recipe, has_options=has_options, has_lengths=has_lengths)
        for readings, shipped in candidates:
            is_same_network = shipped.network.name == recipe.network.name
            if is_same_network is has_options and wanted == _essence(
                shipped, has_options=has_options, has_lengths=has_lengths
            ):
                return readings
    return ()


def _subsets(names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(names, count) for count in range(min(3, len(names) + 1))
    )


def _essence(recipe: Recipe, *, has_options: bool, has_lengths: bool) -> dict[str, Any]:
    """Return a recipe without what the command line changes: network, scale, seed, teacher, what is looked at."""
    plain = recipe.to_dict()
    plain.pop("seed")
    options = dict(plain.pop("network")["options"])
    options.pop("scale", None)
    plain["options"] = options if has_options else {}
    for stage in plain["stages"]:
        for key in ("compile", "picture_every", *(() if has_lengths else ("steps", "warmup_steps"))):
            stage.pop(key)
        if stage["distillation"]:
            stage["distillation"].pop("teacher")
    essence: dict[str, Any] = json.loads(json.dumps(plain))
    return essence


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _hours(rows: Sequence[dict[str, str]]) -> float | None:
    """Return the time that steps took at the usual pace of their stage: a run that was paused is no longer one."""
    paces: dict[str, list[float]] = {}
    lengths: dict[str, int] = {}
    for row in rows:
        paces.setdefault(row["stage"], []).append(float(row["steps_per_second"]))
        lengths[row["stage"]] = max(lengths.get(row["stage"], 0), int(row["step"]))
    seconds = sum(lengths[stage] / median(found) for stage, found in paces.items() if median(found) > 0)
    return round(seconds / 3600, 2) if rows else None


def _value(text: str) -> str | float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
