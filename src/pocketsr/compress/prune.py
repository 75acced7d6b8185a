"""Structured pruning: whole channels are taken out, and what is left is an ordinary network of smaller layers.

    network ─► folded ─► groups of channels that must go together ─► a score for each ─► the lowest are cut out

Which layers are tied together (by sums, concatenations, depthwise and recursive layers) is found by torch-pruning's
dependency graph; what it lacks is added here: pixel shuffle ties s² consecutive channels to one, grouped convolutions
lose as many channels in every group, and channels that a network splits by fixed numbers or shows as an image stay.
RepConv is folded first: its branches only exist for training, and the kernel they make is what a file holds.

Source:
    Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, and VainF/Torch-Pruning. Lee et al.,
    "Layer-Adaptive Sparsity for the Magnitude-based Pruning", ICLR 2021 (LAMP). Light F2SRGAN prunes by it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.compress.coupling import Coupled, coupled_groups
from pocketsr.errors import SettingError

Scope = Literal["global", "local"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a network is pruned.

    Attributes:
        ratio: Part of all channels that may go, 0 to below 1.
        importance: What a channel is worth: a name from ``IMPORTANCES``.
        scope: ``global`` ranks channels of all groups together; ``local`` takes the same part of each group.
        multiple: Widths are rounded up to multiples of this, where they are larger; 8 fits SIMD lanes.
        protect_trunk: Leave alone the channels that residual sums tie together.
        keep: Names of layers, as shell patterns, whose outputs stay.
        seed: Of ``random``.
    """

    ratio: float
    importance: str = "l2"
    scope: Scope = "global"
    multiple: int = 1
    protect_trunk: bool = False
    keep: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            raise SettingError(f"a pruning ratio is at least 0 and below 1, not {self.ratio}")
        if self.multiple < 1:
            raise SettingError(f"widths can be multiples of 1 or more, not of {self.multiple}")
        if self.scope not in get_args(Scope):
            raise SettingError(f"the scope is {' or '.join(get_args(Scope))}, not {self.scope!r}")
        if self.importance not in IMPORTANCES:
            raise SettingError(f"the importance is one of {', '.join(IMPORTANCES)}, not {self.importance!r}")


def prune(network: Network, pruning: Pruning) -> Network:
    """Return a smaller network; the one given is left as it was.

    Raises:
        SettingError: No channel of it may go, or a pattern of ``keep`` names no layer.
        MissingExtraError: torch-pruning is not installed.
    """
    plain = network.folded()
    _check_patterns(plain, pruning.keep)
    groups = [
        group
        for group in coupled_groups(plain)
        if not (pruning.protect_trunk and group.is_trunk) and not _is_kept(group, pruning.keep)
    ]
    if not groups:
        raise SettingError(f"{type(network).__name__} has no channels that may be pruned with these settings")
    with torch.random.fork_rng(devices=()):  # the caller's random numbers go on as they were
        torch.manual_seed(pruning.seed)
        scores = [IMPORTANCES[pruning.importance](group) for group in groups]
    for group, doomed in zip(groups, _doomed(groups, scores, pruning), strict=True):
        if doomed:
            group.cut(doomed)
    return plain


def rounds(ratio: float, count: int) -> tuple[float, ...]:
    """Return the ratio of each of ``count`` prunings that together leave 1 − ``ratio`` of the channels.

    >>> [round(one, 3) for one in rounds(0.5, 2)]
    [0.293, 0.293]
    """
    if count < 1:
        raise SettingError(f"pruning takes 1 round or more, not {count}")
    return (1 - (1 - ratio) ** (1 / count),) * count


# -- importance -------------------------------------------------------------------------------------------------------


def _lamp(group: Coupled) -> Tensor:
    """Return squared magnitude over that of all channels as large or larger in the group; the largest scores 1."""
    scores = group.magnitude(2)
    order = scores.argsort()
    left = scores[order].flip(0).cumsum(0).flip(0)
    result = torch.empty_like(scores)
    result[order] = scores[order] / left.clamp_min(torch.finfo(left.dtype).tiny)
    return result


def _group_norm(group: Coupled) -> Tensor:
    scores = group.magnitude(2)
    return scores / scores.mean().clamp_min(torch.finfo(scores.dtype).tiny)


#: What a channel is worth. Magnitudes are sums of |w|^p over a channel's weights in a layer, averaged over the layers
#: of its group on both sides; ``group-norm`` divides them by the group's mean, so that groups compare.
IMPORTANCES: Mapping[str, Callable[[Coupled], Tensor]] = {
    "random": lambda group: torch.rand(group.width),
    "l1": lambda group: group.magnitude(1),
    "l2": lambda group: group.magnitude(2),
    "lamp": _lamp,
    "group-norm": _group_norm,
}


# -- who goes ---------------------------------------------------------------------------------------------------------


def _doomed(groups: Sequence[Coupled], scores: Sequence[Tensor], pruning: Pruning) -> list[list[int]]:
    """Return the channels of each group that go."""
    if pruning.scope == "local":
        counts = [math.floor(group.width * pruning.ratio) for group in groups]
    else:
        every = torch.cat(list(scores))
        number = math.floor(len(every) * pruning.ratio)
        chosen = torch.zeros(len(every), dtype=torch.bool)
        chosen[every.argsort(stable=True)[:number]] = True
        counts = [int(part.sum()) for part in torch.split(chosen, [group.width for group in groups])]
    return [
        _lowest(group, score, _allowed(group, count, pruning.multiple))
        for group, score, count in zip(groups, scores, counts, strict=True)
    ]


def _allowed(group: Coupled, count: int, multiple: int) -> int:
    """Return how many channels really go: some stay, in whole multiples, as many in every part of a grouped layer.

    Two or more stay in each part: with one, the layer would be depthwise, which prunes by other rules.
    """
    step = math.lcm(multiple, group.parts)
    left = max(group.width - count, 2 * group.parts if group.parts > 1 else 1)
    left = min(group.width, -(-left // step) * step)
    return group.width - left


def _lowest(group: Coupled, score: Tensor, count: int) -> list[int]:
    """Return the channels of the lowest scores, as many from each part."""
    width = group.width // group.parts
    chosen = []
    for part in range(group.parts):
        order = score[part * width : (part + 1) * width].argsort(stable=True)
        chosen += [part * width + int(index) for index in order[: count // group.parts]]
    return sorted(chosen)


def _is_kept(group: Coupled, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in group.makers for pattern in patterns)


def _check_patterns(network: nn.Module, patterns: Sequence[str]) -> None:
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise SettingError(f"keep: no layer is called {pattern!r}; there are {', '.join(names)}")
