"""Model files: a graph and its spec as ``.tflite``, written and read.

Written with the schema classes inside ai-edge-litert, so no TensorFlow is needed and every byte is ours: equal graphs
give equal files. Height and width are left open (−1 in the shape signature), so one file serves every image size.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Graph, Op, Quantisation, Size, Value
from pocketsr.graph.receptive import receptive_field
from pocketsr.graph.tflite_check import checked_model, require_same_options, shape_of
from pocketsr.graph.tflite_operators import row_to_read, row_to_write
from pocketsr.graph.tflite_row import Found, Row
from pocketsr.spec import ModelSpec

#: Low-resolution size written into the file for readers that cannot resize; the field's benchmark frame.
DEFAULT_SIZE: Size = (360, 640)
#: Key of the description among a file's metadata.
SPEC_ENTRY = "pocketsr_spec"

_IDENTIFIER = b"TFL3"
_SIDE = 64
#: Offsets in the format are numbers of 31 bits.
_MOST_BYTES = 2**31 - 1
#: Of any value between two operators. The widest of the networks here has 2,304.
MOST_NUMBERS_A_PIXEL = 1 << 16


def write_model(
    graph: Graph, spec: ModelSpec, path: Path, *, size: Size = DEFAULT_SIZE, is_fixed: bool = False
) -> None:
    """Write a model file: to a temporary file beside ``path``, then renamed over it; arguments as ``model_bytes``.

    Raises:
        ModelFileError: The spec says another scale, precision or number of channels than the graph has, or the file
            cannot be written. Nothing is left behind then, and what stood there still does.
    """
    data = model_bytes(graph, spec, size, is_fixed=is_fixed)
    temporary = path.with_name(f".pocketsr-{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise ModelFileError(
            f"cannot write {path}: {reason}; check that the folder may be written and the disk has space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def model_bytes(graph: Graph, spec: ModelSpec, size: Size = DEFAULT_SIZE, *, is_fixed: bool = False) -> bytes:
    """Return the bytes of a model file; equal arguments give equal bytes.

    Args:
        graph: What to compute.
        spec: Facts for the reader, kept as metadata.
        size: (height, width) of the input for readers that do not resize.
        is_fixed: Leave out that other sizes may be asked for: some accelerators take over nothing of an open size.

    Raises:
        ModelFileError: The spec says another scale, precision or number of channels than the graph has.
    """
    require_that_spec_fits(graph, spec)
    model = _Writer(graph, size, is_fixed).model(spec)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def read_model(path: Path) -> tuple[Graph, ModelSpec]:
    """Read what ``write_model`` wrote; writing it again gives the same bytes.

    A file of someone else is read, too, where its operators are ours: 8-bit ends are taken as int8, and the description
    is made from the graph: values are taken to be 0..255, which a file does not say.

    Raises:
        ModelFileError: The file is missing or damaged, or has an operator we do not know.
    """
    model = _load(path)
    with _complaining_about(path):
        graph = _Reader(model).graph()
        spec = _spec_of(model) or _spec_from(graph, path)
        require_that_spec_fits(graph, spec)
        _require_sensible_sizes(graph, spec)
        return graph, spec


def read_spec(path: Path) -> ModelSpec:
    """Read only the description of a model file; that of someone else's file is made from its graph.

    Raises:
        ModelFileError: The file is missing or damaged, or is not ours and has an operator we do not know.
    """
    model = _load(path)
    with _complaining_about(path):
        return _spec_of(model) or _spec_from(_Reader(model).graph(), path)


def require_that_spec_fits(graph: Graph, spec: ModelSpec) -> None:
    """Refuse a description of another model.

    Raises:
        ModelFileError: The spec says another scale, precision or number of channels than the graph has.
    """
    for what, said, found in (
        ("precision", spec.precision, graph.precision),
        ("enlargement", spec.scale, graph.scale),
        ("number of channels", spec.channels, graph.input.channels),
    ):
        if said != found:
            raise ModelFileError(f"the spec of {spec.name!r} says {what} {said}, the graph has {found}")


# -- writing ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Builds the schema's objects for one graph."""

    def __init__(self, graph: Graph, size: Size, is_fixed: bool) -> None:
        self._graph, self._is_fixed = graph, is_fixed
        self._sizes = graph.sizes(*size)
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 is empty by the format's rule
        self._tensors: list[Any] = []
        self._index: dict[str, int] = {}

    def model(self, spec: ModelSpec) -> Any:
        used: list[tuple[Row, int]] = []
        operators = []
        self._value(self._graph.input)
        for op in self._graph.ops:
            row = row_to_write(op)
            form = row, row.version(op)
            if form not in used:
                used.append(form)
            options, constants = row.write(op, self)
            operator = schema.OperatorT()
            operator.opcodeIndex = used.index(form)
            operator.inputs = [*(self._index[value.name] for value in op.inputs), *constants]
            operator.outputs = [self._value(op.output)]
            operator.builtinOptionsType, operator.builtinOptions = row.options_type, options
            operators.append(operator)
        subgraph = schema.SubGraphT()
        subgraph.name, subgraph.tensors, subgraph.operators = "main", self._tensors, operators
        subgraph.inputs, subgraph.outputs = (
            [self._index[self._graph.input.name]],
            [self._index[self._graph.output.name]],
        )
        model = schema.ModelT()
        model.version, model.description, model.subgraphs = 3, "pocketsr", [subgraph]
        model.operatorCodes = [self._operator_code(*form) for form in used]
        model.signatureDefs = [self._signature()]
        model.metadata = [
            self._metadata("min_runtime_version", b"2.5.0".ljust(16, b"\0")),
            self._metadata(SPEC_ENTRY, spec.to_json().encode()),
        ]
        model.buffers = self._buffers
        return model

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
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(
            np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes(), np.uint8
        )
        self._buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.hasRank = name.encode(), list(array.shape), True
        tensor.type, tensor.buffer = _TYPES[array.dtype.type], len(self._buffers) - 1
        if scale is not None:
            tensor.quantization = _quantisation(scale, np.zeros(scale.size), axis)
        elif quantisation is not None:
            tensor.quantization = _quantisation([quantisation.scale], [quantisation.zero_point])
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _value(self, value: Value) -> int:
        height, width = self._sizes[value.name]
        tensor = schema.TensorT()
        tensor.name, tensor.hasRank = value.name.encode(), True
        tensor.shape = [1, height, width, value.channels]
        if not self._is_fixed:
            tensor.shapeSignature = [1, -1, -1, value.channels]
        tensor.type = schema.TensorType.FLOAT32
        if value.quantisation is not None:
            tensor.type = schema.TensorType.INT16 if value.is_wide else schema.TensorType.INT8
            tensor.quantization = _quantisation([value.quantisation.scale], [value.quantisation.zero_point])
        self._tensors.append(tensor)
        self._index[value.name] = len(self._tensors) - 1
        return self._index[value.name]

    def _operator_code(self, row: Row, version: int) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = row.code, min(row.code, 127)
        code.version = version
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


_TYPES = {
    np.int8: schema.TensorType.INT8,
    np.int32: schema.TensorType.INT32,
    np.int64: schema.TensorType.INT64,
    np.float32: schema.TensorType.FLOAT32,
}


def _quantisation(scales: Any, zero_points: Any, axis: int = 0) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale, parameters.zeroPoint = np.asarray(scales, np.float32), np.asarray(zero_points, np.int64)
    parameters.quantizedDimension = axis
    return parameters


# -- reading ----------------------------------------------------------------------------------------------------------


class _Reader:
    """Turns the schema's objects back into a graph."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._subgraph = model.subgraphs[0]

    def graph(self) -> Graph:
        ops: list[Op] = []
        for operator in self._subgraph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            row = row_to_read(max(code.builtinCode, code.deprecatedBuiltinCode))
            given = [index for index in operator.inputs if index >= 0]  # −1 stands for an input that was left out
            inputs = tuple(self._value(index) for index in given if not self._is_constant(index))
            constants = tuple(index for index in given if self._is_constant(index))
            found = Found(operator.builtinOptions, constants, inputs, self._value(operator.outputs[0]))
            ops.append(row.read(found, self))
            require_same_options(ops[-1], operator.builtinOptions)
        return Graph(self._value(self._subgraph.inputs[0]), self._value(self._subgraph.outputs[0]), tuple(ops))

    def constant(self, index: int) -> tuple[Array, Array | None]:
        """Return a constant tensor and its scales, None where it has none."""
        tensor = self._subgraph.tensors[index]
        dtype = {code: kind for kind, code in _TYPES.items()}[tensor.type]
        data = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8).tobytes()
        array = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape_of(tensor))
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise ModelFileError(f"{tensor.name.decode()!r} has weights that are no numbers; get or export it again")
        scale = tensor.quantization.scale if tensor.quantization is not None else None
        if scale is None or len(scale) == 0:
            return array, None
        if array.ndim == 4 and np.any(tensor.quantization.zeroPoint):
            raise ModelFileError(
                f"{tensor.name.decode()!r} are weights with a zero point, which pocketsr does not know"
            )
        return array, np.asarray(scale, np.float32)

    def _is_constant(self, index: int) -> bool:
        data = self._model.buffers[self._subgraph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _value(self, index: int) -> Value:
        tensor = self._subgraph.tensors[index]
        quantisation = None
        if tensor.type in (schema.TensorType.INT8, schema.TensorType.UINT8):
            shift = 128 if tensor.type == schema.TensorType.UINT8 else 0
            scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
            quantisation = Quantisation(float(scale), int(zero_point) - shift)
        elif tensor.type == schema.TensorType.INT16:
            quantisation = Quantisation(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]), 16)
        elif tensor.type != schema.TensorType.FLOAT32:
            raise ModelFileError(
                f"{tensor.name.decode()!r} holds numbers of a type that pocketsr does not compute with"
            )
        return Value(tensor.name.decode(), int(tensor.shape[3]), quantisation)


def _load(path: Path) -> Any:
    try:
        if not path.is_file():
            raise ModelFileError(f"there is no model file {path}")
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise ModelFileError(
                f"{path} is no model file: it has {size:,} bytes, and the format holds {_MOST_BYTES:,}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if data[4:8] != _IDENTIFIER:
        raise ModelFileError(f"{path} is not a .tflite model file; .onnx files are run by --backend onnxruntime")
    with _complaining_about(path):
        return checked_model(data)


def _require_sensible_sizes(graph: Graph, spec: ModelSpec) -> None:
    """Refuse a graph that does not enlarge as it says, or asks for more memory than any network does.

    A file of a few lines can claim any width.
    """
    side = size_to_write(spec)
    sizes = graph.sizes(side, side)
    if sizes[graph.output.name] != (side * spec.scale, side * spec.scale):
        height, width = sizes[graph.output.name]
        raise ModelFileError(
            f"it makes {height}×{width} pixels of {side}×{side}: that is not {spec.scale} times as many each way"
        )
    for value in graph.values:
        height, width = sizes[value.name]
        if value.channels * height * width > MOST_NUMBERS_A_PIXEL * side * side:
            raise ModelFileError(
                f"{value.name!r} holds more than {MOST_NUMBERS_A_PIXEL:,} numbers for each pixel of the input"
            )


def size_to_write(spec: ModelSpec) -> int:
    """Return a small side that a model takes: a multiple of what it wants."""
    return spec.size_multiple * -(-_SIDE // spec.size_multiple)


def _spec_of(model: Any) -> ModelSpec | None:
    """Return the description that pocketsr wrote into a file, None where someone else wrote it."""
    for entry in model.metadata or ():
        if entry.name == SPEC_ENTRY.encode():
            return ModelSpec.from_json(bytes(model.buffers[entry.buffer].data).decode())
    return None


def _spec_from(graph: Graph, path: Path) -> ModelSpec:
    """Describe a file of someone else as far as its graph tells."""
    height, width = graph.output_size(_SIDE, _SIDE)
    if height != width or height % _SIDE or graph.output.channels != graph.input.channels:
        raise ModelFileError(f"it makes {height}×{width} pixels of {_SIDE}×{_SIDE}: it does not enlarge images")
    return ModelSpec(
        name=path.stem,
        network="",
        scale=graph.scale,
        channels=graph.input.channels,
        precision=graph.precision,
        receptive_field=receptive_field(graph),
    )


class _complaining_about(contextlib.AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Turn whatever a damaged flatbuffer provokes into one error that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModelFileError):
            if str(self._path) in str(error):
                return
            raise ModelFileError(f"{self._path}: {' '.join(str(error).split())}") from error
        if isinstance(error, Exception):
            raise ModelFileError(
                f"{self._path}: the file is damaged or cut short: its parts do not fit together; get or export it again"
            ) from error
