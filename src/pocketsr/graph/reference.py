"""The exact executor: what a graph means, in numpy, one operator at a time.

The integer path is the truth that every backend is compared with, bit for bit. In 8 bits it follows XNNPACK: sums are
exact integers, the requantisation multiplier is (s_in · s_w) / s_out in float32, rounding is half to even. In 16 bits
it follows TensorFlow Lite's own kernels, XNNPACK having none (``fixed_point``).
Slow and simple on purpose.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.graph.base import Array, Graph, Op, Quantisation
from pocketsr.graph.fixed_point import reduced, rescaled
from pocketsr.graph.moves import Concat, DepthToSpace, MirrorPad, Slice, SpaceToDepth
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

#: Rows are convolved in blocks of about so many values, which a processor's second cache holds.
_BLOCK_VALUES = 1 << 17


def execute(graph: Graph, image: Array, *, change: Mapping[str, Callable[[Array], Array]] | None = None) -> Array:
    """Run a graph.

    Args:
        graph: What to compute.
        image: ``(N, H, W, C)``, int8 for an integer graph and float32 otherwise, in the units of the graph's input.
        change: For names of values, what is made of the value before others take it: for trying things out.

    Returns:
        ``(N, H', W', C')`` of the same dtype, in the units of the graph's output.

    Raises:
        SettingError: The image has another dtype or number of channels than the graph's input.
        ModelFileError: An operator has no integer form here.
    """
    for name, array in _run_all(graph, image, change or {}):
        if name == graph.output.name:
            return array
    raise ModelFileError("the graph makes no output")


def execute_all(graph: Graph, image: Array) -> dict[str, Array]:
    """Run a graph as ``execute`` does and return every value by name: for looking inside, and for calibration."""
    return dict(_run_all(graph, image, {}))


def _run_all(graph: Graph, image: Array, change: Mapping[str, Callable[[Array], Array]]) -> Iterator[tuple[str, Array]]:
    """Yield every value as it is made; each is let go once no operator needs it."""
    dtype = np.int8 if graph.is_integer else np.float32
    if image.dtype != dtype or image.ndim != 4 or image.shape[3] != graph.input.channels:
        raise SettingError(
            f"the graph takes {np.dtype(dtype)} (N, H, W, {graph.input.channels}), not {image.dtype} {image.shape}"
        )
    arrays = {graph.input.name: image}
    last_use = {value.name: index for index, op in enumerate(graph.ops) for value in op.inputs}
    yield graph.input.name, image
    for index, op in enumerate(graph.ops):
        made = _run(op, [arrays[value.name] for value in op.inputs])
        arrays[op.output.name] = change[op.output.name](made) if op.output.name in change else made
        yield op.output.name, arrays[op.output.name]
        for value in op.inputs:
            if last_use[value.name] == index:
                arrays.pop(value.name, None)


@functools.singledispatch
def _run(op: Op, inputs: Sequence[Array]) -> Array:
    raise ModelFileError(f"the reference executor does not know {type(op).__name__} on {inputs[0].dtype}")


@_run.register
def _conv(op: Conv2D, inputs: Sequence[Array]) -> Array:
    if op.weight_scale is None:
        return _relu_if(op.activation == "relu", _correlate(op, inputs[0], np.float32) + op.bias)
    q_in, q_out = op.inputs[0].quantisation, op.output.quantisation
    assert q_in is not None
    assert q_out is not None
    # Products of 8-bit integers summed in float64 stay far below 2^53: the sums are exact whatever the order.
    centred = inputs[0].astype(np.float64) - q_in.zero_point
    sums = _correlate(op, centred, np.float64) + op.bias
    if op.output.is_wide:
        short, right = reduced(op.exact_multiplier())
        return _to_integers((sums.astype(np.int64) * short + (1 << right - 1)) >> right, q_out, op.activation)
    return _to_integers(sums.astype(np.float32) * op.multiplier(), q_out, op.activation)


@_run.register
def _add(op: Add, inputs: Sequence[Array]) -> Array:
    q_out = op.output.quantisation
    if q_out is None:
        return _relu_if(op.activation == "relu", inputs[0] + inputs[1])
    if op.output.is_wide:  # one scale, zero point 0
        return _to_integers(inputs[0].astype(np.int64) + inputs[1], q_out, op.activation)
    # As XNNPACK's qs8 vadd: both inputs are weighted by whole numbers of 2^-shift, the larger of which has 21 bits.
    ratios = op.ratios()
    shift = 20 - (math.frexp(max(ratios))[1] - 1)
    total = np.full(inputs[0].shape, 1 << (shift - 1), np.int64)
    for array, value, ratio in zip(inputs, op.inputs, ratios, strict=True):
        assert value.quantisation is not None
        total += (array.astype(np.int64) - value.quantisation.zero_point) * round(math.ldexp(ratio, shift))
    return _to_integers(total >> shift, q_out, op.activation)


@_run.register
def _concat(op: Concat, inputs: Sequence[Array]) -> Array:  # noqa: ARG001 - one signature for all
    return np.concatenate(inputs, axis=3)


@_run.register
def _depth_to_space(op: DepthToSpace, inputs: Sequence[Array]) -> Array:
    count, height, width, channels = inputs[0].shape
    block, colours = op.block, channels // op.block**2
    blocks = inputs[0].reshape(count, height, width, block, block, colours)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, height * block, width * block, colours)


@_run.register
def _relu(op: Relu, inputs: Sequence[Array]) -> Array:
    quantisation = op.output.quantisation
    source = op.inputs[0].quantisation
    if quantisation is not None and source is not None and quantisation != source:
        centred = (inputs[0].astype(np.float64) - source.zero_point) * (source.scale / quantisation.scale)
        return _to_integers(np.floor(centred + 0.5), quantisation, "relu")
    return np.asarray(np.maximum(inputs[0], inputs[0].dtype.type(quantisation.zero_point if quantisation else 0)))


@_run.register
def _requantise(op: Requantise, inputs: Sequence[Array]) -> Array:
    source, made = op.inputs[0].quantisation, op.output.quantisation
    assert source is not None
    assert made is not None
    if source.bits != made.bits:
        ratio = float(np.float64(source.scale) / np.float64(made.scale))
        return _to_integers(rescaled(inputs[0].astype(np.int64) - source.zero_point, ratio), made, "none")
    # As XNNPACK's conversion: the factor is a whole number of 256ths, and halves are rounded up.
    factor = round(256 * float(np.float32(source.scale) / np.float32(made.scale)))
    centred = ((inputs[0].astype(np.int64) - source.zero_point) * factor + 128) >> 8
    return _to_integers(centred, made, "none")


@_run.register
def _minimum(op: Minimum, inputs: Sequence[Array]) -> Array:
    bound = np.float32(op.bound) if op.output.quantisation is None else np.int8(op.level())
    return np.asarray(np.minimum(inputs[0], bound))


@_run.register
def _leaky_relu(op: LeakyRelu, inputs: Sequence[Array]) -> Array:
    quantisation = op.output.quantisation
    if quantisation is not None:
        # As XNNPACK's qs8 vlrelu at equal scales: a whole number of 256ths, halves rounded up.
        centred = inputs[0].astype(np.int64) - quantisation.zero_point
        return _to_integers(np.where(centred > 0, centred, (centred * op.factor() + 128) >> 8), quantisation, "none")
    return np.where(inputs[0] > 0, inputs[0], inputs[0] * np.float32(op.slope))


@_run.register
def _prelu(op: PRelu, inputs: Sequence[Array]) -> Array:
    return np.where(inputs[0] > 0, inputs[0], inputs[0] * op.slope)


@_run.register
def _slice(op: Slice, inputs: Sequence[Array]) -> Array:
    return inputs[0][..., op.start : op.start + op.output.channels]


@_run.register
def _elementwise(op: Elementwise, inputs: Sequence[Array]) -> Array:
    source, made = op.inputs[0].quantisation, op.output.quantisation
    if source is not None and made is not None:
        levels = np.arange(-128, 128).astype(np.float32) - np.float32(source.zero_point)
        table = _FUNCTIONS[op.function](np.float32(source.scale) * levels) / np.float32(made.scale)
        return np.asarray(_to_integers(table, made, "none")[inputs[0].astype(np.int64) + 128])
    return _FUNCTIONS[op.function](inputs[0])


@_run.register
def _multiply(op: Multiply, inputs: Sequence[Array]) -> Array:
    first, second, made = (value.quantisation for value in (*op.inputs, op.output))
    if first is not None and second is not None and made is not None:
        product = (inputs[0].astype(np.float32) - first.zero_point) * (inputs[1].astype(np.float32) - second.zero_point)
        return _to_integers(product * op.multiplier(), made, "none")
    return np.asarray(inputs[0] * inputs[1])


@_run.register
def _subtract(op: Subtract, inputs: Sequence[Array]) -> Array:  # noqa: ARG001
    return np.asarray(inputs[0] - inputs[1])


@_run.register
def _global_mean(op: GlobalMean, inputs: Sequence[Array]) -> Array:  # noqa: ARG001
    return np.asarray(inputs[0].mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32))


@_run.register
def _mirror_pad(op: MirrorPad, inputs: Sequence[Array]) -> Array:
    amount = (op.amount, op.amount)
    return np.pad(inputs[0], ((0, 0), amount, amount, (0, 0)), mode=op.mirror)


@_run.register
def _space_to_depth(op: SpaceToDepth, inputs: Sequence[Array]) -> Array:
    count, height, width, colours = inputs[0].shape
    block = op.block
    blocks = inputs[0].reshape(count, height // block, block, width // block, block, colours)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // block, width // block, block**2 * colours)


def _gelu(x: Array) -> Array:
    error_function = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray((0.5 * x * (1 + error_function(x / math.sqrt(2)))).astype(np.float32))


_FUNCTIONS: Mapping[Function, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "logistic": lambda x: np.asarray(0.5 + 0.5 * np.tanh(x / 2)),  # equal to 1 / (1 + e^−x), and never overflows
    "gelu": _gelu,
    "sqrt": np.sqrt,
}


def _to_integers(centred: Array, quantisation: Quantisation, activation: str) -> Array:
    """Round half to even, clamp around the zero point, and shift: ``centred`` is q − z before rounding."""
    low = max(0, quantisation.lowest) if activation == "relu" else quantisation.lowest
    clamped = np.clip(np.rint(centred), low, quantisation.highest)
    return (clamped + quantisation.zero_point).astype(np.int8 if quantisation.bits == 8 else np.int16)


def _relu_if(wanted: bool, array: Array) -> Array:
    return np.maximum(array, np.float32(0)) if wanted else array


def _correlate(op: Conv2D, image: Array, dtype: Any) -> Array:
    """Correlate ``(N, H, W, I)`` with the weights, zeros around: the sum over places of the kernel."""
    outputs, kernel_height, kernel_width, _ = op.weight.shape
    top, left = (kernel_height // 2, kernel_width // 2) if op.padding == "same" else (0, 0)
    height, width = op.output_size(image.shape[1:3])
    padded = np.pad(image.astype(dtype, copy=False), ((0, 0), (top, top), (left, left), (0, 0)))
    weight = np.ascontiguousarray(op.weight.astype(dtype).transpose(1, 2, 3, 0))  # (k, l, inputs of a group, outputs)
    is_depthwise = op.groups == image.shape[3] == outputs
    result = np.empty((len(image), height, width, outputs), dtype)
    rows = max(1, _BLOCK_VALUES // (padded.shape[2] * max(padded.shape[3], outputs)))
    for made, seen in zip(result, padded, strict=True):
        for first in range(0, height, rows):
            block = seen[first : first + rows + kernel_height - 1]
            if is_depthwise:
                made[first : first + rows] = _correlate_depthwise(block, weight[:, :, 0])
            else:
                made[first : first + rows] = _correlate_groups(block, weight, op.groups)
    return result


def _correlate_depthwise(block: Array, weight: Array) -> Array:
    """Correlate each channel of ``(H, W, C)`` with its own kernel of ``(k, l, C)``, where the kernel lies inside."""
    height, width = (side - kernel + 1 for side, kernel in zip(block.shape[:2], weight.shape[:2], strict=True))
    total = np.zeros((height, width, block.shape[2]), block.dtype)
    for row, column in np.ndindex(*weight.shape[:2]):
        total += block[row : row + height, column : column + width] * weight[row, column]
    return total


def _correlate_groups(block: Array, weight: Array, groups: int) -> Array:
    """Correlate ``(H, W, I)`` with ``(k, l, I / groups, O)``, where the kernel lies inside.

    Pixels stand in one row, so that a place of the kernel is a shift along it and a product of matrices; what is
    computed across the ends of lines is cut off at the end.
    """
    kernel_height, kernel_width, group_inputs, outputs = weight.shape
    group_outputs, across = outputs // groups, block.shape[1]
    height, width = block.shape[0] - kernel_height + 1, across - kernel_width + 1
    places = (height - 1) * across + width
    result = np.empty((height, width, outputs), block.dtype)
    for group in range(groups):
        outs = slice(group * group_outputs, (group + 1) * group_outputs)
        ins = slice(group * group_inputs, (group + 1) * group_inputs)
        pixels = np.ascontiguousarray(block[:, :, ins]).reshape(-1, group_inputs)
        total = np.zeros((height * across, group_outputs), block.dtype)
        product = np.empty((places, group_outputs), block.dtype)
        for row, column in np.ndindex(kernel_height, kernel_width):
            start = row * across + column
            np.matmul(pixels[start : start + places], weight[row, column, :, outs], out=product)
            total[:places] += product
        result[:, :, outs] = total.reshape(height, across, group_outputs)[:, :width]
    return result
