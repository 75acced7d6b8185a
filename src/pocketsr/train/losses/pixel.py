"""Distances pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pocketsr.errors import SettingError

#: (output, target), both ``(N, C, H, W)`` in 0..1, to a scalar.
LossFunction = Callable[[Tensor, Tensor], Tensor]


def l1() -> LossFunction:
    """Mean absolute difference."""
    return lambda output, target: (output - target).abs().mean()


def l2() -> LossFunction:
    """Mean squared difference."""
    return lambda output, target: (output - target).square().mean()


def charbonnier(*, epsilon: float = 1e-3) -> LossFunction:
    """Mean of √(d² + ε²): L1 with a rounded tip.

    Args:
        epsilon: Width of the tip, in units of 0..1. XLSR's √(d² + 0.01) is 0.1.
    """
    _require_above_zero("charbonnier", epsilon)
    return lambda output, target: torch.sqrt((output - target).square() + epsilon * epsilon).mean()


def log_l2(*, epsilon: float = 1e-5) -> LossFunction:
    """Mean over images of log(mean squared difference + ε): PSNR as a loss, up to a factor.

    Args:
        epsilon: Keeps the gradient of an image that is right already finite, in squared units of 0..1.
    """
    _require_above_zero("log-l2", epsilon)
    return lambda output, target: torch.log((output - target).square().mean(dim=(1, 2, 3)) + epsilon).mean()


def _require_above_zero(loss: str, epsilon: float) -> None:
    if epsilon <= 0:
        raise SettingError(f"loss {loss!r}: epsilon must be above 0, not {epsilon}")
