"""How each operator stands in a ``.tflite`` file: number, version, options and constant tensors.

One row for each form; what an operator looks like to TensorFlow Lite is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Op, Quantisation, Value
from pocketsr.graph.ops import (
    Activation,
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    Function,
    GlobalMean,
    LeakyRelu,
    Minimum,
    Mirror,
    MirrorPad,
    Multiply,
    Padding,
    PRelu,
    Relu,
    Requantise,
    Slice,
    SpaceToDepth,
    Subtract,
)

_ACTIVATIONS: dict[Activation, int] = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
}
_PADDINGS: dict[Padding, int] = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}
_MIRRORS: dict[Mirror, int] = {
    "symmetric": schema.MirrorPadMode.SYMMETRIC,
    "reflect": schema.MirrorPadMode.REFLECT,
}


class Writer(Protocol):
    """What a row needs in order to write."""

    def constant(
        self,
        name: str,
        array: Array,
        scale: Array | None = None,
        *,
        axis: int = 0,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Add a constant tensor, with a scale for each place on an axis or one for all; return its index."""


class Reader(Protocol):
    """What a row needs in order to read."""

    def constant(self, index: int) -> tuple[Array, Array | None]:
        """Return a constant tensor and its scales, None where it has none."""


class Made(NamedTuple):
    """What writing an operator gives: its options (None: it has none) and the indices of its constant tensors."""

    options: Any
    constants: tuple[int, ...] = ()


class Found(NamedTuple):
    """What reading an operator starts from: as ``Made``, and the values at both ends."""

    options: Any
    constants: tuple[int, ...]
    inputs: tuple[Value, ...]
    output: Value


class Row(NamedTuple):
    """One form of an operator in a file.

    Attributes:
        kind: The operator.
        code: Its number in TensorFlow Lite.
        versions: Operator version as TensorFlow writes it, for float32, for int8 and for int16 where that exists.
        options_type: Number of the type of its options.
        write: Adds its constants and makes its options.
        read: Makes the operator again.
        fits: Whether an operator of this kind takes this form; the first row that fits is used.
    """

    kind: type[Op]
    code: int
    versions: tuple[int, ...]
    options_type: int
    write: Callable[[Any, Writer], Made]
    read: Callable[[Found, Reader], Op]
    fits: Callable[[Any], bool] = lambda _: True

    def version(self, op: Op) -> int:
        """Return the version that an operator is written in."""
        if op.output.quantisation is None:
            return self.versions[0]
        return self.versions[2 if any(value.is_wide for value in (*op.inputs, op.output)) else 1]


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


# -- convolutions -----------------------------------------------------------------------------------------------------


def _write_conv(op: Conv2D, writer: Writer) -> Made:
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = _PADDINGS[op.padding], 1, 1
    options.fusedActivationFunction = _ACTIVATIONS[op.activation]
    return Made(options, _weight_and_bias(op, op.weight, 0, writer))


def _read_conv(found: Found, reader: Reader) -> Op:
    weight, weight_scale = reader.constant(found.constants[0])
    return _conv(found, reader, weight, weight_scale, found.inputs[0].channels // weight.shape[3])


def _is_depthwise(op: Conv2D) -> bool:
    return op.groups > 1 and op.groups == op.inputs[0].channels


def _write_depthwise(op: Conv2D, writer: Writer) -> Made:
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.strideH, options.strideW = _PADDINGS[op.padding], 1, 1
    options.depthMultiplier = op.output.channels // op.groups
    options.fusedActivationFunction = _ACTIVATIONS[op.activation]
    return Made(options, _weight_and_bias(op, op.weight.transpose(3, 1, 2, 0), 3, writer))


def _read_depthwise(found: Found, reader: Reader) -> Op:
    weight, weight_scale = reader.constant(found.constants[0])
    return _conv(found, reader, weight.transpose(3, 1, 2, 0), weight_scale, found.inputs[0].channels)


def _weight_and_bias(op: Conv2D, weight: Array, axis: int, writer: Writer) -> tuple[int, int]:
    names = f"{op.output.name}/weight", f"{op.output.name}/bias"
    if op.weight_scale is None:
        return writer.constant(names[0], weight), writer.constant(names[1], op.bias)
    quantisation = op.inputs[0].quantisation
    assert quantisation is not None
    bias_scale = np.float32(quantisation.scale) * op.weight_scale
    first = writer.constant(names[0], weight, op.weight_scale, axis=axis)
    return first, writer.constant(names[1], op.bias, bias_scale)


def _conv(found: Found, reader: Reader, weight: Array, weight_scale: Array | None, groups: int) -> Conv2D:
    options = found.options
    if (options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor) != (1, 1, 1, 1):
        raise ModelFileError("strides and dilations of convolutions must be 1")
    padding = next(name for name, code in _PADDINGS.items() if code == options.padding)
    weight, outputs = np.ascontiguousarray(weight), len(weight)
    bias_type = np.int64 if found.output.is_wide else np.int32
    bias = np.zeros(outputs, np.float32 if weight_scale is None else bias_type)
    if len(found.constants) > 1:
        bias, bias_scale = reader.constant(found.constants[1])
        _require_bias_scale(found, weight_scale, bias_scale)
    if weight_scale is not None:  # one scale for all is one for each
        weight_scale = np.broadcast_to(weight_scale, (outputs,)).copy()
    return Conv2D(found.inputs, found.output, weight, bias, weight_scale, _activation(options), groups, padding)


def _require_bias_scale(found: Found, weight_scale: Array | None, bias_scale: Array | None) -> None:
    """Sums are in steps of input times weight. A file may say it again, and then has to say the same (to 2 %)."""
    source = found.inputs[0].quantisation
    if bias_scale is None or weight_scale is None or source is None:
        return
    if not np.allclose(bias_scale, source.scale * weight_scale, rtol=0.02):
        raise ModelFileError(f"the biases making {found.output.name!r} are in other steps than input times weight")


# -- the others -------------------------------------------------------------------------------------------------------


def _write_add(op: Add, _: Writer) -> Made:
    options = schema.AddOptionsT()
    options.potScaleInt16 = not op.output.is_wide  # the default, which means powers of two; ours are any
    options.fusedActivationFunction = _ACTIVATIONS[op.activation]
    return Made(options)


def _read_add(found: Found, _: Reader) -> Op:
    return Add(found.inputs, found.output, _activation(found.options))


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


def _activation(options: Any) -> Activation:
    for name, code in _ACTIVATIONS.items():
        if options.fusedActivationFunction == code:
            return name
    raise ModelFileError(f"activation number {options.fusedActivationFunction} is not one pocketsr uses")


_CODES, _OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions
ROWS: tuple[Row, ...] = (
    Row(Conv2D, _CODES.DEPTHWISE_CONV_2D, (1, 3, 5), _OPTIONS.DepthwiseConv2DOptions, _write_depthwise, _read_depthwise,
        _is_depthwise),
    Row(Conv2D, _CODES.CONV_2D, (1, 3, 4), _OPTIONS.Conv2DOptions, _write_conv, _read_conv),
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
