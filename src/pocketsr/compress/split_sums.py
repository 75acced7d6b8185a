"""A sum that only convolutions take, split: its parts are put side by side, each convolved with the same weights.

    a ─┐                    a ─┐
       + ─► conv, W   =>       concat ─► conv, W beside W
    b ─┘                    b ─┘

The float graph computes the same. In 8 bits a sum needs steps for what both parts reach together, and gives those
steps to the smaller part as well; beside one another each channel of each part can fill the range (``equalise``). The
convolution behind has twice the inputs; the sum, which is as slow as its memory, is gone.

Source: ours; research/LOG.md has what it is worth.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pocketsr.compress.scales import is_plain
from pocketsr.graph import Add, Concat, Conv2D, Graph, Op, Value
from pocketsr.graph.base import consumers


def split_sums(graph: Graph) -> Graph:
    """Return a float graph that computes the same without the sums that only plain convolutions take.

    Before: a float graph. After: the same function up to float rounding; without such sums the graph itself.
    """
    sums = {op.output.name: op for op in graph.ops if isinstance(op, Add) and _can_be_split(graph, op)}
    if not sums:
        return graph
    return dataclasses.replace(graph, ops=tuple(_changed(op, sums) for op in graph.ops))


def _can_be_split(graph: Graph, op: Add) -> bool:
    takers = consumers(graph.ops, op.output)
    return op.activation == "none" and bool(takers) and all(is_plain(taker) for taker in takers)


def _changed(op: Op, sums: dict[str, Add]) -> Op:
    if op.output.name in sums:
        return Concat(op.inputs, _beside(op.output))
    if isinstance(op, Conv2D) and op.inputs[0].name in sums:
        weight = np.concatenate([op.weight, op.weight], axis=3)
        return dataclasses.replace(op, inputs=(_beside(op.inputs[0]),), weight=weight)
    return op


def _beside(value: Value) -> Value:
    return dataclasses.replace(value, channels=2 * value.channels)
