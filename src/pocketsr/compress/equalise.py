"""Channels brought to ranges that 8 bits serve well, by factors that ReLU lets through and convolutions undo.

    conv, ReLU ─► features ─┐                     k·conv, ReLU ─► k·features ─┐
                            ├─ concat ─► conv  =>                             ├─ concat ─► conv with 1/k of its weights
                     image ─┘                                          image ─┘

A concatenation copies bytes, so features beside the image are stored as it is: in whole steps of 0..255. Features
trained in float may reach 500 and would be cut off, or 40 and have 40 levels. One factor makes the largest 255.

    conv ─► features ─┐                k_c·conv ─► k_c·features ─┐
                      + ─► conv   =>                             + ─► conv with 1/k_c of channel c's weights
    conv ─► features ─┘                k_c·conv ─► k_c·features ─┘

What is summed or concatenated shares one step, and the largest channel of all decides it: a long skip's small channels
would have few levels. Each channel has a factor of its own, and the same one wherever it is summed. The convolutions
behind share a step among the weights of an output, so factors are a power below 1 of what would make all channels
alike.

    conv ─► features ─► depthwise   =>   k_c·conv ─► k_c·features ─► depthwise with 1/k_c of channel c's weights

A depthwise convolution knows one channel each, so its outputs lie as far apart as its weights happen to; before and
behind one, channels are brought together, too. Factors between other layers win nothing (research/LOG.md).

Grouped convolutions take factors as others do, ReLU of every kind and pixel shuffles hand them on. In all three cases
the float graph computes the same.

Source:
    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, §4.1, for
    factors that pass a ReLU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pocketsr.compress.prepare import prepared
from pocketsr.compress.scales import Plan, interpolates
from pocketsr.graph import Add, Concat, Conv2D, DepthToSpace, Graph, LeakyRelu, Op, PRelu, Relu, Value
from pocketsr.graph.base import Array, consumers
from pocketsr.graph.reference import execute_all

#: What computes channel by channel, and of k·x k times what it makes of x.
_HANDING_ON = (Add, Relu, LeakyRelu, PRelu)
#: Features that never pass this many levels are as good as dead; no factor makes them matter.
_SILENT = 1e-3
#: What the image's bytes reach, and what bytes of both signs reach at its scale.
_WHITE, _SIGNED = 255.0, 127.0
#: Of channels that share a step: 0 leaves them, 1 makes all reach alike, 0.75 lost least on LRSRN and SESR.
_POWER = 0.75
#: No channel is taken for smaller than this share of the largest.
_SMALLEST = 0.05


def equalised(graph: Graph, images: Iterable[Array]) -> Graph:
    """Return a float graph that computes the same, its channels rescaled where 8 bits gain by it.

    Before: a float graph. After: the same function up to float rounding; without anything to gain, or without images,
    the graph itself.

    Args:
        graph: Float graph from 0..255 to 0..255.
        images: Representative images, uint8 ``(H, W, C)``, which tell what features reach.
    """
    plan = Plan(graph.input, prepared(graph))
    groups = [
        group
        for group in _tied(graph)
        if _can_be_scaled(graph, group) and (_shares_step(plan, group) or _is_beside_depthwise(graph, group))
    ]
    representative = list(images)
    if not groups or not representative:
        return graph
    reaches = _reaches(graph, representative)
    for group in groups:
        reach = np.maximum.reduce([reaches[value.name] for value in group])
        if float(reach.max()) > _SILENT:
            graph = _scaled(graph, group, _factors(plan, group, reach, reaches).astype(np.float32))
    return graph


def _factors(plan: Plan, group: tuple[Value, ...], reach: Array, reaches: Mapping[str, Array]) -> Array:
    """Return what a group's channels are multiplied with."""
    if plan.fixed(group[0].name) is not None:
        highest = _WHITE if plan.zero_point(group[0].name) == -128 else _SIGNED
        return np.full_like(reach, highest / reach.max())
    sharing = plan.members(plan.group(group[0].name))
    largest = max(float(reaches[name].max()) for name in sharing if name in reaches)
    factors: Array = (largest / np.maximum(reach, _SMALLEST * largest)) ** _POWER
    return factors


def _shares_step(plan: Plan, group: tuple[Value, ...]) -> bool:
    return plan.fixed(group[0].name) is not None or len(plan.members(plan.group(group[0].name))) > 1


def _reaches(graph: Graph, images: Sequence[Array]) -> dict[str, Array]:
    """Return the largest magnitude of every channel of every value."""
    reaches: dict[str, Array] = {}
    for image in images:
        for name, array in execute_all(graph, image[None].astype(np.float32)).items():
            seen = np.abs(array).max(axis=(0, 1, 2))
            reaches[name] = np.maximum(reaches[name], seen) if name in reaches else seen
    return reaches


def _takes_factors(op: Op | None) -> bool:
    """Whether factors of channels can go into an operator: a convolution, grouped or not, that makes no mere image."""
    return isinstance(op, Conv2D) and not op.is_copy and not interpolates(op)


def _tied(graph: Graph) -> list[tuple[Value, ...]]:
    """Return all values but the input, each with those that have its factors: sums, and what ReLU makes of them."""
    groups: list[set[Value]] = []
    for op in graph.ops:
        joined = {*op.inputs, op.output} if isinstance(op, _HANDING_ON) else {op.output}
        joined = joined.union(*(group for group in groups if group & joined))
        groups = [group for group in groups if not group & joined] + [joined]
    return [tuple(sorted(group, key=lambda value: value.name)) for group in groups]


def _can_be_scaled(graph: Graph, group: tuple[Value, ...]) -> bool:
    """Whether convolutions make all of a group, and convolutions take it, at once or behind a concatenation."""
    makers = {op.output: op for op in graph.ops}
    users: list[Op] = []
    for value in group:
        maker = makers.get(value)  # the image has none
        if isinstance(maker, DepthToSpace) and consumers(graph.ops, maker.inputs[0]) == (maker,):
            is_made = _takes_factors(makers.get(maker.inputs[0]))
        else:
            is_made = isinstance(maker, _HANDING_ON) or _takes_factors(maker)
        if value == graph.output or not is_made:
            return False
        for taker in consumers(graph.ops, value):
            if isinstance(taker, Concat):
                users += consumers(graph.ops, taker.output) or [taker]
            elif not isinstance(taker, _HANDING_ON):
                users.append(taker)
    return bool(users) and all(_takes_factors(user) for user in users)


def _is_beside_depthwise(graph: Graph, group: tuple[Value, ...]) -> bool:
    return any(
        isinstance(op, Conv2D) and op.groups == op.output.channels > 1 and (op.output in group or op.inputs[0] in group)
        for op in graph.ops
    )


def _scaled(graph: Graph, group: tuple[Value, ...], factors: Array) -> Graph:
    """Multiply the channels of a group where they are made, and divide them where they are used."""
    made = {value.name: factors for value in group}
    taken = dict(made)
    for op in graph.ops:
        if isinstance(op, Concat) and any(value in group for value in op.inputs):
            parts = [factors if value in group else np.ones(value.channels, np.float32) for value in op.inputs]
            taken[op.output.name] = np.concatenate(parts)
        elif isinstance(op, DepthToSpace) and op.output in group:
            made[op.inputs[0].name] = np.tile(factors, op.block**2)
    return dataclasses.replace(graph, ops=tuple(_changed(op, made, taken) for op in graph.ops))


def _changed(op: Op, made: Mapping[str, Array], taken: Mapping[str, Array]) -> Op:
    if not isinstance(op, Conv2D):
        return op
    if op.inputs[0].name in taken:
        # Each group of outputs takes its own share of the inputs.
        shares = taken[op.inputs[0].name].reshape(op.groups, 1, -1)
        of_outputs = np.broadcast_to(shares, (op.groups, op.output.channels // op.groups, shares.shape[2]))
        op = dataclasses.replace(op, weight=op.weight / of_outputs.reshape(op.output.channels, 1, 1, -1))
    if op.output.name in made:
        factors = made[op.output.name]
        op = dataclasses.replace(op, weight=op.weight * factors[:, None, None, None], bias=op.bias * factors)
    return op
