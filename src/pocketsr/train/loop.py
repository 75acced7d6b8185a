"""The training loop: stages in order, each from the last one's result, with a state that resumes to the same bits.

Prints nothing: whoever calls it passes ``on_event``. Knows nothing of quantisation either: a stage of integer
arithmetic begins with a rewrite of the network that the caller passes in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pocketsr.data import Pair, make_augmentations
from pocketsr.errors import CheckpointError, SettingError
from pocketsr.image import check_degradation
from pocketsr.networks import build
from pocketsr.train.checkpoint import Checkpoint, begin_from, read_checkpoint, write_checkpoint
from pocketsr.train.distributed import Processes
from pocketsr.train.event import Event
from pocketsr.train.images import to_luma, to_tensor
from pocketsr.train.learner import check_shares
from pocketsr.train.recipe import DataChoice, Recipe, Stage
from pocketsr.train.stage_run import STATE_FILE, Penalty, StageRun, Surroundings, make_learner
from pocketsr.train.validate import validate_bicubic

#: Turns the last stage's network into that of the stage given. The images (float ``(N, 3, H, W)``, 0..1, one size each)
#: set its first ranges; without any, the structure is made and the ranges are loaded from a checkpoint afterwards.
Rewrite = Callable[[nn.Module, Iterable[Tensor], Stage], nn.Module]


def train(
    recipe: Recipe,
    pairs: Sequence[Pair] | Mapping[int, Sequence[Pair]],
    *,
    folder: Path,
    valid_pairs: Sequence[Pair] = (),
    resume: bool = False,
    start: Path | None = None,
    teacher_folder: Path | None = None,
    workers: int = 1,
    rewrites: Mapping[str, Rewrite] | None = None,
    penalties: Mapping[str, Penalty] | None = None,
    processes: Processes | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Checkpoint:
    """Run a recipe from its first stage, or from where a stopped run left off.

    Args:
        recipe: What to do.
        pairs: Training images, at the recipe's scale or by scale.
        folder: Where the state and each stage's result (``<stage>.pt``) are kept; made if missing.
        valid_pairs: Images for validation, at the recipe's scale; none to skip it.
        resume: Continue from the folder's state.
        start: Checkpoint or saved network to take the first weights from, for a run that does not resume.
        teacher_folder: Where images that a teacher made of the training images are kept, for runs that share them; left
            out, in ``folder``.
        workers: Threads that draw patches; no influence on the result.
        rewrites: For each arithmetic but ``float``, how a network is turned to it.
        penalties: For each penalty that a stage may have (``sparsity``), how it is made for a network.
        processes: The group that trains, all of which call this; None trains alone on the processor.
        on_event: Called every few steps and after every validation, in the main process.
        on_note: Called with a sentence that people should read, in the main process.
        should_stop: Asked after every step; when true the state is saved and the run returns.

    Returns:
        The last state; ``is_finished`` tells whether the recipe came to its end.

    Raises:
        SettingError: The folder holds a run already, a rewrite is missing, or a setting does not fit.
        CheckpointError: Nothing to resume or to start from, or it belongs to another recipe or network.
        DataError: No image is as large as a patch.
        TrainingError: The loss is no number any more, or the disk is full; the state saved last is good.
    """
    processes, rewrites = processes or Processes(), rewrites or {}
    folder.mkdir(parents=True, exist_ok=True)
    state = state_to_resume(recipe, folder) if resume else None
    if state is None:
        _require_a_fresh_start(recipe, folder, start)
    for stage in recipe.stages:
        if stage.sparsity and "sparsity" not in (penalties or {}):
            raise SettingError(f"stage {stage.name!r} wants sparsity, which this caller of train brings no way for")
    if len(recipe.stages) > 1:  # what is wrong with a later stage is not found out hours from now
        check_recipe(recipe, rewrites)
    processes.wait()  # nobody writes a state before everybody has looked for one
    around = Surroundings(
        pairs=pairs if isinstance(pairs, Mapping) else {recipe.scale: pairs},
        valid_pairs=valid_pairs,
        bicubic_db=validate_bicubic(valid_pairs) if valid_pairs and processes.is_main else None,
        folder=folder,
        teacher_folder=teacher_folder or folder,
        penalties=penalties or {},
        workers=workers,
        processes=processes,
        on_event=on_event,
        on_note=on_note,
        should_stop=should_stop,
    )
    checkpoint = state
    for index in range(state.stage if state else 0, len(recipe.stages)):
        network = _enter_stage(recipe, index, checkpoint, start, around.pairs[recipe.scale], rewrites, on_note)
        run = StageRun(recipe, index, network, checkpoint, around)
        checkpoint = run.run()
        if checkpoint.step == recipe.stages[index].steps:
            checkpoint = _finish_stage(checkpoint, around)
        if run.was_stopped:
            break
    assert checkpoint is not None
    return checkpoint


def check_recipe(recipe: Recipe, rewrites: Mapping[str, Rewrite], *, world: int = 1) -> nn.Module:
    """Make all that a recipe names, and return its first stage's network: what is wrong is said before images are read.

    Args:
        recipe: What is looked at.
        rewrites: As for ``train``.
        world: Processes that are to train it together.

    Raises:
        SettingError: A setting does not fit what it is for.
        UnknownNameError: Something in it does not exist.
    """
    first = network_for(recipe, 0, rewrites)
    check_degradation(recipe.data.degradation)
    for index, stage in enumerate(recipe.stages):
        network = first if index == 0 else network_for(recipe, index, rewrites)
        if getattr(network, "scale", recipe.scale) != recipe.scale:
            raise SettingError(
                f"{recipe.network.name} upscales by {network.scale} unless told otherwise, and recipe {recipe.name!r} "
                "does not say: give its network the option scale"
            )
        held = getattr(network, "scales", ())
        if not set(stage.scales) <= set(held):
            raise SettingError(
                f"stage {stage.name!r} draws from the scales {list(stage.scales)}; {recipe.network.name} as set up "
                f"here holds {', '.join(map(str, held))}"
            )
        if recipe.data.degrade_patches and stage.distillation and stage.distillation.outputs == "cached":
            raise SettingError(
                f"stage {stage.name!r}: patches are degraded anew each time, which a cached teacher has not seen; "
                'use outputs = "live"'
            )
        _check_integer_stage(recipe, index)
        check_shares(stage, world)
        make_augmentations(stage.augmentations, degrades_patches=recipe.data.degrade_patches)
        make_learner(recipe, index, network, Processes())
    return first


def _check_integer_stage(recipe: Recipe, index: int) -> None:
    """Refuse what only the first integer stage decides, where a later one says otherwise."""
    stage = recipe.stages[index]
    first = next((earlier for earlier in recipe.stages[:index] if earlier.arithmetic == "integer"), stage)
    if stage.arithmetic != "integer":
        return
    rewrites = any(getattr(stage, key) > getattr(first, key) for key in ("equivalent", "split_sums", "own_steps"))
    if stage.activation_scales != first.activation_scales or rewrites:
        raise SettingError(
            f"stage {stage.name!r}: activation_scales, equivalent, split_sums and own_steps are decided where integer "
            f"arithmetic begins, in stage {first.name!r}; say the same here"
        )


def network_for(recipe: Recipe, stage: int, rewrites: Mapping[str, Rewrite]) -> nn.Module:
    """Build the network as it stands in a stage, with fresh weights: load a checkpoint's state into it."""
    torch.manual_seed(recipe.seed)
    network: nn.Module = build(recipe.network.name, recipe.network.options)
    arithmetic = "float"
    for earlier in recipe.stages[: stage + 1]:
        if earlier.arithmetic != arithmetic:
            network = _rewrite(earlier, rewrites)(network, (), earlier)
            arithmetic = earlier.arithmetic
    return network


def restore(checkpoint: Checkpoint, rewrites: Mapping[str, Rewrite]) -> nn.Module:
    """Return the network that a checkpoint holds, with its averaged weights, ready to be looked at or exported."""
    network = network_for(checkpoint.recipe, checkpoint.stage, rewrites)
    network.load_state_dict(checkpoint.average)
    return network.eval()


def _rewrite(stage: Stage, rewrites: Mapping[str, Rewrite]) -> Rewrite:
    if stage.arithmetic not in rewrites:
        raise SettingError(f"stage {stage.name!r} wants {stage.arithmetic} arithmetic; after it no other can follow")
    return rewrites[stage.arithmetic]


def _require_a_fresh_start(recipe: Recipe, folder: Path, start: Path | None) -> None:
    if (folder / STATE_FILE).exists():
        raise SettingError(f"{folder} holds a run already; resume it with --resume or choose another folder")
    if recipe.starts_from and start is None:
        raise SettingError(
            f"recipe {recipe.name!r} starts from the result of {recipe.starts_from!r}: train that first, then name its "
            "last .pt with --from"
        )


def check_start(recipe: Recipe, folder: Path, start: Path | None) -> None:
    """Refuse a new run that could not begin, before images are read.

    Args:
        recipe: What is to run.
        folder: Where.
        start: Checkpoint or saved network to take the first weights from, if any.

    Raises:
        SettingError: The folder holds a run already, or the recipe starts from another's result.
        CheckpointError: What it starts from cannot be read, or holds another network.
    """
    _require_a_fresh_start(recipe, folder, start)
    if start is not None:
        begin_from(build(recipe.network.name, recipe.network.options), recipe, start)


def state_to_resume(recipe: Recipe, folder: Path) -> Checkpoint:
    """Return the state in a run's folder.

    Raises:
        CheckpointError: There is none, it cannot be read, or it belongs to another recipe.
    """
    state = read_checkpoint(folder / STATE_FILE)
    if not _is_continuation(recipe, state):
        raise CheckpointError(
            f"{folder} was trained with another recipe ({state.recipe.name!r} for {state.recipe.network.name}, or "
            "other settings); resume with the same one or choose another folder"
        )
    return state


def _is_continuation(recipe: Recipe, state: Checkpoint) -> bool:
    """Whether all that decided the state is the same; stages still to come may differ."""
    begun, past = state.recipe, state.stage + 1
    same_past = [_deciding(stage) for stage in begun.stages[:past]] == [
        _deciding(stage) for stage in recipe.stages[:past]
    ]
    same_data = _degrading(begun.data) == _degrading(recipe.data)
    return same_past and same_data and (begun.network, begun.seed) == (recipe.network, recipe.seed)


def _deciding(stage: Stage) -> Stage:
    """Return the stage less what has no part in the result: how often it is looked at, what it is run by, and where its
    teacher lies (which network that is the state itself knows).
    """
    choice = stage.distillation and dataclasses.replace(stage.distillation, teacher="")
    return dataclasses.replace(
        stage, compile="", validate_every=1, checkpoint_every=1, picture_every=0, distillation=choice
    )


def _degrading(data: DataChoice) -> DataChoice:
    """Return the choice less its words for people."""
    return dataclasses.replace(data, name="", description="", licence="")


def _enter_stage(
    recipe: Recipe,
    index: int,
    state: Checkpoint | None,
    start: Path | None,
    pairs: Sequence[Pair],
    rewrites: Mapping[str, Rewrite],
    on_note: Callable[[str], None],
) -> nn.Module:
    """Return the stage's network: fresh, as it stood within the stage, or made from the last stage's result."""
    if state is not None and state.stage == index:
        network = network_for(recipe, index, rewrites)
        network.load_state_dict(state.network)
        return network
    stage = recipe.stages[index]
    if state is None:
        torch.manual_seed(recipe.seed)
        network, arithmetic = build(recipe.network.name, recipe.network.options), "float"
        fresh = begin_from(network, recipe, start) if start else ()
        if fresh:
            on_note(f"{start} is of another scale or depth; these stay fresh: {', '.join(fresh)}")
    else:
        network, arithmetic = restore(state, rewrites), recipe.stages[index - 1].arithmetic
        network.train()
    if stage.arithmetic == arithmetic:
        return network
    images = (to_tensor(pair.low[None]) for pair in _spread(pairs, stage.calibration_images))
    if getattr(network, "channels", 3) == 1:
        images = (to_luma(image) for image in images)
    return _rewrite(stage, rewrites)(network, images, stage)


def _finish_stage(checkpoint: Checkpoint, around: Surroundings) -> Checkpoint:
    """Write the stage's result and return what the next one goes on from, the same in every process."""
    stage = checkpoint.recipe.stages[checkpoint.stage]
    if stage.result == "best" and checkpoint.best_db is not None:
        best = read_checkpoint(around.folder / f"{stage.name}-best.pt")
        checkpoint = dataclasses.replace(checkpoint, average=best.average)
    if around.processes.is_main:
        write_checkpoint(checkpoint, around.folder / f"{stage.name}.pt")
        write_checkpoint(checkpoint, around.folder / STATE_FILE)
    around.processes.wait()
    if not around.processes.is_main:
        checkpoint = read_checkpoint(around.folder / f"{stage.name}.pt")
    return checkpoint


def _spread(pairs: Sequence[Pair], count: int) -> Sequence[Pair]:
    """Return ``count`` pairs taken evenly from all."""
    return pairs[:: max(1, len(pairs) // count)][:count]
