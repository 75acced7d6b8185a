"""int8 graphs as ONNX: every number between operators is a byte, every operator stands between two conversions.

    bytes ── DequantizeLinear ──> Conv, Add, ... ── QuantizeLinear ──> bytes        what computes
    bytes ─────────────────── Concat, DepthToSpace, ... ────────────> bytes        what only moves

Readers join conversions and operator into one of integers: ONNX Runtime, OpenVINO and TensorRT do, and without that the
file still means the same. Bytes are unsigned, a graph's q as q + 128, which is the form that runtimes are quick in. The
sums are those of the graph; a reader may round their rescaling otherwise, which is why results are within two levels
and not the same bytes. Knows nothing of files or of the ends of a graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from pocketsr.errors import LoweringError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Op,
    Quantisation,
    Relu,
    Requantise,
    Slice,
    SpaceToDepth,
    Value,
)
from pocketsr.lower.onnx_operators import Builder, conv_attributes, write

#: What only moves bytes, whose operators take bytes as they take numbers.
MOVERS = (Concat, Slice, DepthToSpace, SpaceToDepth, MirrorPad)
#: What computes, as an operator of float32 between conversions.
COMPUTERS = (Conv2D, Add, Multiply, Relu, LeakyRelu, Minimum, Elementwise, Requantise)
#: From a graph's signed byte to the file's unsigned one.
_SHIFT = 128


def write_integer(op: Op, builder: Builder, known: dict[str, str]) -> None:
    """Add the nodes and constants of one operator of an integer graph.

    Args:
        op: Of 8 bits throughout.
        builder: What they are added to.
        known: Names of the float form of values that have been converted already; added to.

    Raises:
        LoweringError: A value has 16 bits, or ONNX files of ours have no such operator.
    """
    if any(value.is_wide for value in (*op.inputs, op.output)):
        raise LoweringError(f"{op.output.name}: an ONNX file holds activations of 8 bits, not 16; write it as .tflite")
    if isinstance(op, MOVERS):
        write(op, builder)
        return
    if not isinstance(op, COMPUTERS):
        raise LoweringError(f"{op.output.name}: an ONNX file has no int8 form for {type(op).__name__}")
    inputs = {value.name: _number(value, builder, known) for value in op.inputs}
    made = f"{op.output.name}/number"
    if isinstance(op, Conv2D):
        _conv(op, builder, inputs[op.inputs[0].name], made)
    elif isinstance(op, Requantise):
        made = inputs[op.inputs[0].name]
    else:
        write(_of_numbers(op, inputs, made), builder)
    builder.node("QuantizeLinear", [made, *_terms(op.output, builder)], op.output.name)


def _of_numbers(op: Op, names: Mapping[str, str], made: str) -> Op:
    """Return the same operator on float32 values of the given names."""
    values = tuple(Value(names[value.name], value.channels) for value in op.inputs)
    if isinstance(op, LeakyRelu):  # the integer form has a slope in 256ths
        op = dataclasses.replace(op, slope=op.factor() / 256)
    return dataclasses.replace(op, inputs=values, output=Value(made, op.output.channels))


def _conv(op: Conv2D, builder: Builder, source: str, made: str) -> None:
    """Weights stay int8 with a scale for each output channel, biases int32 in steps of the sums."""
    name, scales, taken = op.output.name, op.weight_scale, op.inputs[0].quantisation
    assert scales is not None
    assert taken is not None
    constants = []
    for word, array, steps in (
        ("weight", op.weight.transpose(0, 3, 1, 2), scales),
        ("bias", op.bias, np.float32(taken.scale) * scales),
    ):
        terms = [
            builder.constant(f"{name}/{word}", array),
            builder.constant(f"{name}/{word}_scale", steps.astype(np.float32)),
            builder.constant(f"{name}/{word}_zero", np.zeros(len(steps), array.dtype)),
        ]
        constants.append(builder.node("DequantizeLinear", terms, f"{name}/{word}_number", axis=0))
    builder.activated("Conv", [source, *constants], made, op.activation, **conv_attributes(op))


def _number(value: Value, builder: Builder, known: dict[str, str]) -> str:
    """Return the name of a value as float32; converted once, whoever takes it."""
    if value.name not in known:
        terms = [value.name, *_terms(value, builder)]
        known[value.name] = builder.node("DequantizeLinear", terms, f"{value.name}/as_number")
    return known[value.name]


def _terms(value: Value, builder: Builder) -> list[str]:
    """Return the names of a value's scale and zero point; one pair for each quantisation there is."""
    quantisation = value.quantisation
    assert isinstance(quantisation, Quantisation)
    zero = quantisation.zero_point + _SHIFT
    label = f"quantisation_{float(quantisation.scale).hex()}_{zero}"
    scale = np.array(quantisation.scale, np.float32)
    return [
        builder.constant_once(f"{label}/scale", scale),
        builder.constant_once(f"{label}/zero", np.array(zero, np.uint8)),
    ]
