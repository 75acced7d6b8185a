"""The small language of model files: values, operators on them, and the graph they make.

A graph is free of image size: a value knows its channels and how its numbers are stored, and every operator knows how
it changes height and width. Layout is TensorFlow's, (N, H, W, C) with sub-pixels outside colours in depth-to-space.
Knows nothing of files, torch, or how to run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError

Array: TypeAlias = npt.NDArray[Any]
Size: TypeAlias = tuple[int, int]

#: Far below and, turned over, above what any network uses. Runtimes below Python crash where a ratio of two steps
#: leaves the normal numbers of float32.
_SMALLEST_STEP = 2.0**-40
#: A side of an image that every padding and every block fits.
_LARGE_ENOUGH = 64


@dataclasses.dataclass(frozen=True)
class Quantisation:
    """How integers stand for real numbers: real = ``scale`` · (q − ``zero_point``).

    Attributes:
        scale: Size of one step, above 0.
        zero_point: Which integer is 0; in 16 bits always 0.
        bits: 8 for q in −128..127, or 16 for −32768..32767.
    """

    scale: float
    zero_point: int
    bits: int = 8

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf and self.bits in (8, 16)):
            raise ModelFileError(f"a quantisation needs scale > 0 and 8 or 16 bits, not {self}")
        if not _SMALLEST_STEP <= self.scale <= 1 / _SMALLEST_STEP:
            raise ModelFileError(
                f"a quantisation has steps from {_SMALLEST_STEP:.0e} to {1 / _SMALLEST_STEP:.0e}: {self}"
            )
        if not (-128 <= self.zero_point <= 127 if self.bits == 8 else self.zero_point == 0):
            raise ModelFileError(f"a zero point is −128..127 in 8 bits and 0 in 16, not {self}")
        # Files hold float32; rounding here makes what is written and what is read equal.
        object.__setattr__(self, "scale", float(np.float32(self.scale)))

    @property
    def lowest(self) -> int:
        """The lowest q − z."""
        return -(1 << self.bits - 1) - self.zero_point

    @property
    def highest(self) -> int:
        """The highest q − z."""
        return (1 << self.bits - 1) - 1 - self.zero_point


@dataclasses.dataclass(frozen=True)
class Value:
    """An image or feature map between operators.

    Attributes:
        name: Unique in its graph.
        channels: Size of the last axis.
        quantisation: Set for integers, None for float32.
    """

    name: str
    channels: int
    quantisation: Quantisation | None = None

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ModelFileError(f"{self.name!r} needs at least one channel, not {self.channels}")

    @property
    def is_wide(self) -> bool:
        """Whether it holds integers of 16 bits."""
        return self.quantisation is not None and self.quantisation.bits == 16


@dataclasses.dataclass(frozen=True, eq=False)
class Op:
    """Base of operators: makes ``output`` from ``inputs``.

    Equality compares weights bit for bit.

    Attributes:
        takes_16_bits: Whether files have the operator for values of 16 bits.
    """

    takes_16_bits: ClassVar[bool] = False

    inputs: tuple[Value, ...]
    output: Value

    def output_size(self, size: Size) -> Size:
        """Return (height, width) of the output for inputs of that (height, width)."""
        return size

    def joined_size(self, sizes: Sequence[Size]) -> Size:
        """Return the (height, width) that inputs of these sizes have together; as a rule they are of one size.

        Raises:
            ModelFileError: They do not go together.
        """
        if len(set(sizes)) != 1:
            raise ModelFileError(f"the inputs of {self.output.name!r} differ in size: {sorted(set(sizes))}")
        return sizes[0]

    def multiply_accumulates(self, size: Size) -> int:  # noqa: ARG002 - operators with weights look at it
        """Return multiplications by weights for inputs of that (height, width); biases and activations not counted."""
        return 0

    def parameter_count(self) -> int:
        """Return the numbers that were trained."""
        return 0

    def check(self) -> None:
        """Raise ModelFileError where the operator makes no sense by itself."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in dataclasses.fields(self))
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    def __hash__(self) -> int:
        return hash((type(self), self.inputs, self.output))

    def _require(self, good: bool, words: str) -> None:
        if not good:
            raise ModelFileError(f"{type(self).__name__} making {self.output.name!r}: {words}")

    def check_bits(self) -> None:
        """Raise ModelFileError where values have 16 bits and files have no such operator."""
        wide = [value.name for value in (*self.inputs, self.output) if value.is_wide]
        self._require(self.takes_16_bits or not wide, f"it exists for 8 bits only, {', '.join(wide)} has 16")

    def _require_one_input(self) -> None:
        self._require(len(self.inputs) == 1, f"one input is needed, not {len(self.inputs)}")

    def _require_same_kind(self) -> None:
        """Require one input with the channels and quantisation of the output."""
        self._require_one_input()
        self._require(self.inputs[0].channels == self.output.channels, "channel counts differ")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")

    def _require_float(self) -> None:
        self._require(self.output.quantisation is None, "it has no int8 form that all backends agree on; use ReLU")


@dataclasses.dataclass(frozen=True)
class Graph:
    """Operators in the order they run, from one input to one output.

    Raises:
        ModelFileError: A value is used before it is made or made twice, integer and float are mixed, or an operator
            does not fit its values.
    """

    input: Value
    output: Value
    ops: tuple[Op, ...]

    def __post_init__(self) -> None:
        made = {self.input.name: self.input}
        for op in self.ops:
            for value in op.inputs:
                if made.get(value.name) != value:
                    raise ModelFileError(f"{value.name!r} is used before it is made, or changes on the way")
            if op.output.name in made:
                raise ModelFileError(f"{op.output.name!r} is made twice")
            if (op.output.quantisation is None) != (self.input.quantisation is None):
                raise ModelFileError(f"{op.output.name!r} mixes integer and float")
            op.check()
            op.check_bits()
            made[op.output.name] = op.output
        if made.get(self.output.name) != self.output:
            raise ModelFileError(f"nothing makes the output {self.output.name!r}")
        if self.input.is_wide or self.output.is_wide:
            raise ModelFileError("images have 8 bits: 16 are for values between the two ends")

    @property
    def is_integer(self) -> bool:
        """Whether the graph computes in integers; its ends are int8 then."""
        return self.input.quantisation is not None

    @property
    def precision(self) -> Literal["float32", "int8", "int16x8"]:
        """Arithmetic: ``int16x8`` where some values between int8 ends have 16 bits and weights 8."""
        if not self.is_integer:
            return "float32"
        return "int16x8" if any(value.is_wide for value in self.values) else "int8"

    @property
    def values(self) -> tuple[Value, ...]:
        """The input and what every operator makes, in order."""
        return (self.input, *(op.output for op in self.ops))

    def sizes(self, height: int, width: int) -> dict[str, Size]:
        """Return (height, width) of every value, by name, for an input of that height and width.

        Raises:
            ModelFileError: An operator's inputs differ in size.
        """
        sizes = {self.input.name: (height, width)}
        for op in self.ops:
            sizes[op.output.name] = op.output_size(op.joined_size([sizes[value.name] for value in op.inputs]))
        return sizes

    def output_size(self, height: int, width: int) -> Size:
        """Return (height, width) of the output for an input of that height and width."""
        return self.sizes(height, width)[self.output.name]

    def live_bytes_per_pixel(self) -> float:
        """Return how many bytes, for each pixel of the input, values take at once that are still to be used."""
        sizes = self.sizes(_LARGE_ENOUGH, _LARGE_ENOUGH)
        last = {value.name: number for number, op in enumerate(self.ops) for value in op.inputs}
        last[self.output.name] = len(self.ops)

        def size(value: Value) -> int:
            return (
                math.prod(sizes[value.name]) * value.channels * (4 if value.quantisation is None else 1 + value.is_wide)
            )

        live = {self.input.name: size(self.input)}
        most = 0
        for number, op in enumerate(self.ops):
            live[op.output.name] = size(op.output)
            most = max(most, sum(live.values()))
            live = {name: held for name, held in live.items() if last.get(name, -1) > number}
        return most / _LARGE_ENOUGH**2

    @property
    def scale(self) -> int:
        """Output height over input height."""
        return self.output_size(_LARGE_ENOUGH, _LARGE_ENOUGH)[0] // _LARGE_ENOUGH

    def multiply_accumulates(self, height: int, width: int) -> int:
        """Return multiplications by weights for an input of that height and width."""
        sizes = self.sizes(height, width)
        return sum(op.multiply_accumulates(sizes[op.inputs[0].name]) for op in self.ops)

    def parameter_count(self) -> int:
        """Return weights and biases over all operators."""
        return sum(op.parameter_count() for op in self.ops)


def consumers(ops: Sequence[Op], value: Value) -> tuple[Op, ...]:
    """Return the operators that take ``value``."""
    return tuple(op for op in ops if value in op.inputs)
