"""Limits on weights: SCSRN's constraint, kept by projection after every step.

Source:
    SCSRN §III-C: kernels within ±2, those of a RepConv within ±3, so that 8 bits spread evenly over them. Biases are
    not mentioned there and stay free. Whether the paper limits the factors of a RepConv or the kernel they collapse to
    is not said: in a float stage the factors are what is trained, in an integer stage the collapsed kernel is, and each
    stage has its own limits.
"""

from __future__ import annotations

import torch
from torch import nn

from pocketsr.blocks import RepConv2d


@torch.no_grad()
def limit_weights(network: nn.Module, limit: float, rep_limit: float) -> None:
    """Clamp every kernel in place.

    Args:
        network: Any network; kernels are its parameters of four dimensions.
        limit: Largest absolute weight; 0 sets none.
        rep_limit: The same for kernels inside a ``RepConv2d``.
    """
    inside = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, RepConv2d)
        for parameter in module.parameters()
    }
    for parameter in network.parameters():
        allowed = rep_limit if id(parameter) in inside else limit
        if allowed and parameter.ndim == 4:
            parameter.clamp_(-allowed, allowed)
