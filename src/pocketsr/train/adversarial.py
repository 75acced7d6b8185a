"""Adversarial training: network and discriminator take a step each, in turn, with an optimiser each.

    low ─► network ─► output ─┬─► discriminator ─► "real?"      1. the discriminator learns to tell them apart
                      high ───┘                                 2. the network learns to be taken for real,
                                                                   beside the stage's other losses

Source:
    Goodfellow et al., NIPS 2014; one step of each a batch, discriminator first, as PCARN's and F2SRGAN's code has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pocketsr.choice import make
from pocketsr.data import PatchBatch
from pocketsr.networks.discriminators import build_discriminator
from pocketsr.train.distributed import Processes, exchange
from pocketsr.train.learner import Learner
from pocketsr.train.losses import ADVERSARIAL_LOSSES
from pocketsr.train.optimiser import make_optimiser, set_rate
from pocketsr.train.recipe import Adversary, Stage
from pocketsr.train.schedule import rate_of


class AdversarialLearner(Learner):
    """Trains a network and, against it, a discriminator.

    Args:
        stage: As for ``Learner``; its ``adversary`` says the rest.
        network: Trained in place.
        processes: The group that trains.
        seed: Decides the discriminator's first weights.
    """

    def __init__(self, stage: Stage, network: nn.Module, processes: Processes, *, seed: int) -> None:
        super().__init__(stage, network, processes)
        assert stage.adversary is not None
        self._adversary: Adversary = stage.adversary
        torch.manual_seed(seed)
        judge = build_discriminator(self._adversary.discriminator.name, self._adversary.discriminator.options)
        self.discriminator = judge.to(processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._running_discriminator = processes.joined(self.discriminator)
        self._adversarial_loss = make("adversarial loss", ADVERSARIAL_LOSSES, self._adversary.loss)
        peak = self._adversary.learning_rate or stage.learning_rate
        self._discriminator_optimiser = make_optimiser(self._adversary.optimiser, self.discriminator, peak, {})
        self._discriminator_rate = rate_of(stage, peak)

    def learn(self, batch: PatchBatch, step: int) -> dict[str, Tensor]:
        """Take one step of the discriminator, then one of the network; ``"discriminator"`` is the former's loss."""
        of_discriminator = self._learn_to_judge(batch, step)
        self.discriminator.requires_grad_(False)  # its gradients are not wanted on the way to the network's
        terms = super().learn(batch, step)
        self.discriminator.requires_grad_(True)
        return {**terms, "discriminator": of_discriminator}

    def state(self) -> dict[str, Any]:
        """Return both optimisers' states and the discriminator's weights."""
        return {
            **super().state(),
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimiser": self._discriminator_optimiser.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` returned."""
        super().load_state(state)
        self.discriminator.load_state_dict(state["discriminator"])
        self._discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])

    def _learn_to_judge(self, batch: PatchBatch, step: int) -> Tensor:
        self._discriminator_optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.processes.device)
        for low, high, _, is_last in self._parts(batch):
            with torch.no_grad():
                output = self._upscale(low, batch.scale)
            with exchange(self._running_discriminator, now=is_last):
                fake, real = self._judged(self._running_discriminator, output, high)
                loss = self._adversarial_loss.of_discriminator(fake, real) / self.stage.accumulate
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        set_rate(self._discriminator_optimiser, self._discriminator_rate(step))
        self._discriminator_optimiser.step()
        return total

    def _terms(self, output: Tensor, high: Tensor) -> dict[str, Tensor]:
        fake, real = self._judged(self.discriminator, output, high)
        judged = self._adversary.weight * self._adversarial_loss.of_network(fake, real)
        return {**super()._terms(output, high), "adversary": judged}

    def _judged(self, discriminator: nn.Module, output: Tensor, high: Tensor) -> tuple[Any, Any]:
        """Return the logits of upscaled and real images: each a tensor, or one tensor of each of several judges."""
        with torch.autocast(output.device.type, torch.bfloat16, enabled=self.stage.precision == "bf16"):
            fake, real = discriminator(output), discriminator(high)
        return _in_float32(fake), _in_float32(real)


def _in_float32(logits: Any) -> Any:
    return tuple(one.float() for one in logits) if isinstance(logits, tuple) else logits.float()
