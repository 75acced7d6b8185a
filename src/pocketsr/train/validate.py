"""Validation: the field's metric on a folder kept apart, through a torch network or bicubic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from pocketsr.data import Pair
from pocketsr.evaluate import psnr
from pocketsr.image import resize_bicubic
from pocketsr.train.images import upscale_with


@torch.no_grad()
def validate(network: nn.Module, pairs: Sequence[Pair]) -> float:
    """Return the mean PSNR in dB over pairs: RGB, rounded to 8 bits, no border. NaN where there are none."""
    if not pairs:
        return math.nan
    was_training = network.training
    network.eval()
    try:
        return sum(psnr(upscale_with(network, pair.low), pair.high) for pair in pairs) / len(pairs)
    finally:
        network.train(was_training)


def validate_bicubic(pairs: Sequence[Pair]) -> float:
    """Return what bicubic enlarging reaches on the same terms. NaN where there are no pairs."""
    if not pairs:
        return math.nan
    return sum(psnr(resize_bicubic(pair.low, *pair.high.shape[:2]), pair.high) for pair in pairs) / len(pairs)
