"""Compression pipelines: steps in any order from a network to a small file, each with its measured row.

    train ─► prune ─► fine-tune ─► fold ─► quantise ─► lower
      └─ row ── row ───── row ────── row ───── row ────── row ─► report

A step takes what the last one left, a float network or one of integer arithmetic, and leaves another. What it left and
its row are kept in the run's folder, so that a stopped pipeline goes on where it was. ``train`` serves for learning
from scratch, from a teacher (``distillation``), fine-tuning and quantisation-aware training alike: they are stages.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pocketsr.choice import Choice
from pocketsr.compress.prune import Pruning
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.pipeline.measure import MEASURED, Row, write_text
from pocketsr.pipeline.steps import STEPS, Around, Work, begun_from
from pocketsr.train.recipe import DataChoice, Stage
from pocketsr.train.recipe_files import read_toml, toml_names
from pocketsr.train.tables import read_table

Kind = Literal["train", "prune", "fold", "equivalent", "quantise", "lower"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a pipeline.

    Attributes:
        name: Word for the step in files and in the report.
        kind: What it does: ``train`` runs its stage; ``prune`` takes channels out, with its stage after each round
            where it has one; ``fold`` leaves a plain network; ``equivalent`` folds the skip into convolutions from
            here on; ``quantise`` takes ranges from images (after training); ``lower`` writes the file.
        network: A fresh network to go on with instead of the last step's.
        stage: Of ``train`` and ``prune``. A teacher called ``@NAME`` is what the step of that name left.
        prune: Of ``prune``.
        rounds: Of ``prune``: the ratio is reached in that many prunings.
        calibration: Of ``quantise``: ``minmax``, ``percentile`` or ``mse``.
    """

    name: str
    kind: Kind
    network: Choice | None = None
    stage: Stage | None = None
    prune: Pruning | None = None
    rounds: int = 1
    calibration: Literal["minmax", "percentile", "mse"] = "minmax"

    def __post_init__(self) -> None:
        if self.kind == "train" and self.stage is None:
            raise SettingError(f"step {self.name!r} trains: it needs a table `stage`")
        if self.kind == "prune" and self.prune is None:
            raise SettingError(f"step {self.name!r} prunes: it needs a table `prune`")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Steps from a network to a small file.

    Attributes:
        name: Name of the pipeline.
        description: One sentence for people.
        source: Whose pipeline it is.
        data: What is trained on.
        steps: What happens, in order.
        seed: Decides first weights, patches and random pruning.
    """

    name: str
    description: str = ""
    source: str = ""
    data: DataChoice = dataclasses.field(default_factory=DataChoice)
    steps: tuple[Step, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names):
            raise SettingError(f"pipeline {self.name!r}: steps need names, each another; there are {', '.join(names)}")
        for number, step in enumerate(self.steps):
            teacher = step.stage.distillation.teacher if step.stage and step.stage.distillation else ""
            if teacher.startswith("@") and teacher[1:] not in names[:number]:
                raise UnknownNameError.among("earlier step", teacher[1:], names[:number])

    @property
    def scale(self) -> int:
        """Factor of the first network that a step names, 3 where it leaves it out."""
        networks = [step.network for step in self.steps if step.network is not None]
        return int(networks[0].options.get("scale", 3)) if networks else 3

    def shortened(self, steps: int) -> Pipeline:
        """Return the same pipeline with every stage at most ``steps`` optimiser steps long."""

        def cut(step: Step) -> Step:
            if step.stage is None:
                return step
            stage = step.stage
            shorter = dataclasses.replace(
                stage, steps=min(stage.steps, steps), warmup_steps=min(stage.warmup_steps, steps)
            )
            return dataclasses.replace(step, stage=shorter)

        return dataclasses.replace(self, steps=tuple(map(cut, self.steps)))


def pipeline_names() -> tuple[str, ...]:
    """Return the names of the pipelines that come with pocketsr."""
    return toml_names("pipeline")


def load_pipeline(name_or_path: str) -> Pipeline:
    """Read a pipeline that comes with pocketsr, or one from a ``.toml`` file.

    Raises:
        UnknownNameError: None has that name.
        SettingError: The file cannot be read, or a key or value in it is wrong.
    """
    values = read_toml("pipeline", name_or_path)
    for step in values.get("steps", []):
        if isinstance(step.get("stage"), dict):
            step["stage"].setdefault("name", str(step.get("name", "")))
    pipeline = read_table(Pipeline, values, "pipeline")
    assert isinstance(pipeline, Pipeline)
    return pipeline


def run_pipeline(
    pipeline: Pipeline,
    around: Around,
    *,
    start: Path | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Sequence[tuple[Step, Row]]:
    """Take every step, or those that are left.

    Args:
        pipeline: What to do.
        around: Images, folder and listeners.
        start: Saved network (``.safetensors``) or float checkpoint whose weights the first step takes.
        on_step: Called before each step that is taken.

    Returns:
        Each finished step and its row; fewer than there are where it was asked to stop. Once all are finished their
        files are timed together, every time this is called.

    Raises:
        SettingError: The folder holds another pipeline's steps, or a step does not fit what comes before it.
    """
    steps = list(pipeline.steps)
    work = None
    if start is not None:
        work = begun_from(start, steps[0], pipeline, around)
        steps[0] = dataclasses.replace(steps[0], network=None)
    done: list[tuple[Step, Row]] = []
    files: dict[str, Path] = {}
    for number, step in enumerate(steps):
        folder = around.folder / f"{number + 1:02}-{step.name}"
        kept = folder / "step.json"
        if kept.exists():
            said = json.loads(kept.read_text(encoding="utf-8"))
            if not _is_described(step, pipeline, said["step"]):
                raise SettingError(f"{folder} holds another step than {step.name!r} is now; choose another folder")
            work, row = Work.from_dict(said["work"], around.folder), Row(**said["row"])
        else:
            on_step(step)
            folder.mkdir(parents=True, exist_ok=True)
            work = STEPS[step.kind](step, work, folder, pipeline, around)
            if work is None:
                return done
            row = around.measured(work, folder)
            said = {
                "step": _described(step, pipeline),
                "work": work.to_dict(around.folder),
                "row": dataclasses.asdict(row),
            }
            write_text(kept, json.dumps(said, indent=2) + "\n")
        around.results[step.name] = work
        done.append((step, row))
        if (file := work.file or folder / MEASURED).exists():
            files[step.name] = file
    latencies = around.ruler.latencies(files)
    return [(step, dataclasses.replace(row, latency_ms=latencies.get(step.name))) for step, row in done]


def _described(step: Step, pipeline: Pipeline) -> Mapping[str, Any]:
    """Return what decides a step, as JSON gives it back."""
    facts = {**dataclasses.asdict(step), "data": dataclasses.asdict(pipeline.data), "seed": pipeline.seed}
    described: Mapping[str, Any] = json.loads(json.dumps(facts))
    return described


def _is_described(step: Step, pipeline: Pipeline, facts: Mapping[str, Any]) -> bool:
    """Whether facts describe this step; settings that they do not know yet were at their defaults."""
    own = {key: value for key, value in facts.items() if key not in ("data", "seed")}
    try:
        said = read_table(Step, own, "step"), read_table(DataChoice, facts["data"], "data"), facts["seed"]
    except SettingError:
        return False
    return bool(said == (step, pipeline.data, pipeline.seed))
