"""What a form of an operator in a ``.tflite`` file is made of: a row of numbers, and how to write and to read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Op, Quantisation, Value
from pocketsr.graph.ops import Activation

ACTIVATIONS: dict[Activation, int] = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
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


def read_activation(options: Any) -> Activation:
    """Return what the number in an operator's options stands for.

    Raises:
        ModelFileError: pocketsr does not know it.
    """
    for name, code in ACTIVATIONS.items():
        if options.fusedActivationFunction == code:
            return name
    raise ModelFileError(f"activation number {options.fusedActivationFunction} is not one pocketsr uses")
