"""A float graph made ready for 8 bits: what int8 files do not have is written with what they have.

    min(·, 255) at the end ─► left out: 8 bits at scale 1 saturate to 0..255 by themselves
    PReLU(x)               ─► x + relu((slope − 1) · x): a depthwise 1×1 convolution and a sum

TensorFlow Lite has an int8 PReLU, but only as a slow loop that XNNPACK does not take; the two operators above are
fast everywhere, and whole numbers pass them exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pocketsr.errors import LoweringError
from pocketsr.graph import (
    FUNCTION_OUTPUTS,
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    Graph,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Op,
    PRelu,
    Relu,
    Slice,
    SpaceToDepth,
    Value,
)

_INTEGER_OPS = (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Relu,
    Slice,
    SpaceToDepth,
)

#: A step of 8-bit weights: by so much a slope may be above 1, which training makes of slopes that end there.
_STEP = 1 / 127


def prepared(graph: Graph) -> tuple[Op, ...]:
    """Return a float graph's operators as an int8 file will have them.

    Raises:
        LoweringError: An operator has no integer form, or the graph ends in none that saturates.
    """
    ops = tuple(new for op in _without_saturation(graph) for new in _without_prelu(op))
    for op in ops:
        is_table = isinstance(op, Elementwise) and op.function in FUNCTION_OUTPUTS
        if not isinstance(op, _INTEGER_OPS) and not is_table:
            name = op.function if isinstance(op, Elementwise) else type(op).__name__
            raise LoweringError(f"{op.output.name}: {name} has no integer form")
    return ops


def _without_prelu(op: Op) -> tuple[Op, ...]:
    if not isinstance(op, PRelu):
        return (op,)
    if op.slope.max(initial=0) > 1 + _STEP:
        largest = float(op.slope.max())
        raise LoweringError(f"{op.output.name}: a PReLU with a slope above 1 ({largest:.3f}) has no integer form")
    source, channels = op.inputs[0], op.output.channels
    below = Value(f"{op.output.name}_below", channels)
    weight = (np.minimum(op.slope, 1) - 1).astype(np.float32).reshape(channels, 1, 1, 1)
    bias = np.zeros(channels, np.float32)
    lifted = Conv2D((source,), below, weight, bias, activation="relu", groups=channels)
    return lifted, Add((source, below), op.output)


def _without_saturation(graph: Graph) -> tuple[Op, ...]:
    """Return the operators less the minimum at the end."""
    ops = list(graph.ops)
    for index, op in enumerate(ops):
        if isinstance(op, Minimum) and op.bound == 255 and _leads_to_end(ops[index + 1 :], op.output):
            ops[index + 1 :] = [_renamed(later, op.output, op.inputs[0]) for later in ops[index + 1 :]]
            del ops[index]
            break
    makers = [index for index, op in enumerate(ops) if isinstance(op, Conv2D | Add | Multiply | Elementwise)]
    saturates = bool(makers) and isinstance(ops[makers[-1]], Conv2D | Add)
    if not saturates or not _leads_to_end(ops[makers[-1] + 1 :], ops[makers[-1]].output):
        raise LoweringError("an integer network must end in a convolution or a sum, a clip and depth-to-space aside")
    return tuple(ops)


def _leads_to_end(later: Sequence[Op], value: Value) -> bool:
    """Whether only depth-to-space and the like come between a value and the output."""
    for op in later:
        if not isinstance(op, DepthToSpace | Minimum | Relu) or op.inputs != (value,):
            return False
        value = op.output
    return True


def _renamed(op: Op, old: Value, new: Value) -> Op:
    return dataclasses.replace(op, inputs=tuple(new if value == old else value for value in op.inputs))
