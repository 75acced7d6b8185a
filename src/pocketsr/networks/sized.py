"""Sizes: a network whose layers are narrower than its class makes them, as pruning leaves it.

Sizes are a mapping from names of parameters and buffers to shapes, of those alone that differ. They are an option of
every network: ``build(name, {..., "sizes": sizes})`` makes the folded network of that name and gives its layers these
shapes, so that checkpoints, recipes and saved files of pruned networks need nothing of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

#: The option of ``build`` that holds them.
SIZES = "sizes"


def sizes_of(network: Network, plain: Network) -> dict[str, list[int]]:
    """Return the shapes in a network that differ from those of the network as its class makes it.

    Args:
        network: A pruned network.
        plain: The folded network of the same name and options.
    """
    there = plain.state_dict()
    return {
        name: list(value.shape)
        for name, value in network.state_dict().items()
        if name in there and value.shape != there[name].shape
    }


def resized(network: Network, sizes: Mapping[str, Sequence[int]]) -> Network:
    """Give layers other shapes, in place, with fresh weights where a shape is new.

    Raises:
        SettingError: A name is not in the network, or a shape does not go with its layer.
    """
    for name, shape in sizes.items():
        path, _, leaf = name.rpartition(".")
        try:
            module = network.get_submodule(path)
            before = getattr(module, leaf)
        except AttributeError:
            raise SettingError(f"sizes name {name!r}, which {type(network).__name__} does not have") from None
        if len(shape) != before.ndim or not all(side >= 1 for side in shape):
            words = f"{before.ndim} sides of 1 or more are needed"
            raise SettingError(f"sizes give {name!r} the shape {list(shape)}; {words}")
        if isinstance(before, nn.Parameter):
            setattr(module, leaf, nn.Parameter(_fresh(before, shape), requires_grad=before.requires_grad))
        else:
            setattr(module, leaf, _fresh(before, shape))  # a registered buffer stays one
        if leaf == "weight":
            _tell(module, shape)
    return network


def _fresh(before: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return numbers spread as those before, which a checkpoint's take the place of or training moves."""
    spread = float(before.detach().float().std()) if before.numel() > 1 and not before.is_complex() else 0.0
    return torch.randn(*shape, dtype=before.dtype) * spread


def _tell(module: Any, shape: Sequence[int]) -> None:
    """Let a layer say its new widths."""
    if isinstance(module, nn.ConvTranspose2d):
        module.in_channels, module.out_channels = shape[0], shape[1] * module.groups
    elif isinstance(module, nn.Conv2d):
        is_depthwise = module.groups > 1 and module.groups == module.in_channels
        module.groups = shape[0] * module.groups // module.out_channels if is_depthwise else module.groups
        module.in_channels, module.out_channels = shape[1] * module.groups, shape[0]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = shape[0]
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = shape[0]
