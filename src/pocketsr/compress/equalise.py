"""Features that share bytes with the image, brought into its range: a factor that ReLU lets through.

    conv, ReLU ─► features ─┐                     k·conv, ReLU ─► k·features ─┐
                            ├─ concat ─► conv  =>                             ├─ concat ─► conv with 1/k of its weights
                     image ─┘                                          image ─┘

A concatenation copies bytes, so features beside the image are stored as it is: in whole steps of 0..255. Features
trained in float may reach 500 and would be cut off, or 40 and have 40 levels. A factor that makes the largest 255 is
undone in the convolution behind: the float graph computes the same.

One factor for all channels. Factors of their own, here and between other layers, were tried: what channels gain in
levels is lost again in the weights behind them, which share a scale for each output (research/LOG.md).

Source:
    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, §4.1, for
    factors that pass a ReLU.
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

#: Features that never pass this many levels are as good as dead; no factor makes them matter.
_SILENT = 1e-3
#: What the image's bytes reach.
_WHITE = 255.0


def equalised(graph: Graph, images: Iterable[Array]) -> Graph:
    """Return a float graph that computes the same, with features beside the image reaching 255 and no further.

    Before: a float graph. After: the same function up to float rounding; without such features, or without images, the
    graph itself.

    Args:
        graph: Float graph from 0..255 to 0..255.
        images: Representative images, uint8 ``(H, W, C)``, which tell what features reach.
    """
    representative = list(images)
    plan = Plan(graph.input, prepared(graph))
    reaches = {
        op.output: 0.0 for op in graph.ops if _can_be_scaled(graph, op) and plan.fixed(op.output.name) is not None
    }
    if not reaches:
        return graph
    for image in representative:
        arrays = execute_all(graph, image[None].astype(np.float32))
        reaches = {features: max(reach, float(arrays[features.name].max())) for features, reach in reaches.items()}
    for features, reach in reaches.items():
        if reach > _SILENT:
            graph = _scaled(graph, features, _WHITE / reach)
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


def _scaled(graph: Graph, features: Value, factor: float) -> Graph:
    """Multiply ``features`` where they are made, and divide them where they are used."""
    shares: dict[str, Array] = {features.name: np.full(features.channels, factor, np.float32)}
    for join in consumers(graph.ops, features):
        if isinstance(join, Concat):
            parts = [np.full(v.channels, factor if v == features else 1, np.float32) for v in join.inputs]
            shares[join.output.name] = np.concatenate(parts)
    return dataclasses.replace(graph, ops=tuple(_changed(op, features, factor, shares) for op in graph.ops))


def _changed(op: Op, features: Value, factor: float, shares: Mapping[str, Array]) -> Op:
    if not isinstance(op, Conv2D):
        return op
    if op.inputs[0].name in shares:
        op = dataclasses.replace(op, weight=op.weight / shares[op.inputs[0].name])
    if op.output == features:
        op = dataclasses.replace(op, weight=op.weight * np.float32(factor), bias=op.bias * np.float32(factor))
    return op
