"""Steps of their own for what is summed and concatenated, where one step for all would be too coarse for some.

    a ─┐                     a, step 1 ─┐
       + ─► step 4    =>                + ─► step 4           XNNPACK's sum weighs both parts
    b ─┘                     b, step 4 ─┘

    a ─┬─► conv              a, step 1 ─┬─► conv
       └─ concat      =>                └─ requantise ─► concat, step 4
    b ──┘                    b, step 4 ─────────────────┘

A concatenation copies bytes and therefore has one step for all that stands in it. In a cascade the first features stand
beside sums many times as large, and lose what they carry to every other layer as well; with a copy for the
concatenation they lose it there only. A sum at steps of its own rounds once more than one of whole numbers, and is as
fast.

Sums and concatenations that share bytes with the image are left as they are: they are exact.

Source: ours; research/LOG.md has what it is worth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pocketsr.compress.scales import Plan
from pocketsr.graph import Add, Concat, Conv2D, Op, Requantise, Value
from pocketsr.graph.base import consumers


def with_own_steps(source: Value, ops: Sequence[Op]) -> tuple[tuple[Op, ...], frozenset[str]]:
    """Return operators with requantised copies for concatenations, and the names of values at steps of their own.

    Args:
        source: The graph's input.
        ops: Float operators, ready for integers.
    """
    plan = Plan(source, ops)
    makers = {op.output.name: op for op in ops}
    apart: set[str] = set()
    rewritten: list[Op] = []
    for op in ops:
        is_fixed = plan.fixed(op.output.name) is not None
        if isinstance(op, Add) and not is_fixed and not _is_prelu(op, makers):
            apart.add(op.output.name)
        elif isinstance(op, Concat) and not is_fixed:
            copies = {
                value: dataclasses.replace(value, name=f"{value.name}_in_{op.output.name}")
                for value in op.inputs
                if len(consumers(ops, value)) > 1
            }
            rewritten += [Requantise((value,), copy) for value, copy in copies.items()]
            apart.update(copy.name for copy in copies.values())
            op = dataclasses.replace(op, inputs=tuple(copies.get(value, value) for value in op.inputs))
        rewritten.append(op)
    return tuple(rewritten), frozenset(apart)


def _is_prelu(op: Add, makers: dict[str, Op]) -> bool:
    """Whether a sum is half of a PReLU, as ``prepare`` writes it: x + relu((slope − 1) · x), exact at one step."""
    source, other = op.inputs
    lifted = makers.get(other.name)
    return (
        isinstance(lifted, Conv2D)
        and lifted.inputs == (source,)
        and lifted.weight.shape == (source.channels, 1, 1, 1)
        and lifted.groups == source.channels
        and lifted.activation == "relu"
        and not lifted.bias.any()
    )
