"""Values of 16 bits where 8 are too few: chosen layers compute with them, and conversions stand at the borders.

    image ─8─► widen ─16─► conv ─16─► conv ─16─► narrow ─8─► pixel shuffle ─8─► output        all
    image ─8─► widen ─16─► conv ─16─► narrow ─8─► conv ─8─► widen ─16─► conv ─16─► narrow ─8─► output       ends

A wide value has seven bits behind the point: its step is 1/128 of that of the same value in 8 bits, so widening is
exact and narrowing rounds once. Weights keep 8 bits. Images at both ends do, too, and so does every operator that
TensorFlow Lite has for 8 bits only, the pixel shuffle among them. Copies of channels stay narrow: 8 bits hold them.

Not for speed on a CPU: XNNPACK has no 16-bit kernels, and TensorFlow Lite's own are many times slower. Phones' NPUs
have them; 16×8 is TensorFlow Lite's word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from pocketsr.compress.scales import is_copy
from pocketsr.errors import SettingError
from pocketsr.graph import Add, Concat, Conv2D, Op, Requantise, Slice, Value

#: Words that stand for layers, beside their own names.
ENDS, ALL = "ends", "all"


def widened(source: Value, ops: Sequence[Op], wide: Collection[str]) -> tuple[tuple[Op, ...], frozenset[str]]:
    """Return operators with conversions where numbers of bits change, and the names of the values that have 16.

    Args:
        source: The graph's input.
        ops: Float operators, ready for integers; the last one's output stays the graph's.
        wide: What computes with 16 bits: names of convolutions (of their outputs), ``ends`` for the first and the last,
            ``all`` for all and for what lies between them.

    Raises:
        SettingError: No convolution goes by one of the names.
    """
    layers = _layers(ops, wide)
    if not layers:
        return tuple(ops), frozenset()
    rewritten = _Rewriting(source, ops[-1].output)
    for op in ops:
        is_wide = op.output.name in layers
        if isinstance(op, Add | Concat | Slice):  # these follow what comes in
            is_wide = any(
                rewritten.has(value, bits=16) and (ALL in wide or not rewritten.has(value, bits=8))
                for value in op.inputs
            )
        rewritten.add(op, 16 if is_wide else 8)
    return rewritten.result()


def _layers(ops: Sequence[Op], wide: Collection[str]) -> frozenset[str]:
    names = [op.output.name for op in ops if isinstance(op, Conv2D) and not is_copy(op)]
    groups = {ENDS: {names[0], names[-1]}, ALL: set(names)} if names else {ENDS: set(), ALL: set()}
    found: set[str] = set()
    for word in wide:
        if word not in groups and word not in names:
            raise SettingError(
                f"no layer {word!r} to keep wide: {ENDS!r}, {ALL!r} or names of convolutions are needed, "
                f"of {', '.join(names)}"
            )
        found |= groups.get(word, {word})
    return frozenset(found)


class _Rewriting:
    """Operators being collected, with each value in 8 bits, in 16, or in both once both are wanted."""

    def __init__(self, source: Value, output: Value) -> None:
        self._output = output
        self._ops: list[Op] = []
        self._forms = {(source.name, 8): source}
        self._wide: set[str] = set()

    def has(self, value: Value, *, bits: int) -> bool:
        """Whether a value is there in that many bits without a conversion."""
        return (value.name, bits) in self._forms

    def add(self, op: Op, bits: int) -> None:
        """Add an operator that computes with that many bits."""
        inputs = tuple(self._form(value, bits) for value in op.inputs)
        made = op.output
        if bits == 16 and made == self._output:  # it is the graph's: it keeps its name, and 8 bits
            made = dataclasses.replace(made, name=f"{made.name}_wide")
        self._ops.append(dataclasses.replace(op, inputs=inputs, output=made))
        self._keep(op.output.name, bits, made)
        if made != op.output:
            self._convert(op.output, op.output, 8)

    def result(self) -> tuple[tuple[Op, ...], frozenset[str]]:
        return tuple(self._ops), frozenset(self._wide)

    def _form(self, value: Value, bits: int) -> Value:
        if not self.has(value, bits=bits):
            word = "wide" if bits == 16 else "narrow"
            self._convert(value, dataclasses.replace(value, name=f"{value.name}_{word}"), bits)
        return self._forms[value.name, bits]

    def _convert(self, value: Value, made: Value, bits: int) -> None:
        other = 8 if bits == 16 else 16
        self._ops.append(Requantise((self._forms[value.name, other],), made))
        self._keep(value.name, bits, made)

    def _keep(self, name: str, bits: int, form: Value) -> None:
        self._forms[name, bits] = form
        if bits == 16:
            self._wide.add(form.name)
