"""What an operator costs on paper: multiply-accumulates, and bytes it has to read and write once.

Knows nothing of machines or of time.
"""

from __future__ import annotations

import dataclasses

from pocketsr.graph import Conv2D, Graph, Op, PRelu, Value
from pocketsr.graph.base import Size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """One operator.

    Attributes:
        name: Of what it makes.
        kind: Class and, of a convolution, its kernel and grouping: ``Conv2D 3×3``, ``Conv2D 3×3 depthwise``.
        macs: Multiplications by weights; of copies written as a 1×1 convolution all of them, as they are computed.
        moved_bytes: Weights and inputs read, output written.
    """

    name: str
    kind: str
    macs: int
    moved_bytes: int


def costs(graph: Graph, size: Size) -> tuple[Cost, ...]:
    """Return the cost of every operator, in order.

    Args:
        graph: What is computed.
        size: (height, width) of the input.

    Raises:
        ModelFileError: The graph cannot take that size.
    """
    sizes = graph.sizes(*size)
    return tuple(_cost(op, sizes) for op in graph.ops)


def _cost(op: Op, sizes: dict[str, Size]) -> Cost:
    moved = sum(_bytes(value, sizes[value.name]) for value in (*dict.fromkeys(op.inputs), op.output))
    macs, kind = 0, type(op).__name__
    if isinstance(op, Conv2D):
        height, width = sizes[op.output.name]
        macs = int(op.weight.size) * height * width
        moved += int(op.weight.nbytes + op.bias.nbytes)
        kind += f" {op.weight.shape[1]}×{op.weight.shape[2]}"
        if op.groups > 1:
            kind += " depthwise" if op.groups == op.inputs[0].channels else " grouped"
    elif isinstance(op, PRelu):
        moved += int(op.slope.nbytes)
    return Cost(name=op.output.name, kind=kind, macs=macs, moved_bytes=moved)


def _bytes(value: Value, size: Size) -> int:
    width = 4 if value.quantisation is None else value.quantisation.bits // 8
    return size[0] * size[1] * value.channels * width
