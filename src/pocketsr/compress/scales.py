"""Which values of an integer graph share a scale, which scales are fixed, and every value's zero point.

    image ─► ops that copy bytes: one scale, one zero point ─► sums: one scale ─► ... ─► output
      └────────────────────────── both ends: scale 1, zero point −128 ────────────────────┘

Operators that copy bytes, and sums, keep one scale for all they touch, so a sum of whole numbers stays one; but for
those that were given steps of their own (``own_steps``). Values that are never negative, an enlarged image among them,
have zero point −128 and use all 256 levels; the others have 0.
The last operator writes the output at zero point −128 whatever its sign: 8 bits at scale 1 saturate to 0..255 by
themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from pocketsr.errors import LoweringError
from pocketsr.graph import FUNCTION_OUTPUTS, Add, Conv2D, Elementwise, Multiply, Op, Requantise, Value


class Plan:
    """Scales and zero points of the values of one graph.

    Args:
        source: The graph's input.
        ops: Its operators; the last one's output is the graph's.
        apart: Names of sums and requantised copies whose steps are not those of what they are made of.

    Raises:
        LoweringError: Signed values would have to share bytes with the image.
    """

    def __init__(self, source: Value, ops: Sequence[Op], apart: Collection[str] = ()) -> None:
        values = [source, *(op.output for op in ops)]
        self._scales, self._bytes = _Groups(values), _Groups(values)
        for op in ops:
            if isinstance(op, Requantise) and op.output.name in apart:
                continue
            for value in op.inputs:
                if not _makes_numbers(op):
                    self._bytes.join(op.output.name, value.name)
                if not _makes_numbers(op) or (isinstance(op, Add) and op.output.name not in apart):
                    self._scales.join(op.output.name, value.name)
        output = ops[-1].output.name
        self._scales.join(output, source.name)
        self._tables = {
            self._scales.of(op.output.name): FUNCTION_OUTPUTS[op.function] for op in ops if isinstance(op, Elementwise)
        }
        converted = {op.output.name for op in ops if isinstance(op, Requantise)}  # the same values in other bits
        for group in self._tables:
            if len(others := [name for name in self._scales.members(group) if name not in converted]) > 1:
                raise LoweringError(f"{', '.join(others)}: a function's table has a scale of its own and shares none")
        self._pixels = self._scales.of(source.name)
        signed = {self._bytes.of(op.output.name): op.output.name for op in ops if _may_be_negative(op)}
        for op in ops:  # in order: a copy of a copy comes later
            if isinstance(op, Requantise) and self._bytes.of(op.inputs[0].name) in signed:
                signed.setdefault(self._bytes.of(op.output.name), op.output.name)
        signed.pop(self._bytes.of(output), None)
        if self._bytes.of(source.name) in signed:
            name = signed[self._bytes.of(source.name)]
            raise LoweringError(f"{name}: values with negative numbers cannot share int8 bytes with the image")
        self._signed = frozenset(signed)

    def group(self, name: str) -> str:
        """Return the representative of all values that share a scale with this one."""
        return self._scales.of(name)

    def members(self, group: str) -> tuple[str, ...]:
        """Return the values of a group."""
        return self._scales.members(group)

    @property
    def learnt_groups(self) -> tuple[str, ...]:
        """Return the groups whose scale is not fixed at 1."""
        return tuple(group for group in self._scales.all() if group != self._pixels and group not in self._tables)

    def fixed(self, name: str) -> float | None:
        """Return the scale of a value whose scale is not learnt, None where it is."""
        group = self._scales.of(name)
        return 1.0 if group == self._pixels else self._tables[group].scale if group in self._tables else None

    def zero_point(self, name: str) -> int:
        """Return the zero point of a value."""
        return 0 if self._bytes.of(name) in self._signed else -128


def is_copy(op: Op) -> bool:
    """Whether a convolution only copies channels."""
    return isinstance(op, Conv2D) and op.is_copy


def is_plain(op: Op | None) -> bool:
    """Whether an operator is a convolution of all channels with all, so that its inputs may be doubled."""
    return isinstance(op, Conv2D) and op.groups == 1 and not op.is_copy


def interpolates(op: Op) -> bool:
    """Whether an operator is a convolution that only mixes neighbours, weights summing to 1: it makes images of images.

    Its output is as good as never negative; what little a bicubic kernel undershoots is cut off.
    """
    if not isinstance(op, Conv2D) or np.any(op.bias):
        return False
    return bool(np.allclose(op.weight.sum(axis=(1, 2, 3)), 1, atol=1e-4))


def _makes_numbers(op: Op) -> bool:
    """Whether an operator computes new levels; all others hand bytes on."""
    return isinstance(op, Conv2D | Add | Multiply | Elementwise) and not is_copy(op)


def _may_be_negative(op: Op) -> bool:
    if isinstance(op, Elementwise):
        return FUNCTION_OUTPUTS[op.function].zero_point == 0
    return _makes_numbers(op) and getattr(op, "activation", "none") == "none" and not interpolates(op)


class _Groups:
    """Names in groups that can be joined."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._parents = {value.name: value.name for value in values}

    def of(self, name: str) -> str:
        while self._parents[name] != name:
            name = self._parents[name]
        return name

    def members(self, group: str) -> tuple[str, ...]:
        return tuple(name for name in self._parents if self.of(name) == group)

    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.of(name) for name in self._parents))

    def join(self, name: str, other: str) -> None:
        self._parents[self.of(name)] = self.of(other)
