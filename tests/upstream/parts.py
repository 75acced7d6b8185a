"""What the miniatures are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **options)


def frozen(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Give a layer fixed numbers, which public code saves with the others."""
    layer.weight.data, layer.bias.data = weight, bias
    return layer.requires_grad_(False)


def holder(**parts: nn.Module) -> nn.Module:
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


@dataclasses.dataclass(frozen=True)
class Maker:
    """One miniature: how it is made and run, and what it must be recognised as."""

    source: str
    network: str
    make: Callable[[], nn.Module]
    run: Callable[[nn.Module, Tensor], Tensor]
    scale: int | None = None
