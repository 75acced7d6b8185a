"""What each kind of step does to the work at hand; ``compression`` says in which order and keeps what they leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import nn

from pocketsr.blocks import Network
from pocketsr.choice import Choice
from pocketsr.compress.integer import PENALTIES, REWRITES
from pocketsr.compress.prune import prune, rounds
from pocketsr.data import Pair
from pocketsr.errors import SettingError
from pocketsr.networks import SIZES, build, sizes_of
from pocketsr.networks.saved import load_network, save_network
from pocketsr.pipeline.measure import Row, Ruler, to_file
from pocketsr.train import Checkpoint, Event, Recipe, read_checkpoint, restore, to_tensor, train, write_checkpoint
from pocketsr.train.checkpoint import begin_from
from pocketsr.train.recipe import Stage
from pocketsr.train.records import Records
from pocketsr.train.stage_run import STATE_FILE

if TYPE_CHECKING:
    from pocketsr.pipeline.compression import Pipeline, Step

#: Images that ranges are taken from.
_CALIBRATION = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """What a step leaves.

    Attributes:
        choice: The network, with the sizes that pruning left.
        weights: A saved network (``.safetensors``), or the checkpoint (``.pt``) of an integer one.
        equivalent: Whether its skip is folded into convolutions when it is lowered.
        file: The model file, where one was written.
    """

    choice: Choice
    weights: Path
    equivalent: bool = False
    file: Path | None = None

    @property
    def is_integer(self) -> bool:
        """Whether its arithmetic is that of an int8 file."""
        return self.weights.suffix == ".pt"

    def network(self) -> nn.Module:
        """Return the network with its weights."""
        if self.is_integer:
            return restore(read_checkpoint(self.weights), REWRITES)
        network, _ = load_network(self.weights)
        return network

    def to_dict(self, root: Path) -> dict[str, Any]:
        """Return plain values; paths inside ``root`` are written from there."""
        file = None if self.file is None else _inside(self.file, root)
        return {**dataclasses.asdict(self), "weights": _inside(self.weights, root), "file": file}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any], root: Path) -> Work:
        """Read what ``to_dict`` gave."""
        file = None if said["file"] is None else root / said["file"]
        return cls(
            choice=Choice(**said["choice"]), weights=root / said["weights"], equivalent=said["equivalent"], file=file
        )


@dataclasses.dataclass(kw_only=True)
class Around:
    """What a pipeline works with.

    Attributes:
        pairs: Images to train on, by scale.
        ruler: Measures what each step leaves.
        folder: Where everything is kept.
        teacher: File for stages whose teacher is left open.
        on_event: Passed on to training.
        on_note: Passed on to training.
        should_stop: Passed on to training.
        results: What each step so far has left, by name.
    """

    pairs: Mapping[int, Sequence[Pair]]
    ruler: Ruler
    folder: Path
    teacher: Path | None = None
    on_event: Callable[[Event], None] = lambda _: None
    on_note: Callable[[str], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    results: dict[str, Work] = dataclasses.field(default_factory=dict)

    def lows(self, scale: int) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        """Return low-resolution images to take ranges from, evenly out of all."""
        pairs = self.pairs[scale]
        return [pair.low for pair in pairs[:: max(1, len(pairs) // _CALIBRATION)][:_CALIBRATION]]

    def measured(self, work: Work, folder: Path) -> Row:
        """Return the row of what a step left."""
        return self.ruler.row(work.network(), folder, file=work.file, equivalent=work.equivalent)


class Do(Protocol):
    """A kind of step."""

    def __call__(self, step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work | None:
        """Return what the step leaves, None where it was asked to stop."""


def begun_from(start: Path, step: Step, pipeline: Pipeline, around: Around) -> Work:
    """Return the weights of a file as work: for the network that the first step names, or as the file has it.

    Raises:
        CheckpointError: It cannot be read, is of integer arithmetic, or holds another network.
        SettingError: A checkpoint is given for a step that names no network.
    """
    choice = step.network
    if choice is None:
        if start.suffix != ".safetensors":
            raise SettingError(f"step {step.name!r} names no network: begin with a saved one (.safetensors)")
        _, facts = load_network(start)
        choice = Choice(name=facts["name"], options=facts["options"])
    work = Work(choice=choice, weights=Path())
    network = build(choice.name, choice.options)
    begin_from(network, _recipe(step, Stage(name="start", steps=1), work, pipeline), start)
    folder = around.folder / "start"
    folder.mkdir(parents=True, exist_ok=True)
    return _saved(network, work, folder)


def _train(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work | None:
    assert step.stage is not None
    return _trained(step, step.stage, _begun(step, work), folder, pipeline, around)


def _trained(step: Step, stage: Stage, work: Work, folder: Path, pipeline: Pipeline, around: Around) -> Work | None:
    if work.is_integer:
        raise SettingError(f"step {step.name!r}: training goes on from a float network, not from an integer one")
    stage = dataclasses.replace(_taught(stage, around), equivalent=stage.equivalent or work.equivalent)
    recipe, stopped = _recipe(step, stage, work, pipeline), folder / STATE_FILE
    records = Records(folder, recipe, read_checkpoint(stopped) if stopped.exists() else None, around.on_note)

    def on_event(event: Event) -> None:
        records.add(event)
        around.on_event(event)

    state = train(
        recipe,
        around.pairs,
        folder=folder,
        resume=stopped.exists(),
        start=work.weights if work.weights.name else None,
        teacher_folder=around.folder,
        rewrites=REWRITES,
        penalties=PENALTIES,
        on_event=on_event,
        on_note=around.on_note,
        should_stop=around.should_stop,
    )
    records.close()
    if not state.is_finished:
        return None
    result = folder / f"{stage.name}.pt"
    if stage.arithmetic == "integer":
        return dataclasses.replace(work, weights=result)
    network = restore(read_checkpoint(result), REWRITES)
    assert isinstance(network, Network)
    return _saved(network, work, folder)


def _prune(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work | None:
    assert step.prune is not None
    work = _begun(step, work)
    for number, ratio in enumerate(rounds(step.prune.ratio, step.rounds)):
        network = _float(step, work)
        pruned = prune(network, dataclasses.replace(step.prune, ratio=ratio))
        place = folder / f"round-{number + 1}"
        place.mkdir(exist_ok=True)
        work = _saved(pruned, work, place)
        if step.stage is not None:
            trained = _trained(step, step.stage, work, place, pipeline, around)
            if trained is None:
                return None
            work = trained
    return work


def _fold(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work:
    del pipeline, around
    work = _begun(step, work)
    return _saved(_float(step, work).folded(), work, folder)


def _equivalent(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work:
    del folder, pipeline, around
    return dataclasses.replace(_begun(step, work), equivalent=True)


def _quantise(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work:
    """Quantise after training, and keep it as an integer stage keeps its network before its first step."""
    work = _begun(step, work)
    stage = Stage(
        name=step.name,
        steps=1,
        arithmetic="integer",
        precision="fp32",
        calibration=step.calibration,
        equivalent=work.equivalent,
    )
    recipe = _recipe(step, stage, work, pipeline)
    lows = (to_tensor(low[None]) for low in around.lows(recipe.scale))
    state = REWRITES["integer"](_float(step, work), lows, stage).state_dict()
    begun = Checkpoint(recipe=recipe, stage=0, step=0, network=state, average=state, learner={}, history=())
    write_checkpoint(begun, folder / f"{step.name}.pt")
    return dataclasses.replace(work, weights=folder / f"{step.name}.pt")


def _lower(step: Step, work: Work | None, folder: Path, pipeline: Pipeline, around: Around) -> Work:
    work = _begun(step, work)
    file = folder / f"{pipeline.name}.tflite"
    network = work.network()
    to_file(network, file, check=around.ruler.lows[:4], name=work.choice.name, equivalent=work.equivalent)
    return dataclasses.replace(work, file=file)


STEPS: Mapping[str, Do] = {
    "train": _train,
    "prune": _prune,
    "fold": _fold,
    "equivalent": _equivalent,
    "quantise": _quantise,
    "lower": _lower,
}


def _recipe(step: Step, stage: Stage, work: Work, pipeline: Pipeline) -> Recipe:
    return Recipe(
        name=f"{pipeline.name}: {step.name}",
        network=work.choice,
        data=pipeline.data,
        stages=(stage,),
        seed=pipeline.seed,
    )


def _begun(step: Step, work: Work | None) -> Work:
    """Return what a step goes on with: its own fresh network, or what the last one left."""
    if step.network is not None:
        return Work(choice=step.network, weights=Path())
    if work is None:
        raise SettingError(f"step {step.name!r} is the first: it needs a `network`, or --from a saved one")
    return work


def _float(step: Step, work: Work) -> Network:
    network = build(work.choice.name, work.choice.options) if not work.weights.name else work.network()
    if not isinstance(network, Network):
        raise SettingError(f"step {step.name!r} needs a float network; put it before the integer stage")
    return network


def _taught(stage: Stage, around: Around) -> Stage:
    """Return the stage with its teacher's file."""
    choice = stage.distillation
    if choice is None:
        return stage
    teacher = choice.teacher or str(around.teacher or "")
    if teacher.startswith("@"):
        teacher = str(around.results[teacher[1:]].weights)
    return dataclasses.replace(stage, distillation=dataclasses.replace(choice, teacher=teacher))


def _saved(network: Network, work: Work, folder: Path) -> Work:
    """Write a float network, with its sizes where they are not its class's."""
    options = {key: value for key, value in work.choice.options.items() if key != SIZES}
    plain = build(work.choice.name, options)
    is_folded = network.state_dict().keys() != plain.state_dict().keys() or SIZES in work.choice.options
    if is_folded or sizes_of(network, plain):
        options[SIZES] = sizes_of(network, plain.folded())
    path = folder / "network.safetensors"
    save_network(network, path, name=work.choice.name, options=options)
    return dataclasses.replace(work, choice=Choice(name=work.choice.name, options=options), weights=path)


def _inside(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path.resolve())
