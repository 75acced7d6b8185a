"""Tracing what moves channels: concatenation, slices, copies, and the ways between channels and sub-pixels.

Torch's pixel shuffle wants colours outside sub-pixels, depth-to-space the other way round. The order is pushed back
into the convolutions before it, so it costs nothing; only where that cannot be does a 1×1 convolution reorder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from pocketsr.errors import LoweringError
from pocketsr.graph import Concat, DepthToSpace, Slice, SpaceToDepth
from pocketsr.graph.base import Array
from pocketsr.lower.order import Order
from pocketsr.lower.pointwise import ADDS, CLAMPS, RELUS
from pocketsr.lower.tracer import SCALES, Signal, Tracer, argument

COPIES = ("repeat_interleave", torch.repeat_interleave, "repeat")
_CHANNELWISE = (*ADDS, *SCALES, *RELUS, *CLAMPS)


def concatenation(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit inputs side by side, all at the first one's gain."""
    parts, axis = node.args[0], argument(node, 1, "dim", 0)
    if axis not in (1, -3) or not isinstance(parts, list | tuple):
        raise LoweringError(f"{node.name}: concatenation can be lowered on the channel axis only")
    first, *others = (tracer.signal(part) for part in parts)
    alone = [tracer.is_alone(part) for part in parts[1:]]
    others = [tracer.rescaled(signal, first.gain, alone=own) for signal, own in zip(others, alone, strict=True)]
    width = sum(signal.value.channels for signal in (first, *others))
    return tracer.emit(Concat, (first, *others), node.name, width)


def split(tracer: Tracer, node: fx.Node) -> tuple[Signal, ...]:
    """Emit a slice for each part."""
    sizes, axis = argument(node, 1, "split_size_or_sections"), argument(node, 2, "dim", 0)
    source = tracer.source(node)
    width = source.value.channels
    if axis not in (1, -3):
        raise LoweringError(f"{node.name}: splitting can be lowered on the channel axis only")
    if isinstance(sizes, int):
        sizes = [min(sizes, width - start) for start in range(0, width, sizes)]
    starts = np.cumsum([0, *sizes])
    return tuple(
        tracer.emit(Slice, (source,), f"{node.name}_{index}", size, int(start))
        for index, (size, start) in enumerate(zip(sizes, starts, strict=False))
    )


def chunk(tracer: Tracer, node: fx.Node) -> tuple[Signal, ...]:
    """Emit a slice for each of a number of equal parts."""
    parts, axis = argument(node, 1, "chunks"), argument(node, 2, "dim", 0)
    source = tracer.source(node)
    size, rest = divmod(source.value.channels, parts)
    if axis not in (1, -3) or rest:
        raise LoweringError(f"{node.name}: only equal chunks on the channel axis can be lowered")
    return tuple(tracer.emit(Slice, (source,), f"{node.name}_{index}", size, index * size) for index in range(parts))


def item(tracer: Tracer, node: fx.Node) -> Signal:
    """Pick one part of a split, or emit a slice ``x[:, a:b]`` of the channels."""
    index: Any = node.args[1]
    assert isinstance(node.args[0], fx.Node)
    parts = tracer.signals[node.args[0]]
    if isinstance(parts, tuple) and isinstance(index, int):
        return parts[index]
    source, everything = tracer.source(node), slice(None, None, None)
    plain = isinstance(index, tuple) and len(index) >= 2 and index[0] == everything and isinstance(index[1], slice)
    if not plain or any(part != everything for part in index[2:]) or index[1].step not in (None, 1):
        raise LoweringError(f"{node.name}: only slices of channels, x[:, a:b], can be lowered")
    start, stop, _ = index[1].indices(source.value.channels)
    return tracer.emit(Slice, (source,), node.name, stop - start, start)


def repeat_interleave(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit every channel several times, one after another."""
    copies, axis = argument(node, 1, "repeats"), argument(node, 2, "dim")
    source = tracer.source(node)
    if axis != 1:
        raise LoweringError(f"{node.name}: repeating can be lowered on the channel axis only")
    return _copied(tracer, node, source, np.repeat(np.arange(source.value.channels), copies))


def repeat(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit the whole image several times on the channel axis: ``x.repeat(1, n, 1, 1)``."""
    sizes = node.args[1] if isinstance(node.args[1], list | tuple) else node.args[1:]
    if len(sizes) != 4 or (sizes[0], sizes[2], sizes[3]) != (1, 1, 1):
        raise LoweringError(f"{node.name}: repeating can be lowered on the channel axis only")
    source = tracer.source(node)
    return _copied(tracer, node, source, np.tile(np.arange(source.value.channels), int(sizes[1])))  # type: ignore[arg-type]


def _copied(tracer: Tracer, node: fx.Node, source: Signal, channels: Array) -> Signal:
    """Emit output channel k = input channel ``channels[k]``, as a concatenation where that is wanted and possible."""
    if node in tracer.orders:
        channels = channels[tracer.orders[node].channels(len(channels))]
    width = source.value.channels
    copies = len(channels) // width
    whole = len(channels) % width == 0 and np.array_equal(channels, np.tile(np.arange(width), copies))
    if tracer.repeat == "concat" and whole:
        return tracer.emit(Concat, (source,) * copies, node.name, len(channels))
    return tracer.pick(node.name, source, channels)


# -- between channels and sub-pixels ----------------------------------------------------------------------------------


def plan_orders(tracer: Tracer, nodes: list[fx.Node]) -> None:
    """Before anything is emitted: push the order that each pixel shuffle wants back into what makes its channels."""
    for node in nodes:
        if _is_shuffle(tracer, node) and not _is_inner_shuffle(tracer, node):
            source, factors = _shuffles(tracer, node)
            order = Order(factors, _groups_behind(tracer, source))
            marks: list[fx.Node] = []
            if _can_reorder(tracer, source, order, marks):
                tracer.orders.update(dict.fromkeys(marks, order))


def shuffle(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit one or several pixel shuffles in a row as one depth-to-space."""
    if _is_inner_shuffle(tracer, node):
        return tracer.source(node)  # the shuffle after it does the work of both
    before, factors = _shuffles(tracer, node)
    source, order = tracer.signal(before), tracer.orders.get(before)
    if order is None:
        order = Order(factors)
        source = tracer.pick(f"{node.name}_order", source, order.channels(source.value.channels))
    width = source.value.channels // order.factor**2
    if order.groups == 1:
        return tracer.emit(DepthToSpace, (source,), node.name, width, order.factor)
    # A grouped convolution can reorder within its groups only: each group goes to space by itself.
    parts, size = [], source.value.channels // order.groups
    for group in range(order.groups):
        part = tracer.emit(Slice, (source,), f"{node.name}_group{group}", size, group * size)
        name, colours = f"{node.name}_space{group}", width // order.groups
        parts.append(tracer.emit(DepthToSpace, (part,), name, colours, order.factor))
    return tracer.emit(Concat, parts, node.name, width)


def unshuffle(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit space-to-depth, then torch's order of channels."""
    module = tracer.submodule(node)
    factor = int(module.downscale_factor) if module is not None else argument(node, 1, "downscale_factor")  # type: ignore[arg-type]
    source = tracer.source(node)
    width = source.value.channels * factor**2
    deep = tracer.emit(SpaceToDepth, (source,), f"{node.name}_deep", width, factor)
    return tracer.pick(node.name, deep, np.argsort(Order((factor,)).channels(width)))


def _is_shuffle(tracer: Tracer, node: Any) -> bool:
    if not isinstance(node, fx.Node):
        return False
    return isinstance(tracer.submodule(node), nn.PixelShuffle) or node.target is F.pixel_shuffle


def _is_inner_shuffle(tracer: Tracer, node: fx.Node) -> bool:
    """Whether a shuffle's only user is another shuffle."""
    return len(node.users) == 1 and _is_shuffle(tracer, next(iter(node.users)))


def _shuffles(tracer: Tracer, node: fx.Node) -> tuple[fx.Node, tuple[int, ...]]:
    """Return what stands before a row of shuffles that ends at a node, and their factors, first to last."""
    module = tracer.submodule(node)
    factor = int(module.upscale_factor) if module is not None else int(argument(node, 1, "upscale_factor"))  # type: ignore[arg-type]
    before = node.args[0]
    assert isinstance(before, fx.Node)
    if _is_shuffle(tracer, before) and _is_inner_shuffle(tracer, before):
        source, factors = _shuffles(tracer, before)
        return source, (*factors, factor)
    return before, (factor,)


def _can_reorder(tracer: Tracer, node: fx.Node, order: Order, marks: list[fx.Node]) -> bool:
    """Collect the nodes that can make their channels in another order; false if one that leads here cannot."""
    if len(node.users) != 1:
        return False
    marks.append(node)
    module = tracer.submodule(node)
    if isinstance(module, nn.Conv2d):
        return module.groups == order.groups and order.fits(module.out_channels, order.groups)
    if node.target in COPIES:
        return order.groups == 1
    if isinstance(module, nn.ReLU) or node.target in _CHANNELWISE:
        sources = _images(node)
        constants = [tracer.constant(other) for other in node.args if other not in sources]
        numbers = all(constant is not None and constant.size == 1 for constant in constants)
        return numbers and all(_can_reorder(tracer, source, order, marks) for source in sources)
    return False


def _groups_behind(tracer: Tracer, node: fx.Node) -> int:
    """Return the groups of the convolution that makes a node's channels, seen through what works channel by channel."""
    module = tracer.submodule(node)
    if isinstance(module, nn.Conv2d):
        return module.groups
    if isinstance(module, nn.ReLU) or node.target in _CHANNELWISE:
        return max((_groups_behind(tracer, source) for source in _images(node)), default=1)
    return 1


def _images(node: fx.Node) -> list[fx.Node]:
    """Return the arguments of a node that are images and not constants."""
    return [source for source in node.args if isinstance(source, fx.Node) and source.op != "get_attr"]
