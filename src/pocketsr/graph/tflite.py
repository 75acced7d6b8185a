"""Model files: a graph and its spec as ``.tflite``, written and read.

Written with the schema classes inside ai-edge-litert, so no TensorFlow is needed and every byte is ours: equal graphs
give equal files. Height and width are left open (−1 in the shape signature), so one file serves every image size.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.ops import (
    Activation,
    Add,
    Array,
    Concat,
    Conv2D,
    DepthToSpace,
    Graph,
    Minimum,
    Op,
    Quantisation,
    Relu,
    Size,
    Value,
)
from pocketsr.spec import ModelSpec

#: Low-resolution size written into the file for readers that cannot resize; the field's benchmark frame.
DEFAULT_SIZE: Size = (360, 640)

_IDENTIFIER = b"TFL3"
_SPEC_ENTRY = "pocketsr_spec"
_ACTIVATIONS: dict[Activation, int] = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
}


def write_model(graph: Graph, spec: ModelSpec, path: Path) -> None:
    """Write a model file: to a temporary file beside ``path``, then renamed over it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(model_bytes(graph, spec))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def model_bytes(graph: Graph, spec: ModelSpec, size: Size = DEFAULT_SIZE) -> bytes:
    """Return the bytes of a model file; equal arguments give equal bytes.

    Args:
        graph: What to compute.
        spec: Facts for the reader, kept as metadata.
        size: (height, width) of the input for readers that do not resize.
    """
    model = _Writer(graph, size).model(spec)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def read_model(path: Path) -> tuple[Graph, ModelSpec]:
    """Read what ``write_model`` wrote; writing it again gives the same bytes.

    Raises:
        ModelFileError: The file is missing, damaged, not ours, or has an operator we do not know.
    """
    model = _load(path)
    with _complaining_about(path):
        return _Reader(model).graph(), _spec_of(model, path)


def read_spec(path: Path) -> ModelSpec:
    """Read only the description of a model file.

    Raises:
        ModelFileError: The file is missing, damaged, or not ours.
    """
    model = _load(path)
    with _complaining_about(path):
        return _spec_of(model, path)


# -- operators, one row each ------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """How one kind of operator stands in a file."""

    kind: type[Op]
    code: int
    version: Callable[[bool], int]
    """Operator version as TensorFlow writes it, by whether the graph is integer."""
    options_type: int
    options: Callable[[Any], Any]
    constants: Callable[[Any, Any], list[int]]
    """Add the operator's constant tensors with the writer (given second); return their indices, after the inputs."""
    read: Callable[[Any, Any, tuple[Value, ...], Value, list[int]], Op]
    """Make the operator from (reader, options, inputs, output, indices of constant tensors)."""


def _conv_options(op: Conv2D) -> Any:
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.SAME, 1, 1
    options.fusedActivationFunction = _ACTIVATIONS[op.activation]
    return options


def _conv_constants(op: Conv2D, writer: _Writer) -> list[int]:
    name = op.output.name
    if op.weight_scale is None:
        return [writer.constant(f"{name}/weight", op.weight), writer.constant(f"{name}/bias", op.bias)]
    quantisation = op.inputs[0].quantisation
    assert quantisation is not None
    bias_scale = np.float32(quantisation.scale) * op.weight_scale
    return [
        writer.constant(f"{name}/weight", op.weight, op.weight_scale),
        writer.constant(f"{name}/bias", op.bias, bias_scale),
    ]


def _read_conv(reader: _Reader, options: Any, inputs: tuple[Value, ...], output: Value, constants: list[int]) -> Op:
    weight, weight_scale = reader.constant(constants[0])
    bias, _ = reader.constant(constants[1])
    if (options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor) != (1, 1, 1, 1):
        raise ModelFileError("strides and dilations of convolutions must be 1")
    groups = inputs[0].channels // weight.shape[3]
    return Conv2D(inputs, output, weight, bias, weight_scale, _activation(options), groups)


def _with_activation(make: Callable[[], Any]) -> Callable[[Any], Any]:
    def options(op: Any) -> Any:
        made = make()
        made.fusedActivationFunction = _ACTIVATIONS[getattr(op, "activation", "none")]
        return made

    return options


def _concat_options(_: Concat) -> Any:
    options = schema.ConcatenationOptionsT()
    options.axis = 3
    return options


def _depth_to_space_options(op: DepthToSpace) -> Any:
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = op.block
    return options


def _minimum_constants(op: Minimum, writer: _Writer) -> list[int]:
    quantisation = op.inputs[0].quantisation
    bound = np.array(op.bound, np.float32)
    if quantisation is None:
        return [writer.constant(f"{op.output.name}/bound", bound)]
    level = np.clip(np.rint(bound / np.float32(quantisation.scale)) + quantisation.zero_point, -128, 127)
    return [writer.constant(f"{op.output.name}/bound", level.astype(np.int8), quantisation=quantisation)]


def _read_minimum(reader: _Reader, _: Any, inputs: tuple[Value, ...], output: Value, constants: list[int]) -> Op:
    bound, _ = reader.constant(constants[0])
    quantisation = inputs[0].quantisation
    if quantisation is None:
        return Minimum(inputs, output, float(bound))
    return Minimum(inputs, output, quantisation.scale * (int(bound) - quantisation.zero_point))


def _no_constants(*_: Any) -> list[int]:
    return []


def _activation(options: Any) -> Activation:
    for name, code in _ACTIVATIONS.items():
        if options.fusedActivationFunction == code:
            return name
    raise ModelFileError(f"activation number {options.fusedActivationFunction} is not one pocketsr uses")


_OPERATORS, _OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions
_TABLE: tuple[_Row, ...] = (
    _Row(Conv2D, _OPERATORS.CONV_2D, lambda integer: 3 if integer else 1, _OPTIONS.Conv2DOptions, _conv_options,
         _conv_constants, _read_conv),
    _Row(Add, _OPERATORS.ADD, lambda integer: 2 if integer else 1, _OPTIONS.AddOptions,
         _with_activation(schema.AddOptionsT), _no_constants,
         lambda _, options, inputs, output, __: Add(inputs, output, _activation(options))),
    _Row(Concat, _OPERATORS.CONCATENATION, lambda integer: 2 if integer else 1, _OPTIONS.ConcatenationOptions,
         _concat_options, _no_constants, lambda _, __, inputs, output, ___: Concat(inputs, output)),
    _Row(DepthToSpace, _OPERATORS.DEPTH_TO_SPACE, lambda integer: 2 if integer else 1, _OPTIONS.DepthToSpaceOptions,
         _depth_to_space_options, _no_constants,
         lambda _, options, inputs, output, __: DepthToSpace(inputs, output, options.blockSize)),
    _Row(Relu, _OPERATORS.RELU, lambda integer: 2 if integer else 1, _OPTIONS.NONE, lambda _: None, _no_constants,
         lambda _, __, inputs, output, ___: Relu(inputs, output)),
    _Row(Minimum, _OPERATORS.MINIMUM, lambda integer: 2 if integer else 1, _OPTIONS.MaximumMinimumOptions,
         lambda _: schema.MaximumMinimumOptionsT(), _minimum_constants, _read_minimum),
)  # fmt: skip


# -- writing ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Builds the schema's objects for one graph."""

    def __init__(self, graph: Graph, size: Size) -> None:
        self._graph = graph
        self._sizes = graph.sizes(*size)
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 is empty by the format's rule
        self._tensors: list[Any] = []
        self._index: dict[str, int] = {}

    def model(self, spec: ModelSpec) -> Any:
        rows = {row.kind: row for row in _TABLE}
        used: list[_Row] = []
        operators = []
        self._value(self._graph.input)
        for op in self._graph.ops:
            row = rows.get(type(op))
            if row is None:
                raise ModelFileError(f"a .tflite cannot hold the operator {type(op).__name__} yet")
            if row not in used:
                used.append(row)
            operator = schema.OperatorT()
            operator.opcodeIndex = used.index(row)
            operator.inputs = [self._index[value.name] for value in op.inputs] + row.constants(op, self)
            operator.outputs = [self._value(op.output)]
            operator.builtinOptionsType, operator.builtinOptions = row.options_type, row.options(op)
            operators.append(operator)
        subgraph = schema.SubGraphT()
        subgraph.name, subgraph.tensors, subgraph.operators = "main", self._tensors, operators
        subgraph.inputs, subgraph.outputs = (
            [self._index[self._graph.input.name]],
            [self._index[self._graph.output.name]],
        )
        model = schema.ModelT()
        model.version, model.description, model.subgraphs = 3, "pocketsr", [subgraph]
        model.operatorCodes = [self._operator_code(row) for row in used]
        model.signatureDefs = [self._signature()]
        model.metadata = [
            self._metadata("min_runtime_version", b"2.5.0".ljust(16, b"\0")),
            self._metadata(_SPEC_ENTRY, spec.to_json().encode()),
        ]
        model.buffers = self._buffers
        return model

    def constant(
        self, name: str, array: Array, scale: Array | None = None, *, quantisation: Quantisation | None = None
    ) -> int:
        """Add a constant tensor, with a scale for each output channel (axis 0) or one for all; return its index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(
            np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes(), np.uint8
        )
        self._buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.hasRank = name.encode(), list(array.shape), True
        tensor.type, tensor.buffer = _TYPES[array.dtype.type], len(self._buffers) - 1
        if scale is not None:
            tensor.quantization = _per_tensor_or_channel(scale, np.zeros(scale.size, np.int64))
        elif quantisation is not None:
            tensor.quantization = _per_tensor_or_channel([quantisation.scale], [quantisation.zero_point])
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _value(self, value: Value) -> int:
        height, width = self._sizes[value.name]
        tensor = schema.TensorT()
        tensor.name, tensor.hasRank = value.name.encode(), True
        tensor.shape, tensor.shapeSignature = [1, height, width, value.channels], [1, -1, -1, value.channels]
        tensor.type = schema.TensorType.FLOAT32
        if value.quantisation is not None:
            tensor.type = schema.TensorType.INT8
            tensor.quantization = _per_tensor_or_channel([value.quantisation.scale], [value.quantisation.zero_point])
        self._tensors.append(tensor)
        self._index[value.name] = len(self._tensors) - 1
        return self._index[value.name]

    def _operator_code(self, row: _Row) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = row.code, min(row.code, 127)
        code.version = row.version(self._graph.is_integer)
        return code

    def _metadata(self, name: str, data: bytes) -> Any:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self._buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(self._buffers) - 1
        return entry

    def _signature(self) -> Any:
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        for ends, name, value in (("inputs", "image", self._graph.input), ("outputs", "upscaled", self._graph.output)):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, self._index[value.name]
            setattr(signature, ends, [entry])
        return signature


_TYPES = {np.int8: schema.TensorType.INT8, np.int32: schema.TensorType.INT32, np.float32: schema.TensorType.FLOAT32}


def _per_tensor_or_channel(scales: Any, zero_points: Any) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale, parameters.zeroPoint = np.asarray(scales, np.float32), np.asarray(zero_points, np.int64)
    parameters.quantizedDimension = 0
    return parameters


# -- reading ----------------------------------------------------------------------------------------------------------


class _Reader:
    """Turns the schema's objects back into a graph."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._subgraph = model.subgraphs[0]

    def graph(self) -> Graph:
        rows = {row.code: row for row in _TABLE}
        ops = []
        for operator in self._subgraph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            row = rows.get(max(code.builtinCode, code.deprecatedBuiltinCode))
            if row is None:
                raise ModelFileError(f"operator number {code.builtinCode} is not one that pocketsr writes")
            inputs = [index for index in operator.inputs if not self._is_constant(index)]
            constants = [index for index in operator.inputs if self._is_constant(index)]
            values = tuple(self._value(index) for index in inputs)
            ops.append(row.read(self, operator.builtinOptions, values, self._value(operator.outputs[0]), constants))
        return Graph(self._value(self._subgraph.inputs[0]), self._value(self._subgraph.outputs[0]), tuple(ops))

    def constant(self, index: int) -> tuple[Array, Array | None]:
        """Return a constant tensor and its scales, None where it has none."""
        tensor = self._subgraph.tensors[index]
        dtype = {code: kind for kind, code in _TYPES.items()}[tensor.type]
        data = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8).tobytes()
        array = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(tuple(tensor.shape))
        scale = tensor.quantization.scale if tensor.quantization is not None else None
        return array, None if scale is None else np.asarray(scale, np.float32)

    def _is_constant(self, index: int) -> bool:
        data = self._model.buffers[self._subgraph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _value(self, index: int) -> Value:
        tensor = self._subgraph.tensors[index]
        quantisation = None
        if tensor.type == schema.TensorType.INT8:
            quantisation = Quantisation(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
        return Value(tensor.name.decode(), int(tensor.shape[3]), quantisation)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ModelFileError(f"there is no model file {path}")
    data = path.read_bytes()
    if data[4:8] != _IDENTIFIER:
        raise ModelFileError(f"{path} is not a .tflite model file")
    with _complaining_about(path):
        return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def _spec_of(model: Any, path: Path) -> ModelSpec:
    for entry in model.metadata or ():
        if entry.name == _SPEC_ENTRY.encode():
            return ModelSpec.from_json(bytes(model.buffers[entry.buffer].data).decode())
    raise ModelFileError(f"{path} was not written by pocketsr: it lacks a description of its scale and precision")


class _complaining_about(contextlib.AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Turn whatever a damaged flatbuffer provokes into one error that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModelFileError):
            if str(self._path) in str(error):
                return
            raise ModelFileError(f"{self._path}: {error}") from error
        if isinstance(error, Exception):
            raise ModelFileError(f"{self._path} is damaged: {error or type(error).__name__}") from error
