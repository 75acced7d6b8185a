"""How each operator stands in a ``.tflite`` file: number, version, options and constant tensors.

One row for each form; what an operator looks like to TensorFlow Lite is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Op
from pocketsr.graph.moves import Concat, DepthToSpace, Mirror, MirrorPad, Slice, SpaceToDepth
from pocketsr.graph.ops import (
    Add,
    Conv2D,
    Elementwise,
    Function,
    GlobalMean,
    LeakyRelu,
    Minimum,
    Multiply,
    PRelu,
    Relu,
    Requantise,
    Subtract,
)
from pocketsr.graph.tflite_convolutions import is_depthwise, read_conv, read_depthwise, write_conv, write_depthwise
from pocketsr.graph.tflite_row import ACTIVATIONS, Found, Made, Reader, Row, Writer, read_activation

_MIRRORS: dict[Mirror, int] = {
    "symmetric": schema.MirrorPadMode.SYMMETRIC,
    "reflect": schema.MirrorPadMode.REFLECT,
}


def row_to_write(op: Op) -> Row:
    """Return the form in which an operator is written.

    Raises:
        ModelFileError: It has none.
    """
    for row in ROWS:
        if row.kind is type(op) and row.fits(op):
            return row
    raise ModelFileError(f"a .tflite cannot hold the operator {type(op).__name__}")


def row_to_read(code: int) -> Row:
    """Return the form that a number in a file stands for.

    Raises:
        ModelFileError: pocketsr does not know that operator.
    """
    for row in ROWS:
        if row.code == code:
            return row
    raise ModelFileError(f"operator {_code_name(code)} is not one that pocketsr knows")


def _code_name(code: int) -> str:
    names = (name for name, number in vars(schema.BuiltinOperator).items() if number == code)
    return next(names, f"number {code}")


def _write_add(op: Add, _: Writer) -> Made:
    options = schema.AddOptionsT()
    options.potScaleInt16 = not op.output.is_wide  # the default, which means powers of two; ours are any
    options.fusedActivationFunction = ACTIVATIONS[op.activation]
    return Made(options)


def _read_add(found: Found, _: Reader) -> Op:
    return Add(found.inputs, found.output, read_activation(found.options))


def _write_concat(_: Concat, __: Writer) -> Made:
    options = schema.ConcatenationOptionsT()
    options.axis = 3
    return Made(options)


def _read_concat(found: Found, _: Reader) -> Op:
    if found.options.axis not in (3, -1):
        raise ModelFileError(f"concatenation is known on the channel axis only, not on axis {found.options.axis}")
    return Concat(found.inputs, found.output)


def _write_depth_to_space(op: DepthToSpace, _: Writer) -> Made:
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = op.block
    return Made(options)


def _read_depth_to_space(found: Found, _: Reader) -> Op:
    return DepthToSpace(found.inputs, found.output, found.options.blockSize)


def _read_relu(found: Found, _: Reader) -> Op:
    return Relu(found.inputs, found.output)


def _write_requantise(_: Requantise, __: Writer) -> Made:
    return Made(schema.QuantizeOptionsT())


def _read_requantise(found: Found, _: Reader) -> Op:
    return Requantise(found.inputs, found.output)


def _write_minimum(op: Minimum, writer: Writer) -> Made:
    name, quantisation = f"{op.output.name}/bound", op.output.quantisation
    bound = np.array(op.bound, np.float32) if quantisation is None else np.array(op.level(), np.int8)
    return Made(schema.MaximumMinimumOptionsT(), (writer.constant(name, bound, quantisation=quantisation),))


def _read_minimum(found: Found, reader: Reader) -> Op:
    bound, _ = reader.constant(found.constants[0])
    quantisation = found.output.quantisation
    if quantisation is None:
        return Minimum(found.inputs, found.output, float(bound.item()))
    return Minimum(found.inputs, found.output, quantisation.scale * (int(bound.item()) - quantisation.zero_point))


def _write_leaky_relu(op: LeakyRelu, _: Writer) -> Made:
    options = schema.LeakyReluOptionsT()
    options.alpha = op.slope
    return Made(options)


def _read_leaky_relu(found: Found, _: Reader) -> Op:
    return LeakyRelu(found.inputs, found.output, found.options.alpha)


def _write_prelu(op: PRelu, writer: Writer) -> Made:
    return Made(None, (writer.constant(f"{op.output.name}/slope", op.slope.reshape(1, 1, -1)),))


def _read_prelu(found: Found, reader: Reader) -> Op:
    slope, _ = reader.constant(found.constants[0])
    return PRelu(found.inputs, found.output, slope.reshape(-1))


def _write_slice(op: Slice, writer: Writer) -> Made:
    # A size of −1 is "up to the end": height and width stay open.
    begin, size = np.array([0, 0, 0, op.start], np.int32), np.array([-1, -1, -1, op.output.channels], np.int32)
    name = op.output.name
    return Made(
        schema.SliceOptionsT(), (writer.constant(f"{name}/begin", begin), writer.constant(f"{name}/size", size))
    )


def _read_slice(found: Found, reader: Reader) -> Op:
    begin, size = (reader.constant(index)[0].tolist() for index in found.constants)
    if begin[:3] != [0, 0, 0] or size[:3] != [-1, -1, -1]:
        raise ModelFileError("slices are known on the channel axis only")
    return Slice(found.inputs, found.output, begin[3])


def _write_bare(_: Op, __: Writer) -> Made:
    return Made(None)


def _elementwise(function: Function, code: int, options_type: int, options: Callable[[], Any]) -> Row:
    """Return the row of one function; each has an operator number of its own."""
    return Row(
        Elementwise, code, (1, 1), options_type,
        lambda _, __: Made(options()),
        lambda found, _: Elementwise(found.inputs, found.output, function),
        lambda op: op.function == function,
    )  # fmt: skip


def _write_multiply(_: Multiply, __: Writer) -> Made:
    return Made(schema.MulOptionsT())


def _read_multiply(found: Found, _: Reader) -> Op:
    return Multiply(found.inputs, found.output)


def _write_subtract(_: Subtract, __: Writer) -> Made:
    return Made(schema.SubOptionsT())


def _read_subtract(found: Found, _: Reader) -> Op:
    return Subtract(found.inputs, found.output)


def _write_global_mean(op: GlobalMean, writer: Writer) -> Made:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    return Made(options, (writer.constant(f"{op.output.name}/axes", np.array([1, 2], np.int32)),))


def _read_global_mean(found: Found, reader: Reader) -> Op:
    axes = reader.constant(found.constants[0])[0].tolist()
    if axes != [1, 2] or not found.options.keepDims:
        raise ModelFileError("a mean is known over height and width together only")
    return GlobalMean(found.inputs, found.output)


def _write_mirror_pad(op: MirrorPad, writer: Writer) -> Made:
    options = schema.MirrorPadOptionsT()
    options.mode = _MIRRORS[op.mirror]
    amounts = np.array([[0, 0], [op.amount] * 2, [op.amount] * 2, [0, 0]], np.int32)
    return Made(options, (writer.constant(f"{op.output.name}/amounts", amounts),))


def _read_mirror_pad(found: Found, reader: Reader) -> Op:
    amounts = reader.constant(found.constants[0])[0].tolist()
    amount = amounts[1][0]
    if amounts != [[0, 0], [amount] * 2, [amount] * 2, [0, 0]]:
        raise ModelFileError("mirror padding is known by one amount on all four sides only")
    mirror = next(name for name, code in _MIRRORS.items() if code == found.options.mode)
    return MirrorPad(found.inputs, found.output, amount, mirror)


def _write_space_to_depth(op: SpaceToDepth, _: Writer) -> Made:
    options = schema.SpaceToDepthOptionsT()
    options.blockSize = op.block
    return Made(options)


def _read_space_to_depth(found: Found, _: Reader) -> Op:
    return SpaceToDepth(found.inputs, found.output, found.options.blockSize)


_CODES, _OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions
ROWS: tuple[Row, ...] = (
    Row(Conv2D, _CODES.DEPTHWISE_CONV_2D, (1, 3, 5), _OPTIONS.DepthwiseConv2DOptions, write_depthwise, read_depthwise,
        is_depthwise),
    Row(Conv2D, _CODES.CONV_2D, (1, 3, 4), _OPTIONS.Conv2DOptions, write_conv, read_conv),
    Row(Add, _CODES.ADD, (1, 2, 3), _OPTIONS.AddOptions, _write_add, _read_add),
    Row(Concat, _CODES.CONCATENATION, (1, 2, 3), _OPTIONS.ConcatenationOptions, _write_concat, _read_concat),
    Row(DepthToSpace, _CODES.DEPTH_TO_SPACE, (1, 2), _OPTIONS.DepthToSpaceOptions, _write_depth_to_space,
        _read_depth_to_space),
    Row(Relu, _CODES.RELU, (1, 2), _OPTIONS.NONE, _write_bare, _read_relu),
    Row(Minimum, _CODES.MINIMUM, (1, 2), _OPTIONS.MaximumMinimumOptions, _write_minimum, _read_minimum),
    Row(LeakyRelu, _CODES.LEAKY_RELU, (1, 2), _OPTIONS.LeakyReluOptions, _write_leaky_relu, _read_leaky_relu),
    Row(PRelu, _CODES.PRELU, (1, 1), _OPTIONS.NONE, _write_prelu, _read_prelu),
    Row(Slice, _CODES.SLICE, (1, 2, 4), _OPTIONS.SliceOptions, _write_slice, _read_slice),
    Row(Requantise, _CODES.QUANTIZE, (1, 1, 2), _OPTIONS.QuantizeOptions, _write_requantise, _read_requantise),
    Row(Multiply, _CODES.MUL, (1, 2), _OPTIONS.MulOptions, _write_multiply, _read_multiply),
    Row(Subtract, _CODES.SUB, (1, 2), _OPTIONS.SubOptions, _write_subtract, _read_subtract),
    Row(GlobalMean, _CODES.MEAN, (1, 2), _OPTIONS.ReducerOptions, _write_global_mean, _read_global_mean),
    Row(MirrorPad, _CODES.MIRROR_PAD, (1, 2), _OPTIONS.MirrorPadOptions, _write_mirror_pad, _read_mirror_pad),
    Row(SpaceToDepth, _CODES.SPACE_TO_DEPTH, (1, 2), _OPTIONS.SpaceToDepthOptions, _write_space_to_depth,
        _read_space_to_depth),
    _elementwise("tanh", _CODES.TANH, _OPTIONS.NONE, lambda: None),
    _elementwise("logistic", _CODES.LOGISTIC, _OPTIONS.NONE, lambda: None),
    _elementwise("gelu", _CODES.GELU, _OPTIONS.GeluOptions, schema.GeluOptionsT),
    _elementwise("sqrt", _CODES.SQRT, _OPTIONS.NONE, lambda: None),
)  # fmt: skip
