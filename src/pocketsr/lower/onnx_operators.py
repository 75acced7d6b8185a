"""The operators of ONNX files: one row for each class of ``graph.ops``, and how it is written.

Knows nothing of files, of the ends of a graph, or of running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pocketsr.errors import LoweringError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    GlobalMean,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Op,
    PRelu,
    Relu,
    Slice,
    SpaceToDepth,
    Subtract,
)
from pocketsr.graph.base import Array
from pocketsr.graph.ops import Activation

#: Version of the operators; readers of other makers are slow to take up new ones.
_OPSET = 17
#: The first version that has Gelu.
_OPSET_WITH_GELU = 20


def opset_of(ops: tuple[Op, ...]) -> int:
    """Return the version of ONNX's operators that is enough for these."""
    gelu = any(isinstance(op, Elementwise) and op.function == "gelu" for op in ops)
    return _OPSET_WITH_GELU if gelu else _OPSET


class Builder:
    """Nodes and constants so far, in the order they were written."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._constant_names: set[str] = set()

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operator that makes ``output``, whose name is returned."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: Array) -> str:
        """Add a constant, whose name is returned."""
        from onnx import numpy_helper

        # What has no axis must keep none.
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        self._constant_names.add(name)
        return name

    def constant_once(self, name: str, array: Array) -> str:
        """Add a constant that several operators share, unless it is there."""
        return name if name in self._constant_names else self.constant(name, array)

    def activated(self, kind: str, inputs: list[str], output: str, activation: Activation, **attributes: Any) -> str:
        """Add an operator and the activation behind it."""
        if activation == "none":
            return self.node(kind, inputs, output, **attributes)
        return self.node("Relu", [self.node(kind, inputs, f"{output}/sum", **attributes)], output)


def write(op: Op, builder: Builder) -> None:
    """Add the nodes and constants of one operator.

    Raises:
        LoweringError: ONNX files of ours have no such operator.
    """
    row = ROWS.get(type(op))
    if row is None:
        raise LoweringError(f"{op.output.name}: an ONNX file has no form for {type(op).__name__}")
    row(op, builder)


def _conv(op: Conv2D, builder: Builder) -> None:
    name = op.output.name
    weight = builder.constant(f"{name}/weight", op.weight.transpose(0, 3, 1, 2))
    bias = builder.constant(f"{name}/bias", op.bias)
    inputs = [op.inputs[0].name, weight, bias]
    builder.activated("Conv", inputs, name, op.activation, **conv_attributes(op))


def conv_attributes(op: Conv2D) -> dict[str, Any]:
    """Return a convolution's attributes; its kernel's shape is among them because OpenCV 4 reads it nowhere else."""
    sides = [int(side) for side in op.weight.shape[1:3]]
    top, left = (side // 2 if op.padding == "same" else 0 for side in sides)
    return {"kernel_shape": sides, "pads": [top, left, top, left], "group": op.groups}


def _add(op: Add, builder: Builder) -> None:
    builder.activated("Add", _names(op), op.output.name, op.activation)


def _multiply(op: Multiply, builder: Builder) -> None:
    builder.node("Mul", _names(op), op.output.name)


def _subtract(op: Subtract, builder: Builder) -> None:
    builder.node("Sub", _names(op), op.output.name)


def _concat(op: Concat, builder: Builder) -> None:
    builder.node("Concat", _names(op), op.output.name, axis=1)


def _depth_to_space(op: DepthToSpace, builder: Builder) -> None:
    builder.node("DepthToSpace", _names(op), op.output.name, blocksize=op.block, mode="DCR")


def _space_to_depth(op: SpaceToDepth, builder: Builder) -> None:
    builder.node("SpaceToDepth", _names(op), op.output.name, blocksize=op.block)


def _relu(op: Relu, builder: Builder) -> None:
    builder.node("Relu", _names(op), op.output.name)


def _minimum(op: Minimum, builder: Builder) -> None:
    bound = builder.constant(f"{op.output.name}/bound", np.asarray(op.bound, np.float32))
    builder.node("Min", [*_names(op), bound], op.output.name)


def _leaky_relu(op: LeakyRelu, builder: Builder) -> None:
    builder.node("LeakyRelu", _names(op), op.output.name, alpha=op.slope)


def _prelu(op: PRelu, builder: Builder) -> None:
    slope = builder.constant(f"{op.output.name}/slope", op.slope.reshape(-1, 1, 1))
    builder.node("PRelu", [*_names(op), slope], op.output.name)


def _slice(op: Slice, builder: Builder) -> None:
    name, bounds = op.output.name, {"start": op.start, "end": op.start + op.output.channels, "axis": 1}
    places = [builder.constant(f"{name}/{word}", np.array([number], np.int64)) for word, number in bounds.items()]
    builder.node("Slice", [*_names(op), *places], name)


def _elementwise(op: Elementwise, builder: Builder) -> None:
    kinds = {"tanh": "Tanh", "logistic": "Sigmoid", "gelu": "Gelu", "sqrt": "Sqrt"}
    builder.node(kinds[op.function], _names(op), op.output.name)


def _global_mean(op: GlobalMean, builder: Builder) -> None:
    builder.node("GlobalAveragePool", _names(op), op.output.name)


def _mirror_pad(op: MirrorPad, builder: Builder) -> None:
    """ONNX reflects, but not with the border repeated: that is strips, reversed, on either side of each axis."""
    name, source = op.output.name, op.inputs[0].name
    if op.mirror == "reflect":
        amounts = builder.constant(f"{name}/amounts", np.array([0, 0, op.amount, op.amount] * 2, np.int64))
        builder.node("Pad", [source, amounts], name, mode="reflect")
        return
    for axis, end in ((2, f"{name}/rows"), (3, name)):
        source = _mirrored(builder, source, end, axis, op.amount)


def _mirrored(builder: Builder, source: str, output: str, axis: int, amount: int) -> str:
    """Continue an image along one axis: the first and last strips, reversed, on either side."""
    ends = {"first": (amount - 1, -(1 << 62)), "last": (-1, -amount - 1)}
    strips = []
    for word, (start, end) in ends.items():
        places = {"start": start, "end": end, "axis": axis, "step": -1}
        names = [
            builder.constant(f"{output}/{word}_{place}", np.array([number], np.int64))
            for place, number in places.items()
        ]
        strips.append(builder.node("Slice", [source, *names], f"{output}/{word}"))
    return builder.node("Concat", [strips[0], source, strips[1]], output, axis=axis)


def _names(op: Op) -> list[str]:
    return [value.name for value in op.inputs]


ROWS: Mapping[type[Op], Callable[[Any, Builder], None]] = {
    Conv2D: _conv,
    Add: _add,
    Multiply: _multiply,
    Subtract: _subtract,
    Concat: _concat,
    Slice: _slice,
    DepthToSpace: _depth_to_space,
    SpaceToDepth: _space_to_depth,
    MirrorPad: _mirror_pad,
    GlobalMean: _global_mean,
    Relu: _relu,
    LeakyRelu: _leaky_relu,
    PRelu: _prelu,
    Minimum: _minimum,
    Elementwise: _elementwise,
}
