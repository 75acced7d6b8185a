"""One step of training: a batch comes in, the network is a little better. Knows nothing of stages, files or time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pocketsr.data import PatchBatch
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.distillation import Guidance
from pocketsr.train.distributed import Processes, exchange
from pocketsr.train.images import to_luma, to_tensor
from pocketsr.train.limits import limit_weights
from pocketsr.train.losses import make_loss
from pocketsr.train.optimiser import make_optimiser, set_rate
from pocketsr.train.recipe import Stage
from pocketsr.train.schedule import rate_of


class Learner:
    """Trains a network on pairs of patches, as a stage says.

    Args:
        stage: Losses, optimiser, schedule, precision.
        network: Trained in place; moved to the device of ``processes``.
        processes: The group that trains.

    Raises:
        UnknownNameError: A loss, optimiser, schedule or compiler of that name does not exist.
        SettingError: One of them does not take its options, or the batch cannot be shared out.
    """

    def __init__(self, stage: Stage, network: nn.Module, processes: Processes) -> None:
        check_shares(stage, processes.world)
        if stage.compile and stage.compile not in (known := torch.compiler.list_backends(())):
            raise UnknownNameError.among("backend of torch.compile", stage.compile, known)
        self.stage, self.processes = stage, processes
        self.network = network.to(processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        running = torch.compile(self.network, backend=stage.compile) if stage.compile else self.network
        assert isinstance(running, nn.Module)
        # A network of several scales has parts that a step at one of them leaves alone.
        several = len(stage.scales) > 1 or len(getattr(network, "scales", ())) > 1
        self._running = processes.joined(running, may_skip=several)
        self._loss = make_loss(stage.losses, processes.device)
        self._guidance = Guidance(stage, self.network, processes) if stage.distillation else None
        self._optimiser = make_optimiser(
            stage.optimiser, self.network, stage.learning_rate, stage.learning_rate_factors
        )
        self._rate = rate_of(stage)
        #: Adds the gradients of a penalty to those of the loss, where the stage has one.
        self.penalise: Callable[[], None] | None = None

    def learn(self, batch: PatchBatch, step: int) -> dict[str, Tensor]:
        """Take one step.

        Args:
            batch: This process's part of the batch.
            step: Steps done before.

        Returns:
            The loss (``"loss"``) and its terms, of this process's part, as scalars that carry no gradient.
        """
        self._optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        if self._guidance is not None:
            self._guidance.begin()
        for low, high, guide, is_last in self._parts(batch):
            with exchange(self._running, now=is_last):
                output = self._upscale(low, batch.scale)
                terms = self._terms(output, high)
                if self._guidance is not None:
                    terms.update(self._guidance.terms(low, output, high, guide, batch.scale))
                loss = torch.stack([*terms.values()]).sum() / self.stage.accumulate
                loss.backward()  # type: ignore[no-untyped-call]
            _add(sums, {"loss": loss, **{name: term / self.stage.accumulate for name, term in terms.items()}})
        self._take_step(step)
        return sums

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on beside the network."""
        state = {"optimiser": self._optimiser.state_dict()}
        return state if self._guidance is None else {**state, "guidance": self._guidance.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` returned."""
        self._optimiser.load_state_dict(state["optimiser"])
        if self._guidance is not None:
            self._guidance.load_state(state["guidance"])

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self._rate(step)

    def _terms(self, output: Tensor, high: Tensor) -> dict[str, Tensor]:
        return self._loss.terms(output, high)

    def _parts(self, batch: PatchBatch) -> Iterator[tuple[Tensor, Tensor, Tensor | None, bool]]:
        """Yield the batch in as many parts as the stage asks for: low, high, the teacher's, and whether it is last."""
        count = self.stage.accumulate
        size = len(batch.low) // count
        for index in range(count):
            part = slice(index * size, (index + 1) * size)
            guide = None if batch.guide is None else self._images(batch.guide[part])
            yield self._images(batch.low[part]), self._images(batch.high[part]), guide, index == count - 1

    def _images(self, pixels: Any) -> Tensor:
        images = to_tensor(pixels, self.processes.device)
        return to_luma(images) if getattr(self.network, "channels", 3) == 1 else images

    def _upscale(self, low: Tensor, scale: int) -> Tensor:
        if self.stage.scales:
            self.network.scale = scale
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self.stage.precision == "bf16"):
            try:
                output: Tensor = self._running(low)
            except torch._dynamo.exc.TorchDynamoException as error:
                reason = " ".join(str(error).split("\n\n")[0].split())
                raise SettingError(f"torch.compile cannot run this network: {reason}; try without it") from error
        return output.float()

    def _take_step(self, step: int) -> None:
        stage = self.stage
        if self.penalise is not None:
            self.penalise()
        if stage.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), stage.gradient_clip)
        set_rate(self._optimiser, self._rate(step))
        self._optimiser.step()
        if self._guidance is not None:
            self._guidance.take_step(self._rate(step))
        if stage.weight_limit or stage.rep_weight_limit:
            limit_weights(self.network, stage.weight_limit, stage.rep_weight_limit)


def check_shares(stage: Stage, world: int) -> None:
    """Refuse a batch that cannot be shared out evenly to processes, and in each to parts.

    Raises:
        SettingError: With the numbers.

    >>> check_shares(Stage(name="a", steps=1, batch=16, accumulate=2), 8)
    >>> check_shares(Stage(name="a", steps=1, batch=16, accumulate=4), 8)
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: stage 'a': a batch of 16 cannot be shared out evenly to 8 processes in 4 parts each
    """
    if stage.batch % (world * stage.accumulate):
        parts = f" in {stage.accumulate} parts each" if stage.accumulate > 1 else ""
        raise SettingError(
            f"stage {stage.name!r}: a batch of {stage.batch} cannot be shared out evenly to {world} processes{parts}"
        )


def _add(sums: dict[str, Tensor], more: Mapping[str, Tensor]) -> None:
    for name, value in more.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()
