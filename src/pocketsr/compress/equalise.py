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

Grouped convolutions take factors as others do. Either way the float graph computes the same. Factors between other
layers win nothing (research/LOG.md).

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
from pocketsr.graph import Add, Concat, Conv2D, Graph, Op, Value
from pocketsr.graph.base import Array, consumers
from pocketsr.graph.reference import execute_all

#: Features that never pass this many levels are as good as dead; no factor makes them matter.
_SILENT = 1e-3
#: What the image's bytes reach.
_WHITE = 255.0
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
    groups = [group for group in _summed(graph) if _can_be_scaled(graph, group) and _shares_step(plan, group)]
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
        return np.full_like(reach, _WHITE / reach.max())
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


def _summed(graph: Graph) -> list[tuple[Value, ...]]:
    """Return all values but the input, each with those that it is summed with and the sums."""
    groups: list[set[Value]] = []
    for op in graph.ops:
        joined = {*op.inputs, op.output} if isinstance(op, Add) else {op.output}
        joined = joined.union(*(group for group in groups if group & joined))
        groups = [group for group in groups if not group & joined] + [joined]
    return [tuple(sorted(group, key=lambda value: value.name)) for group in groups]


def _can_be_scaled(graph: Graph, group: tuple[Value, ...]) -> bool:
    """Whether convolutions make all of a group, and convolutions take it, at once or behind a concatenation."""
    makers = {op.output: op for op in graph.ops}
    users: list[Op] = []
    for value in group:
        maker = makers.get(value)  # the image has none
        if value == graph.output or not (isinstance(maker, Add) or _takes_factors(maker)):
            return False
        for taker in consumers(graph.ops, value):
            if isinstance(taker, Concat):
                users += consumers(graph.ops, taker.output) or [taker]
            elif not isinstance(taker, Add):
                users.append(taker)
    return bool(users) and all(_takes_factors(user) for user in users)


def _scaled(graph: Graph, group: tuple[Value, ...], factors: Array) -> Graph:
    """Multiply the channels of a group where they are made, and divide them where they are used."""
    shares = {value.name: factors for value in group}
    for op in graph.ops:
        if isinstance(op, Concat) and any(value in group for value in op.inputs):
            parts = [factors if value in group else np.ones(value.channels, np.float32) for value in op.inputs]
            shares[op.output.name] = np.concatenate(parts)
    return dataclasses.replace(graph, ops=tuple(_changed(op, group, factors, shares) for op in graph.ops))


def _changed(op: Op, group: tuple[Value, ...], factors: Array, shares: Mapping[str, Array]) -> Op:
    if not isinstance(op, Conv2D):
        return op
    if op.inputs[0].name in shares:
        # Each group of outputs takes its own share of the inputs.
        taken = shares[op.inputs[0].name].reshape(op.groups, 1, -1)
        of_outputs = np.broadcast_to(taken, (op.groups, op.output.channels // op.groups, taken.shape[2]))
        op = dataclasses.replace(op, weight=op.weight / of_outputs.reshape(op.output.channels, 1, 1, -1))
    if op.output in group:
        weight = op.weight * factors[:, None, None, None]
        op = dataclasses.replace(op, weight=weight, bias=op.bias * factors)
    return op
