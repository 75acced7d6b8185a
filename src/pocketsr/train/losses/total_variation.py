"""Total variation: how much neighbouring pixels of the output differ. It smooths; the target plays no part."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from pocketsr.errors import SettingError
from pocketsr.train.losses.pixel import LossFunction


def total_variation(*, reduction: Literal["mean", "sum"] = "mean") -> LossFunction:
    """Anisotropic total variation: absolute differences between neighbours in rows and in columns.

    Args:
        reduction: ``mean`` over all pixels and channels, or their ``sum``; over the batch it is a mean either way, so
            that the loss does not grow with the batch or with the number of processes.

    Source:
        Rudin et al. 1992; as F2SRGAN's code has it, but for the sum over the batch and its 0..255: a weight there is
        batch · 255 times as much here.
    """
    if reduction not in ("mean", "sum"):
        raise SettingError(f"loss 'tv': reduction is mean or sum, not {reduction!r}")

    def loss(output: Tensor, target: Tensor) -> Tensor:  # noqa: ARG001 - every loss is called with both
        rows = (output[:, :, 1:] - output[:, :, :-1]).abs()
        columns = (output[:, :, :, 1:] - output[:, :, :, :-1]).abs()
        total = (rows.sum() + columns.sum()) / len(output)
        return total if reduction == "sum" else total / output[0].numel()

    return loss
