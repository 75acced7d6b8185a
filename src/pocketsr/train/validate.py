"""Validation: the field's metric on a folder kept apart, through a torch network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from pocketsr.data import Pair
from pocketsr.evaluate import psnr
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
