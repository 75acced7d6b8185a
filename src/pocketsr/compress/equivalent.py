"""Equivalent transformation: a skip becomes channels of the convolutions it passes, and the graph a plain chain.

    source ─► conv ─► conv ─► conv ─► + ─►            source ─► conv' ─► conv' ─► conv' ─►
       └──────────────────────────────┘        ==>      (each carries the source along in channels of its own)

Phones run plain chains of convolutions fastest; a sum or concatenation of what lies layers apart keeps a tensor alive
and runs on its own. Carried channels pass a ReLU unchanged because the source is never negative: it is the image, or
was made by a ReLU. Equal in float; in 8 bits carried channels share the scale of the features around them, so what they
carry is rounded at every layer, and training has to find scales that serve both.

Source:
    Chao et al., "Equivalent Transformation and Dual Stream Network Construction for Mobile Image Super-Resolution",
    CVPR 2023 (ETDS).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pocketsr.errors import LoweringError
from pocketsr.graph import Add, Concat, Conv2D, Graph, Op, Value
from pocketsr.graph.base import Array, consumers


@dataclasses.dataclass(frozen=True)
class _Skip:
    """A join that can be folded.

    Attributes:
        join: The sum or concatenation.
        chain: Convolutions from the source to the join's other input.
        source: What is carried.
        copies: ``(O, S)`` zeros and ones: which source channel each channel of the join's skipped input is.
    """

    join: Add | Concat
    chain: tuple[Conv2D, ...]
    source: Value
    copies: Array


def equivalent(graph: Graph) -> Graph:
    """Return a graph that computes the same without sums and concatenations.

    Raises:
        LoweringError: There is no skip, or one that cannot be carried.
    """
    joins = [op for op in graph.ops if isinstance(op, Add | Concat)]
    if not joins:
        raise LoweringError("the graph has no skip to fold: it is a plain chain already")
    while joins:
        graph = _folded(graph, _find(graph, joins[0]))
        joins = [op for op in graph.ops if isinstance(op, Add | Concat)]
    return graph


def _find(graph: Graph, join: Add | Concat) -> _Skip:
    """Return how a join is folded, or say why it cannot be."""
    name = join.output.name
    if len(join.inputs) != 2:
        raise LoweringError(f"{name}: {len(join.inputs)} signals are joined; two can be folded")
    makers = {op.output: op for op in graph.ops}
    for end, skipped in (join.inputs, join.inputs[::-1]):
        maker = makers.get(skipped)
        copies: Array = np.eye(skipped.channels, dtype=np.float32)
        source = skipped
        if isinstance(maker, Conv2D) and maker.is_copy:
            source, copies = maker.inputs[0], maker.weight.reshape(len(maker.weight), -1)
        chain = _chain(graph, makers, source, end)
        if chain is None:
            continue
        source_maker = makers.get(source)
        if source != graph.input and getattr(source_maker, "activation", "none") != "relu":
            raise LoweringError(f"{name}: {source.name} can be negative and would not pass the ReLUs in between")
        return _Skip(join, chain, source, copies)
    raise LoweringError(f"{name}: its inputs are not a value and the end of a plain chain of convolutions from it")


def _chain(graph: Graph, makers: dict[Value, Op], source: Value, end: Value) -> tuple[Conv2D, ...] | None:
    """Return the convolutions from ``source`` to ``end``, None where there is anything else in between."""
    found: list[Conv2D] = []
    value = end
    while value != source:
        op = makers.get(value)
        if (
            not isinstance(op, Conv2D)
            or op.groups != 1
            or op.padding != "same"
            or len(consumers(graph.ops, value)) != 1
        ):
            return None
        found.insert(0, op)
        value = op.inputs[0]
    return tuple(found) or None


def _folded(graph: Graph, skip: _Skip) -> Graph:
    last, join = skip.chain[-1], skip.join
    ends_in_relu = last.activation == "relu"
    replaced: dict[Value, Op] = {}
    if isinstance(join, Add) and not ends_in_relu:
        carriers, summing = skip.chain[:-1], last
    else:
        carriers, summing = skip.chain, None
    before = skip.source
    for op in carriers:
        is_first = op is carriers[0]
        made = Value(op.output.name, op.output.channels + skip.source.channels)
        replaced[op.output] = _carrying(op, before, made, 0 if is_first else skip.source.channels, skip.source)
        before = made
    if summing is not None:
        weight = _widened(summing.weight, before.channels - summing.inputs[0].channels if carriers else 0)
        carried = slice(-skip.source.channels, None)
        centre = _centre(weight)
        weight[:, centre[0], centre[1], carried] += skip.copies
        assert isinstance(join, Add)
        replaced[summing.output] = dataclasses.replace(
            summing, inputs=(before,), output=join.output, weight=weight, activation=join.activation
        )
        return _rebuilt(graph, skip, replaced, {})
    return _rebuilt(graph, skip, replaced, {join.output: before})


def _carrying(op: Conv2D, source: Value, made: Value, carried: int, root: Value) -> Conv2D:
    """Return a convolution that also hands on the root's channels: its whole input, or the last ``carried`` of it."""
    weight = _widened(op.weight, carried)
    outputs, height, width, inputs = weight.shape
    whole = np.zeros((outputs + root.channels, height, width, inputs), np.float32)
    whole[:outputs] = weight
    centre = _centre(weight)
    whole[outputs:, centre[0], centre[1], inputs - root.channels :] = np.eye(root.channels, dtype=np.float32)
    bias = np.concatenate([op.bias, np.zeros(root.channels, np.float32)])
    return dataclasses.replace(op, inputs=(source,), output=made, weight=whole, bias=bias)


def _rebuilt(graph: Graph, skip: _Skip, replaced: dict[Value, Op], renamed: dict[Value, Value]) -> Graph:
    """Return the graph with operators replaced; those that took the join's output take what carries it."""
    ops: list[Op] = []
    for op in graph.ops:
        if op is skip.join:
            continue
        if op.output in replaced:
            ops.append(replaced[op.output])
        elif skip.join.output in op.inputs and renamed:
            ops.append(_consuming(op, skip, renamed[skip.join.output]))
        else:
            ops.append(op)
    output = renamed.get(graph.output, graph.output)
    return Graph(graph.input, output, _needed(ops, output))


def _consuming(op: Op, skip: _Skip, carried: Value) -> Op:
    """Return what takes a join, taking features and carried channels side by side instead."""
    join, root = skip.join, skip.source.channels
    if not isinstance(op, Conv2D) or op.groups != 1:
        raise LoweringError(f"{join.output.name}: {op.output.name} takes it and is no plain convolution")
    features = carried.channels - root
    if isinstance(join, Concat):
        at = 0 if join.inputs[0] != skip.chain[-1].output else features
        width = len(skip.copies)
        of_skip = op.weight[..., at : at + width]
        of_features = np.delete(op.weight, np.s_[at : at + width], axis=3)
    else:
        of_features = of_skip = op.weight
    weight = np.concatenate([of_features, of_skip @ skip.copies], axis=3).astype(np.float32)
    return dataclasses.replace(op, inputs=(carried,), weight=weight)


def _needed(ops: Sequence[Op], output: Value) -> tuple[Op, ...]:
    """Leave out operators whose output nobody takes any more: the copies on the skip."""
    kept: list[Op] = []
    wanted = {output}
    for op in reversed(ops):
        if op.output in wanted:
            kept.insert(0, op)
            wanted.update(op.inputs)
    return tuple(kept)


def _widened(weight: Array, carried: int) -> Array:
    """Return weights that also take, and ignore, so many more inputs."""
    more = np.zeros((*weight.shape[:3], carried), np.float32)
    return np.concatenate([weight, more], axis=3)


def _centre(weight: Array) -> tuple[int, int]:
    return weight.shape[1] // 2, weight.shape[2] // 2
