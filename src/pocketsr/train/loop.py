"""The training loop: stages in order, a checkpoint that resumes to the same bits, validation on the way.

Prints nothing: whoever calls it passes ``on_event``. Knows nothing of quantisation either: a stage of integer
arithmetic begins with a rewrite of the network that the caller passes in.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pocketsr.data import Pair, PatchBatch, PatchSampler, stream_batches
from pocketsr.errors import CheckpointError, SettingError
from pocketsr.networks import build
from pocketsr.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketsr.train.images import to_tensor
from pocketsr.train.losses import loss_of
from pocketsr.train.recipe import Recipe, Stage
from pocketsr.train.schedule import learning_rate
from pocketsr.train.validate import validate

#: Turns the last stage's network into the next one's. The images (float ``(N, 3, H, W)``, 0..1, one size each) set its
#: first ranges; without any, the structure is made and the ranges are loaded from a checkpoint afterwards.
Rewrite = Callable[[nn.Module, Iterable[Tensor]], nn.Module]

_STEPS_BETWEEN_EVENTS = 50
#: File names in the folder of a run.
STATE_FILE = "state.pt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """What the loop reports.

    Attributes:
        stage: The stage that runs.
        step: Steps done in it.
        loss: Mean loss since the last event.
        learning_rate: Of the last step.
        seconds_left: Expected time to the end of the stage, validations not counted.
        psnr_db: Validation PSNR where this event is a validation, else None.
    """

    stage: Stage
    step: int
    loss: float
    learning_rate: float
    seconds_left: float
    psnr_db: float | None = None


def train(
    recipe: Recipe,
    pairs: Sequence[Pair],
    *,
    folder: Path,
    valid_pairs: Sequence[Pair] = (),
    resume: bool = False,
    workers: int = 1,
    rewrites: Mapping[str, Rewrite] | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Checkpoint:
    """Run a recipe from its first stage, or from where a stopped run left off.

    Args:
        recipe: What to do.
        pairs: Training images, at the recipe's scale.
        folder: Where the state and each stage's result (``<stage>.pt``) are kept; made if missing.
        valid_pairs: Images for validation, none to skip it.
        resume: Continue from the folder's state.
        workers: Threads that draw patches; no influence on the result.
        rewrites: For each arithmetic but ``float``, how a network is turned to it.
        on_event: Called every few steps and after every validation.
        should_stop: Asked after every step; when true the state is saved and the run returns.

    Returns:
        The last state; ``is_finished`` tells whether the recipe came to its end.

    Raises:
        SettingError: The folder holds a run already, or a rewrite is missing.
        CheckpointError: Nothing to resume, or it belongs to another recipe.
        DataError: No image is as large as a patch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rewrites = rewrites or {}
    state = _state_to_resume(recipe, folder) if resume else None
    if state is None and (folder / STATE_FILE).exists():
        raise SettingError(f"{folder} holds a run already; resume it with --resume or choose another folder")
    first = state.stage if state else 0
    checkpoint = state
    for index in range(first, len(recipe.stages)):
        network = _enter_stage(recipe, index, checkpoint, pairs, rewrites)
        run = _StageRun(recipe, index, network, checkpoint)
        checkpoint = run.run(pairs, valid_pairs, folder, workers, on_event, should_stop)
        if checkpoint.step == recipe.stages[index].steps:
            write_checkpoint(checkpoint, folder / f"{recipe.stages[index].name}.pt")
        if run.was_stopped:
            break
    assert checkpoint is not None
    return checkpoint


def network_for(recipe: Recipe, stage: int, rewrites: Mapping[str, Rewrite]) -> nn.Module:
    """Build the network as it stands in a stage, with fresh weights: load a checkpoint's state into it."""
    torch.manual_seed(recipe.seed)
    network: nn.Module = build(recipe.network.name, recipe.network.options)
    arithmetic = "float"
    for earlier in recipe.stages[: stage + 1]:
        if earlier.arithmetic != arithmetic:
            network = _rewrite(earlier, rewrites)(network, ())
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


def _state_to_resume(recipe: Recipe, folder: Path) -> Checkpoint:
    state = read_checkpoint(folder / STATE_FILE)
    if not _is_continuation(recipe, state):
        raise CheckpointError(
            f"{folder} was trained with another recipe ({state.recipe.name!r} or other settings); "
            "resume with the same one or choose another folder"
        )
    return state


def _is_continuation(recipe: Recipe, state: Checkpoint) -> bool:
    """Whether all that decided the state is the same; stages still to come may differ."""
    begun, past = state.recipe, state.stage + 1
    same_past = begun.stages[:past] == recipe.stages[:past]
    return same_past and (begun.network, begun.data, begun.seed) == (recipe.network, recipe.data, recipe.seed)


def _enter_stage(
    recipe: Recipe, index: int, state: Checkpoint | None, pairs: Sequence[Pair], rewrites: Mapping[str, Rewrite]
) -> nn.Module:
    """Return the stage's network: fresh, as it stood within the stage, or made from the last stage's result."""
    if state is None:
        return network_for(recipe, index, rewrites)
    if state.stage == index:
        network = network_for(recipe, index, rewrites)
        network.load_state_dict(state.network)
        return network
    network = network_for(recipe, index - 1, rewrites)
    network.load_state_dict(state.average)
    stage = recipe.stages[index]
    if stage.arithmetic != recipe.stages[index - 1].arithmetic:
        images = (to_tensor(pair.low[None]) for pair in _spread(pairs, stage.calibration_images))
        network = _rewrite(stage, rewrites)(network, images)
    return network


def _spread(pairs: Sequence[Pair], count: int) -> Sequence[Pair]:
    """Return ``count`` pairs taken evenly from all."""
    return pairs[:: max(1, len(pairs) // count)][:count]


class _StageRun:
    """One stage at work: network, running average, optimiser, and the history so far."""

    def __init__(self, recipe: Recipe, index: int, network: nn.Module, state: Checkpoint | None) -> None:
        self.recipe, self.index, self.stage = recipe, index, recipe.stages[index]
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        self.optimiser = kinds[self.stage.optimiser](
            [parameter for parameter in network.parameters() if parameter.requires_grad],
            lr=self.stage.learning_rate,
            betas=self.stage.betas,
            weight_decay=self.stage.weight_decay,
            fused=True,
        )
        self.loss = loss_of(self.stage)
        self.step = 0
        self.was_stopped = False
        self.history: list[Mapping[str, float | str]] = list(state.history) if state else []
        if state is not None and state.stage == index:
            self.average.load_state_dict(state.average)
            self.optimiser.load_state_dict(dict(state.optimiser))
            self.step = state.step

    def run(
        self,
        pairs: Sequence[Pair],
        valid_pairs: Sequence[Pair],
        folder: Path,
        workers: int,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
    ) -> Checkpoint:
        """Go on to the end of the stage, or until asked to stop; the state is in ``folder`` when this returns."""
        stage = self.stage
        sampler = PatchSampler(
            pairs,
            patch=stage.patch,
            batch=stage.batch,
            seed=self.recipe.seed * 1000 + self.index,
            augmentations=stage.augmentations,
        )
        losses: list[Tensor] = []
        began, first = time.monotonic(), self.step
        for batch in stream_batches(sampler, self.step, stage.steps, workers=workers):
            losses.append(self._train_step(batch))
            is_last = self.step == stage.steps
            is_validation = bool(valid_pairs) and (is_last or self.step % stage.validate_every == 0)
            if is_validation or is_last or self.step % _STEPS_BETWEEN_EVENTS == 0:
                event = Event(
                    stage=stage,
                    step=self.step,
                    loss=float(torch.stack(losses).mean()),
                    learning_rate=learning_rate(stage, self.step - 1),
                    seconds_left=(time.monotonic() - began) / (self.step - first) * (stage.steps - self.step),
                    psnr_db=validate(self.average, valid_pairs) if is_validation else None,
                )
                losses.clear()
                self._remember(event)
                on_event(event)
            self.was_stopped = should_stop()
            if self.was_stopped or is_last or self.step % stage.checkpoint_every == 0:
                write_checkpoint(self.checkpoint(), folder / STATE_FILE)
            if self.was_stopped:
                break
        return self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """Return the state after the last step."""
        return Checkpoint(
            recipe=self.recipe,
            stage=self.index,
            step=self.step,
            network=self.network.state_dict(),
            average=self.average.state_dict(),
            optimiser=self.optimiser.state_dict(),
            history=tuple(self.history),
        )

    def _train_step(self, batch: PatchBatch) -> Tensor:
        stage = self.stage
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(stage, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.precision == "bf16"):
            output = self.network(to_tensor(batch.low))
        loss = self.loss(output.float(), to_tensor(batch.high))
        loss.backward()  # type: ignore[no-untyped-call]
        if stage.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), stage.gradient_clip)
        self.optimiser.step()
        self._update_average()
        self.step += 1
        return loss.detach()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self.stage.ema_decay
        # Early on the average follows closely; a constant decay would keep the random first weights for long.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def _remember(self, event: Event) -> None:
        if event.psnr_db is not None:
            self.history.append(
                {
                    "stage": event.stage.name,
                    "step": event.step,
                    "loss": event.loss,
                    "learning_rate": event.learning_rate,
                    "psnr_db": event.psnr_db,
                }
            )
