"""Folding: a network for training becomes a plain one for running.

Every part that knows a simpler equal of itself offers ``folded()``; folding copies the network and puts the equals in
place. Before: any network. After: no part of it has a ``folded()`` of its own, and outputs agree to rounding.
"""

from __future__ import annotations

import copy
from typing import Protocol, TypeVar, runtime_checkable

from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


@runtime_checkable
class Foldable(Protocol):
    """A part that knows a simpler module computing the same."""

    def folded(self) -> nn.Module:
        """Return that simpler module; it shares no memory with this one."""
        ...


def fold(module: _Module) -> _Module:
    """Return a copy of ``module`` in which every foldable part below it is replaced by its folded equal."""
    plain = copy.deepcopy(module)
    _fold_children(plain)
    return plain


def _fold_children(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Foldable):
            setattr(module, name, child.folded())
        else:
            _fold_children(child)
