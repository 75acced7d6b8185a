"""ONNX files from float graphs: one node for each operator, any height and width.

ONNX lays images out as (N, C, H, W); everything else is the graph's: values 0..255 at both ends, sub-pixels outside
colours before DepthToSpace (mode DCR). The description that a ``.tflite`` carries is in the file's metadata, too.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import LoweringError, MissingExtraError, ParityError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    GlobalMean,
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
    Subtract,
)
from pocketsr.graph.base import Array, Size
from pocketsr.lower.parity import FLOAT_TOLERANCE, Parity, counted
from pocketsr.spec import ModelSpec

#: The oldest version of the operators with all that is needed; Gelu came with 20.
OPSET = 20
_IR_VERSION = 9
SPEC_KEY = "pocketsr_spec"

_Image = npt.NDArray[np.uint8]


def onnx_bytes(graph: Graph, spec: ModelSpec, size: Size | None = None) -> bytes:
    """Return the bytes of an ONNX file.

    Args:
        graph: A float graph.
        spec: Facts for the reader, kept as metadata.
        size: (height, width) that the file is bound to; None leaves both open.

    Raises:
        LoweringError: The graph is an integer one.
        MissingExtraError: onnx is not installed.
    """
    if graph.is_integer:
        raise LoweringError("an ONNX file holds float32 only; write int8 as .tflite")
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError as error:
        raise MissingExtraError.for_extra("onnx", "onnx") from error
    builder = _Builder()
    for op in graph.ops:
        _write(op, builder)
    height, width = size or ("height", "width")
    outputs = graph.output_size(*size) if size else ("upscaled_height", "upscaled_width")
    ends = [
        helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [1, value.channels, *sides])
        for value, sides in ((graph.input, (height, width)), (graph.output, outputs))
    ]
    body = helper.make_graph(builder.nodes, "main", ends[:1], ends[1:], builder.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="pocketsr"
    )
    helper.set_model_props(model, {SPEC_KEY: spec.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def write_onnx_checked(
    graph: Graph,
    spec: ModelSpec,
    path: Path,
    *,
    forward: Callable[[_Image], npt.NDArray[np.floating]],
    images: Iterable[_Image],
    size: Size | None = None,
) -> Parity:
    """Write an ONNX file after running it with ONNX Runtime on real images.

    Args:
        graph: What to write.
        spec: Its description.
        path: Where to write; nothing is left there if the check fails.
        forward: The network: uint8 ``(H, W, C)`` to float ``(sH, sW, C)`` in levels 0..255, not rounded.
        images: Low-resolution images to compare on; cut to ``size`` where that is given.
        size: (height, width) that the file is bound to; None leaves both open.

    Raises:
        ParityError: The file differs by more than ``FLOAT_TOLERANCE`` of full range, or no image is large enough.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    content = onnx_bytes(graph, spec, size)
    if size is not None:
        images = [cut for image in images if (cut := image[: size[0], : size[1]]).shape[:2] == size]
    parity = counted(_runtime(content), forward, list(images))
    if parity.largest > FLOAT_TOLERANCE:
        raise ParityError(
            f"{path.name} does not compute what its network computes: values differ by up to {parity.largest:.2e} of "
            f"full range ({FLOAT_TOLERANCE:g} is allowed); nothing was written"
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pocketsr-") as folder:
        candidate = Path(folder) / path.name
        candidate.write_bytes(content)
        candidate.replace(path)
    return parity


def _runtime(content: bytes) -> Callable[[_Image], npt.NDArray[np.float64]]:
    """Return the file as a function from an image to its raw output in levels 0..255."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.for_extra("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: _Image) -> npt.NDArray[np.float64]:
        batch = image.transpose(2, 0, 1)[None].astype(np.float32)
        output: npt.NDArray[np.float64] = session.run(None, {name: batch})[0][0].transpose(1, 2, 0).astype(np.float64)
        return output

    return run


# -- operators --------------------------------------------------------------------------------------------------------


class _Builder:
    """Nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: Array) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


@functools.singledispatch
def _write(op: Op, builder: _Builder) -> None:  # noqa: ARG001 - one signature for all
    raise LoweringError(f"{op.output.name}: an ONNX file has no form for {type(op).__name__}")


@_write.register
def _conv(op: Conv2D, builder: _Builder) -> None:
    name = op.output.name
    weight = builder.constant(f"{name}/weight", op.weight.transpose(0, 3, 1, 2))
    bias = builder.constant(f"{name}/bias", op.bias)
    top, left = (side // 2 if op.padding == "same" else 0 for side in op.weight.shape[1:3])
    inputs = [op.inputs[0].name, weight, bias]
    _activated(builder, op, "Conv", inputs, pads=[top, left, top, left], group=op.groups)


@_write.register
def _add(op: Add, builder: _Builder) -> None:
    _activated(builder, op, "Add", _names(op))


def _activated(builder: _Builder, op: Conv2D | Add, kind: str, inputs: list[str], **attributes: Any) -> None:
    name = op.output.name
    if op.activation == "none":
        builder.node(kind, inputs, name, **attributes)
    else:
        builder.node("Relu", [builder.node(kind, inputs, f"{name}/sum", **attributes)], name)


@_write.register
def _multiply(op: Multiply, builder: _Builder) -> None:
    builder.node("Mul", _names(op), op.output.name)


@_write.register
def _subtract(op: Subtract, builder: _Builder) -> None:
    builder.node("Sub", _names(op), op.output.name)


@_write.register
def _concat(op: Concat, builder: _Builder) -> None:
    builder.node("Concat", _names(op), op.output.name, axis=1)


@_write.register
def _depth_to_space(op: DepthToSpace, builder: _Builder) -> None:
    builder.node("DepthToSpace", _names(op), op.output.name, blocksize=op.block, mode="DCR")


@_write.register
def _space_to_depth(op: SpaceToDepth, builder: _Builder) -> None:
    builder.node("SpaceToDepth", _names(op), op.output.name, blocksize=op.block)


@_write.register
def _relu(op: Relu, builder: _Builder) -> None:
    builder.node("Relu", _names(op), op.output.name)


@_write.register
def _minimum(op: Minimum, builder: _Builder) -> None:
    bound = builder.constant(f"{op.output.name}/bound", np.asarray(op.bound, np.float32))
    builder.node("Min", [*_names(op), bound], op.output.name)


@_write.register
def _leaky_relu(op: LeakyRelu, builder: _Builder) -> None:
    builder.node("LeakyRelu", _names(op), op.output.name, alpha=op.slope)


@_write.register
def _prelu(op: PRelu, builder: _Builder) -> None:
    slope = builder.constant(f"{op.output.name}/slope", op.slope.reshape(-1, 1, 1))
    builder.node("PRelu", [*_names(op), slope], op.output.name)


@_write.register
def _slice(op: Slice, builder: _Builder) -> None:
    name, bounds = op.output.name, {"start": op.start, "end": op.start + op.output.channels, "axis": 1}
    places = [builder.constant(f"{name}/{word}", np.array([number], np.int64)) for word, number in bounds.items()]
    builder.node("Slice", [*_names(op), *places], name)


@_write.register
def _elementwise(op: Elementwise, builder: _Builder) -> None:
    kinds = {"tanh": "Tanh", "logistic": "Sigmoid", "gelu": "Gelu", "sqrt": "Sqrt"}
    builder.node(kinds[op.function], _names(op), op.output.name)


@_write.register
def _global_mean(op: GlobalMean, builder: _Builder) -> None:
    builder.node("GlobalAveragePool", _names(op), op.output.name)


@_write.register
def _mirror_pad(op: MirrorPad, builder: _Builder) -> None:
    """ONNX reflects, but not with the border repeated: that is strips, reversed, on either side of each axis."""
    name, source = op.output.name, op.inputs[0].name
    if op.mirror == "reflect":
        amounts = builder.constant(f"{name}/amounts", np.array([0, 0, op.amount, op.amount] * 2, np.int64))
        builder.node("Pad", [source, amounts], name, mode="reflect")
        return
    for axis, end in ((2, f"{name}/rows"), (3, name)):
        source = _mirrored(builder, source, end, axis, op.amount)


def _mirrored(builder: _Builder, source: str, output: str, axis: int, amount: int) -> str:
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
