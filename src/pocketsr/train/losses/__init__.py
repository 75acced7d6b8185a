"""Losses: distances between what a network made and what it should have made, chosen by name and summed by weight.

Each is made once, with its options, and then called with ``(output, target)``: float32 ``(N, C, H, W)``, black 0 and
white 1, to a scalar that is a mean over the batch, so that the mean over parts of a batch is the loss of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pocketsr.choice import make
from pocketsr.errors import SettingError
from pocketsr.train.losses.adversarial import BCE, AdversarialLoss, LeastSquares, Relativistic
from pocketsr.train.losses.frequency import dct, fft
from pocketsr.train.losses.lpips import LPIPS
from pocketsr.train.losses.perceptual import VGG
from pocketsr.train.losses.pixel import LossFunction, charbonnier, l1, l2, log_l2
from pocketsr.train.losses.total_variation import total_variation
from pocketsr.train.recipe import LossTerm

__all__ = ["ADVERSARIAL_LOSSES", "LOSSES", "AdversarialLoss", "LossFunction", "WeightedLoss", "make_loss"]

LOSSES: Mapping[str, Callable[..., LossFunction]] = {
    "l1": l1,
    "l2": l2,
    "charbonnier": charbonnier,
    "log-l2": log_l2,
    "dct": dct,
    "fft": fft,
    "tv": total_variation,
    "vgg": VGG,
    "lpips": LPIPS,
}

ADVERSARIAL_LOSSES: Mapping[str, Callable[..., AdversarialLoss]] = {
    "bce": BCE,
    "relativistic": Relativistic,
    "least-squares": LeastSquares,
}


class WeightedLoss:
    """A weighted sum of losses."""

    def __init__(self, parts: Mapping[str, tuple[float, LossFunction]]) -> None:
        self._parts = parts

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the sum."""
        return torch.stack([*self.terms(output, target).values()]).sum()

    def terms(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return each term by name, times its weight."""
        return {name: weight * loss(output, target) for name, (weight, loss) in self._parts.items()}


def make_loss(terms: Sequence[LossTerm], device: torch.device | str = "cpu") -> WeightedLoss:
    """Make the losses that a stage names, those with weights of their own on ``device``.

    Raises:
        UnknownNameError: No loss has that name.
        SettingError: One does not take its options, or is named twice.
        CheckpointError: The weights that a loss needs cannot be read.
    """
    names = [term.name for term in terms]
    if len(set(names)) != len(names):
        raise SettingError(f"each loss can be a term once, not {', '.join(names)}")
    parts = {}
    for term in terms:
        loss = make("loss", LOSSES, term)
        parts[term.name] = (term.weight, loss.to(device) if isinstance(loss, nn.Module) else loss)
    return WeightedLoss(parts)
