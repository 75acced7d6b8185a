"""One stage at work: steps, the running average of weights, validations, states on disk."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pocketsr.data import Pair, PatchBatch, PatchSampler, stream_batches
from pocketsr.errors import PocketsrError, TrainingError
from pocketsr.train.adversarial import AdversarialLearner
from pocketsr.train.checkpoint import Checkpoint, write_checkpoint
from pocketsr.train.distributed import Processes
from pocketsr.train.event import Event
from pocketsr.train.guides import guided_pairs
from pocketsr.train.learner import Learner
from pocketsr.train.pictures import draw_pictures
from pocketsr.train.recipe import Recipe
from pocketsr.train.validate import validate

#: File name of a run's last state, and folder of its pictures.
STATE_FILE, PICTURES = "state.pt", "pictures"
_STEPS_BETWEEN_EVENTS = 50
#: From a network and a weight, what adds a penalty's gradients to the network's.
Penalty = Callable[[nn.Module, float], Callable[[], None]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a run works with and whom it talks to.

    Attributes:
        pairs: Training images by scale.
        valid_pairs: Images for validation, none to skip it.
        bicubic_db: What bicubic reaches on them.
        folder: Where states are kept.
        teacher_folder: Where images that a teacher made are kept.
        penalties: How a penalty of that name is made for a network.
        workers: Threads that draw patches; no influence on the result.
        processes: The group that trains.
        on_event: Called every few steps and after every validation, in the main process.
        on_note: Called with a sentence that people should read, in the main process.
        should_stop: Asked after every step.
    """

    pairs: Mapping[int, Sequence[Pair]]
    valid_pairs: Sequence[Pair]
    bicubic_db: float | None
    folder: Path
    teacher_folder: Path
    penalties: Mapping[str, Penalty]
    workers: int
    processes: Processes
    on_event: Callable[[Event], None]
    on_note: Callable[[str], None]
    should_stop: Callable[[], bool]


def make_learner(recipe: Recipe, index: int, network: nn.Module, processes: Processes) -> Learner:
    """Return what takes the steps of a stage."""
    stage = recipe.stages[index]
    if stage.adversary is None:
        return Learner(stage, network, processes)
    return AdversarialLearner(stage, network, processes, seed=recipe.seed + 1 + index)


class StageRun:
    """Runs one stage.

    Args:
        recipe: The whole recipe.
        index: Which of its stages.
        network: As the stage begins, or as it stood at ``state``.
        state: Where to go on, if it is of this stage; else only its history is kept.
        around: Data, files and listeners.
    """

    def __init__(
        self, recipe: Recipe, index: int, network: nn.Module, state: Checkpoint | None, around: Surroundings
    ) -> None:
        self.recipe, self.index, self.stage, self.around = recipe, index, recipe.stages[index], around
        self.learner = make_learner(recipe, index, network, around.processes)
        if self.stage.sparsity:
            self.learner.penalise = around.penalties["sparsity"](self.learner.network, self.stage.sparsity)
        self.average = copy.deepcopy(self.learner.network)
        self.step = 0
        self.was_stopped = False
        self.history: list[Mapping[str, float | str]] = list(state.history) if state else []
        if state is not None and state.stage == index:
            self.average.load_state_dict(state.average)
            self.learner.load_state(state.learner)
            self.step = state.step
        self._gone: list[dict[str, Tensor]] = []  # losses since the last event
        self._began, self._waited, self._counted_from = 0.0, 0.0, 0

    def run(self) -> Checkpoint:
        """Go on to the end of the stage, or until asked to stop; the state is on disk when this returns."""
        stage, processes = self.stage, self.around.processes
        self._restart_clock()
        for batch in self._batches():
            self._gone.append(self.learner.learn(batch, self.step))
            self.step += 1
            self._update_average()
            is_last = self.step == stage.steps
            is_validation = is_last or self.step % stage.validate_every == 0
            self.was_stopped = processes.any(self.around.should_stop())
            is_saved = self.was_stopped or is_last or self.step % stage.checkpoint_every == 0
            # Before a state is saved the losses that led to it are looked at: a good one is never overwritten by NaN.
            if is_validation or is_saved or self.step % _STEPS_BETWEEN_EVENTS == 0:
                self._report(is_validation=is_validation)
            if stage.picture_every and (is_last or self.step % stage.picture_every == 0):
                self._draw_pictures()
            if is_saved:
                self._save(STATE_FILE)
                self._restart_clock()
            if self.was_stopped:
                break
        return self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """Return the state after the last step."""
        return Checkpoint(
            recipe=self.recipe,
            stage=self.index,
            step=self.step,
            network=self.learner.network.state_dict(),
            average=self.average.state_dict(),
            learner=self.learner.state(),
            history=tuple(self.history),
        )

    def _batches(self) -> Iterator[PatchBatch]:
        """Yield this process's part of each batch still to come, and count the time that it takes to get it."""
        stage, around, data = self.stage, self.around, self.recipe.data
        pairs = self._pairs()
        if pairs is None:  # asked to stop while the teacher was at work
            self.was_stopped = True
            self._save(STATE_FILE)
            return
        sampler = PatchSampler(
            pairs,
            patch=stage.patch,
            batch=stage.batch,
            seed=self.recipe.seed * 1000 + self.index,
            augmentations=stage.augmentations,
            fixed_crops=stage.fixed_crops,
            rank=around.processes.rank,
            world=around.processes.world,
            degradation=data.degradation if data.degrade_patches else None,
        )
        batches = stream_batches(sampler, self.step, stage.steps, workers=around.workers)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self._waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def _pairs(self) -> dict[int, Sequence[Pair]] | None:
        """Return what patches are cut from, by scale; with a teacher's images where the stage wants them beforehand.

        None where the run was asked to stop meanwhile.
        """
        around, choice = self.around, self.stage.distillation
        found: dict[int, Sequence[Pair]] = {}
        for scale in self.stage.scales or (self.recipe.scale,):
            pairs: Sequence[Pair] | None = around.pairs[scale]
            if choice is not None and choice.outputs == "cached" and self.step < self.stage.steps:
                pairs = guided_pairs(
                    around.pairs[scale],
                    self.stage,
                    scale,
                    around.teacher_folder,
                    around.processes,
                    on_note=around.on_note,
                    should_stop=around.should_stop,
                )
            if pairs is None:
                return None
            found[scale] = pairs
        return found

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely; a constant decay would keep the random first weights for long.
        decay = min(self.stage.ema_decay, self.step / (9 + self.step))
        new = self.learner.network.state_dict().values()
        for kept, value in zip(self.average.state_dict().values(), new, strict=True):
            if kept.is_floating_point() or kept.is_complex():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    def _report(self, *, is_validation: bool) -> None:
        """Tell what happened since the last report; refuse to go on with numbers that are none."""
        seconds = time.perf_counter() - self._began
        done = self.step - self._counted_from
        means = self._means()
        is_validation = is_validation and bool(self.around.valid_pairs)
        if self.around.processes.is_main:
            event = Event(
                stage=self.stage,
                step=self.step,
                loss=means.pop("loss"),
                terms=means,
                learning_rate=self.learner.learning_rate(self.step - 1),
                steps_per_second=done / seconds,
                waiting=self._waited / seconds,
                seconds_left=seconds / done * (self.stage.steps - self.step),
                psnr_db=validate(self.average, self.around.valid_pairs) if is_validation else None,
                bicubic_db=self.around.bicubic_db if is_validation else None,
            )
            if is_validation:
                self._remember(event)
            self.around.on_event(event)
        self._restart_clock()

    def _means(self) -> dict[str, float]:
        """Return the mean of each loss since the last report, over all processes."""
        mean = self.around.processes.mean
        rows = {name: mean(torch.stack([losses[name] for losses in self._gone])) for name in self._gone[0]}
        self._gone.clear()
        for number, loss in enumerate(rows["loss"].tolist(), self.step - len(rows["loss"]) + 1):
            if not math.isfinite(loss):
                raise self._diverged(f"the loss of step {number} is {loss}")
        return {name: float(row.mean()) for name, row in rows.items()}

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"stage {self.stage.name!r}: {what}; the state saved last is good. "
            "Try a lower learning rate, a longer warm-up or gradient_clip"
        )

    def _remember(self, event: Event) -> None:
        assert event.psnr_db is not None
        before = self.checkpoint().best_db
        row = {"step": event.step, "loss": event.loss, "learning_rate": event.learning_rate, "psnr_db": event.psnr_db}
        self.history.append({"stage": event.stage.name, **row})
        if before is None or event.psnr_db > before:
            self._save(f"{self.stage.name}-best.pt")

    def _draw_pictures(self) -> None:
        if self.around.valid_pairs and self.around.processes.is_main:
            path = self.around.folder / PICTURES / f"{self.stage.name}-{self.step}.png"
            try:
                draw_pictures(self.average, self.around.valid_pairs, path)
            except (OSError, PocketsrError) as error:  # hours of training are worth more than a picture
                self.around.on_note(f"no picture of step {self.step}, training goes on: {error}")

    def _save(self, name: str) -> None:
        if not all(parameter.isfinite().all() for parameter in self.learner.network.parameters()):
            raise self._diverged(f"weights are no numbers after step {self.step}")
        if self.around.processes.is_main:
            write_checkpoint(self.checkpoint(), self.around.folder / name)

    def _restart_clock(self) -> None:
        self._began, self._waited, self._counted_from = time.perf_counter(), 0.0, self.step
