"""Channels made to use the range that their tensor has: factors that a ReLU lets through, undone in the next layer.

    conv, ReLU ─► features ─► conv      =>      k·conv, ReLU ─► k·features ─► conv with 1/k of its weights

One scale serves all channels of a tensor, so a channel that reaches 12 beside one that reaches 300 has ten levels of
the 255. Each is multiplied by the root of what would take it to the top: all the way costs more in the weights behind,
which share a scale for each output channel, than it gives here.

Features that are concatenated with the image share its bytes and thus its scale, whole steps of 0..255. Trained in
float they pass 255, and an int8 file would cut them off; here they are made to reach 255 and no further.

Source:
    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, §4.1, for the
    factors that pass a ReLU. There they come from the weights alone; here from what channels reach on images. The root
    was chosen by what SCSRN ×3 loses to rounding after training (research/LOG.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from pocketsr.compress.prepare import prepared
from pocketsr.compress.scales import Plan
from pocketsr.graph import Concat, Conv2D, Graph, Op, Value
from pocketsr.graph.base import Array, consumers
from pocketsr.graph.reference import execute_all

#: Exponent of what would take a channel to the top of its tensor's range: 0 changes nothing, 1 goes all the way.
_SHARE = 0.5
#: Channels that never pass this many levels are as good as dead; no factor makes them matter.
_SILENT = 1e-3
#: What the image's bytes reach.
_WHITE = 255.0


def equalised(graph: Graph, images: Iterable[Array]) -> Graph:
    """Return a float graph that computes the same with channels that use their tensor's range better.

    Before: a float graph. After: the same function up to float rounding. Without images nothing is changed.

    Args:
        graph: Float graph from 0..255 to 0..255.
        images: Representative images, uint8 ``(H, W, C)``, which tell what channels reach.
    """
    representative = list(images)
    plan = Plan(graph.input, prepared(graph))
    reaches = {op.output: np.zeros(op.output.channels) for op in graph.ops if _can_be_scaled(graph, op)}
    if not reaches or not representative:
        return graph
    for image in representative:
        arrays = execute_all(graph, image[None].astype(np.float32))
        for features, reach in reaches.items():
            np.maximum(reach, arrays[features.name].max(axis=(0, 1, 2)), out=reach)
    for features, reach in reaches.items():
        top = max(float(reach.max()), _SILENT)
        factors = np.where(reach > _SILENT, (top / np.maximum(reach, _SILENT)) ** _SHARE, 1)
        if plan.fixed(features.name) is not None:
            factors = factors * (_WHITE / top)
        graph = _scaled(graph, features, factors.astype(np.float32))
    return graph


def _can_be_scaled(graph: Graph, op: Op) -> bool:
    """Whether a ReLU makes an operator's output and all that takes it can divide by channel.

    That is plain convolutions, at once or behind a concatenation.
    """
    if not isinstance(op, Conv2D) or op.activation != "relu" or op.output == graph.output:
        return False
    takers = consumers(graph.ops, op.output)
    joins = [taker for taker in takers if isinstance(taker, Concat)]
    users = [taker for taker in takers if taker not in joins]
    for join in joins:
        users += consumers(graph.ops, join.output)
    return bool(users) and all(_is_plain(user) for user in users) and all(consumers(graph.ops, j.output) for j in joins)


def _is_plain(op: Op) -> bool:
    return isinstance(op, Conv2D) and op.groups == 1 and not op.is_copy


def _scaled(graph: Graph, features: Value, factors: Array) -> Graph:
    """Multiply the channels of ``features`` where they are made, and divide them where they are used."""
    shares: dict[str, Array] = {features.name: factors}
    for join in consumers(graph.ops, features):
        if isinstance(join, Concat):
            parts = [factors if value == features else np.ones(value.channels, np.float32) for value in join.inputs]
            shares[join.output.name] = np.concatenate(parts)
    return dataclasses.replace(graph, ops=tuple(_changed(op, features, factors, shares) for op in graph.ops))


def _changed(op: Op, features: Value, factors: Array, shares: Mapping[str, Array]) -> Op:
    if not isinstance(op, Conv2D):
        return op
    if op.inputs[0].name in shares:
        op = dataclasses.replace(op, weight=op.weight / shares[op.inputs[0].name])
    if op.output == features:
        op = dataclasses.replace(op, weight=op.weight * factors[:, None, None, None], bias=op.bias * factors)
    return op
