"""How convolutions stand in a ``.tflite`` file: plain ones, grouped ones and depthwise ones."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Op
from pocketsr.graph.ops import Conv2D, Padding
from pocketsr.graph.tflite_row import ACTIVATIONS, Found, Made, Reader, Writer, read_activation

_PADDINGS: dict[Padding, int] = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}


def write_conv(op: Conv2D, writer: Writer) -> Made:
    """Add weights and biases, and make the options, of a plain or a grouped convolution."""
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = _PADDINGS[op.padding], 1, 1
    options.fusedActivationFunction = ACTIVATIONS[op.activation]
    return Made(options, _weight_and_bias(op, op.weight, 0, writer))


def read_conv(found: Found, reader: Reader) -> Op:
    """Make a plain or a grouped convolution; how many groups follows from channels."""
    weight, weight_scale = reader.constant(found.constants[0])
    return _conv(found, reader, weight, weight_scale, found.inputs[0].channels // weight.shape[3])


def is_depthwise(op: Conv2D) -> bool:
    """Whether each input channel has weights of its own, which is another operator in a file."""
    return op.groups > 1 and op.groups == op.inputs[0].channels


def write_depthwise(op: Conv2D, writer: Writer) -> Made:
    """Add weights, outputs on the last axis there, and biases, and make the options."""
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.strideH, options.strideW = _PADDINGS[op.padding], 1, 1
    options.depthMultiplier = op.output.channels // op.groups
    options.fusedActivationFunction = ACTIVATIONS[op.activation]
    return Made(options, _weight_and_bias(op, op.weight.transpose(3, 1, 2, 0), 3, writer))


def read_depthwise(found: Found, reader: Reader) -> Op:
    """Make a depthwise convolution."""
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
    return Conv2D(found.inputs, found.output, weight, bias, weight_scale, read_activation(options), groups, padding)


def _require_bias_scale(found: Found, weight_scale: Array | None, bias_scale: Array | None) -> None:
    """Sums are in steps of input times weight. A file may say it again, and then has to say the same (to 2 %)."""
    source = found.inputs[0].quantisation
    if bias_scale is None or weight_scale is None or source is None:
        return
    if not np.allclose(bias_scale, source.scale * weight_scale, rtol=0.02):
        raise ModelFileError(f"the biases making {found.output.name!r} are in other steps than input times weight")
