"""Whether the numbers in a model file make sense, before anybody counts on them.

    bytes ──> flatbuffer_check ──> operators known? ──> unpacked ──> indices, shapes and sizes ──> the reader

After ``checked_model`` every index points at something, every constant has the bytes its shape asks for, and every
operator is one that pocketsr reads. Whether the operators fit each other is the graph's to say.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Op, Quantisation
from pocketsr.graph.flatbuffer_check import check_flatbuffer
from pocketsr.graph.tflite_operators import ROWS, row_to_read, row_to_write

#: Bytes of one number by the type of its tensor; the types that occur in model files of images.
_WIDTHS = {
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.FLOAT16: 2,
    schema.TensorType.INT32: 4,
    schema.TensorType.UINT8: 1,
    schema.TensorType.INT64: 8,
    schema.TensorType.INT16: 2,
    schema.TensorType.INT8: 1,
    schema.TensorType.BOOL: 1,
}
_MOST_AXES = 6
#: Options that TensorFlow's converter writes otherwise than we do and that mean the same for our operators: sums of
#: 16 bits, the type of a bias, and −1 for the last axis.
_WITHOUT_MEANING = ("potScaleInt16", "quantizedBiasType", "axis")


def checked_model(data: bytes) -> Any:
    """Return the schema's objects of a model file.

    Raises:
        ModelFileError: Something in it points where there is nothing, or it has an operator that we do not know.
    """
    check_flatbuffer(data, _options_tables())
    model = schema.Model.GetRootAs(data, 0)
    _refuse_unknown_operators(model)
    unpacked = schema.ModelT.InitFromObj(model)
    _check_parts(unpacked)
    return unpacked


def require_same_options(op: Op, came: Any) -> None:
    """Refuse an operator whose options say more than was read of them, such as a product with an activation.

    Raises:
        ModelFileError: They do.
    """
    options = row_to_write(op).write(op, _NoConstants()).options
    if type(options) is not type(came):  # a grouped convolution is written as a depthwise one, which says it otherwise
        return
    for name, value in vars(came).items() if came is not None else ():
        if name not in _WITHOUT_MEANING and value != getattr(options, name):
            raise ModelFileError(
                f"{type(op).__name__} making {op.output.name!r} has {name} {value}, which pocketsr does not know"
            )


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return a tensor's shape; a number by itself has none."""
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


@functools.cache
def _options_tables() -> Mapping[int, str]:
    known = {row.options_type for row in ROWS} - {schema.BuiltinOptions.NONE}
    return {number: name for name, number in vars(schema.BuiltinOptions).items() if number in known}


def _refuse_unknown_operators(model: Any) -> None:
    """Look at the operators through the format's own windows: unpacking would read their unchecked options."""
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    rows = [row_to_read(max(code.BuiltinCode(), code.DeprecatedBuiltinCode())) for code in codes]
    for number in range(model.SubgraphsLength()):
        subgraph = model.Subgraphs(number)
        for index in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(index)
            _require(operator.OpcodeIndex() < len(rows), f"operator {index} is of no kind that the file lists")
            allowed = (rows[operator.OpcodeIndex()].options_type, schema.BuiltinOptions.NONE)
            _require(operator.BuiltinOptionsType() in allowed, f"operator {index} has the options of another kind")


def _check_parts(model: Any) -> None:
    buffers = model.buffers or []
    _require(bool(model.subgraphs), "it has no graph")
    for buffer in buffers:
        _require(not buffer.offset and not buffer.size, "it keeps weights outside its tables")
    for entry in model.metadata or ():
        _require(entry.buffer < len(buffers), "its description lies in a buffer that is not there")
    for subgraph in model.subgraphs:
        _check_subgraph(subgraph, buffers)


def _check_subgraph(subgraph: Any, buffers: list[Any]) -> None:
    tensors = subgraph.tensors or []
    for tensor in tensors:
        _check_tensor(tensor, buffers)
    for what, ends in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        _require(ends is not None and len(ends) == 1, f"one {what} is needed, not {0 if ends is None else len(ends)}")
        _require_indices(ends, 0, tensors, f"the {what} of the graph")
    for index, operator in enumerate(subgraph.operators or ()):
        inputs = () if operator.inputs is None else operator.inputs
        outputs = () if operator.outputs is None else operator.outputs
        _require_indices(inputs, -1, tensors, f"an input of operator {index}")  # −1 stands for one that was left out
        _require_indices(outputs, 0, tensors, f"the output of operator {index}")
        _require(len(outputs) == 1, f"operator {index} has {len(outputs)} outputs, not one")


def _check_tensor(tensor: Any, buffers: list[Any]) -> None:
    name, shape = repr((tensor.name or b"").decode(errors="replace")), shape_of(tensor)
    _require(len(shape) <= _MOST_AXES, f"{name} has {len(shape)} axes, more than {_MOST_AXES}")
    _require(all(side >= 0 for side in shape), f"{name} has a side below 0: {list(shape)}")
    _require(tensor.type in _WIDTHS, f"{name} holds numbers of type {tensor.type}, which pocketsr does not know")
    _require(tensor.buffer < len(buffers) and not tensor.externalBuffer, f"{name} lies in a buffer that is not there")
    data = buffers[tensor.buffer].data
    if data is not None and len(data):
        wanted = math.prod(shape) * _WIDTHS[tensor.type]
        _require(len(data) == wanted, f"{name} of shape {list(shape)} needs {wanted:,} bytes and has {len(data):,}")


def _require_indices(indices: Iterable[int], lowest: int, there: list[Any], what: str) -> None:
    for index in indices:
        _require(lowest <= index < len(there), f"{what} is tensor {index}, of {len(there)}")


def _require(good: bool, words: str) -> None:
    if not good:
        raise ModelFileError(f"the file is damaged or cut short: {words}; get or export it again")


class _NoConstants:
    """A writer for rows whose options alone are wanted."""

    def constant(
        self,
        name: str,
        array: Array,
        scale: Array | None = None,
        *,
        axis: int = 0,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Take no notice."""
        del name, array, scale, axis, quantisation
        return 0
