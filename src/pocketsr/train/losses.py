"""Losses: distances between two batches of images, as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pocketsr.train.recipe import Loss, Stage


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two equally shaped tensors."""
    return (output - target).abs().mean()


def l2(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of two equally shaped tensors."""
    return (output - target).square().mean()


def charbonnier(output: Tensor, target: Tensor, *, epsilon: float) -> Tensor:
    """Return the mean of √(d² + ε²): L1 with a rounded tip. ``epsilon`` is in the units of the images."""
    return torch.sqrt((output - target).square() + epsilon * epsilon).mean()


def loss_of(stage: Stage) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the stage's loss as a function of (output, target), both ``(N, 3, H, W)`` in 0..1."""
    losses: Mapping[Loss, Callable[[Tensor, Tensor], Tensor]] = {
        "l1": l1,
        "l2": l2,
        "charbonnier": lambda output, target: charbonnier(output, target, epsilon=stage.charbonnier_epsilon),
    }
    return losses[stage.loss]
