"""The small language of model files: values, operators on them, and the graph they make.

A graph is free of image size: a value knows its channels and how its numbers are stored, and every operator knows how
it changes height and width. Layout is TensorFlow's, (N, H, W, C) with sub-pixels outside colours in depth-to-space.
Knows nothing of files, torch, or how to run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError

Activation: TypeAlias = Literal["none", "relu"]
Array: TypeAlias = npt.NDArray[Any]
Size: TypeAlias = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Quantisation:
    """How 8-bit integers stand for real numbers: real = ``scale`` · (q − ``zero_point``), q in −128..127."""

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf and -128 <= self.zero_point <= 127):
            raise ModelFileError(f"a quantisation needs scale > 0 and zero point −128..127, not {self}")
        # Files hold float32; rounding here makes what is written and what is read equal.
        object.__setattr__(self, "scale", float(np.float32(self.scale)))


@dataclasses.dataclass(frozen=True)
class Value:
    """An image or feature map between operators.

    Attributes:
        name: Unique in its graph.
        channels: Size of the last axis.
        quantisation: Set for int8, None for float32.
    """

    name: str
    channels: int
    quantisation: Quantisation | None = None

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ModelFileError(f"{self.name!r} needs at least one channel, not {self.channels}")


@dataclasses.dataclass(frozen=True, eq=False)
class Op:
    """Base of operators: makes ``output`` from ``inputs``.

    Equality compares weights bit for bit.
    """

    inputs: tuple[Value, ...]
    output: Value

    def output_size(self, size: Size) -> Size:
        """Return (height, width) of the output for inputs of that (height, width)."""
        return size

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

    def _require_one_input(self) -> None:
        self._require(len(self.inputs) == 1, f"one input is needed, not {len(self.inputs)}")

    def _require_same_kind(self) -> None:
        """Require one input with the channels and quantisation of the output."""
        self._require_one_input()
        self._require(self.inputs[0].channels == self.output.channels, "channel counts differ")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")

    def _require_float(self) -> None:
        self._require(self.output.quantisation is None, "it has no int8 form that all backends agree on; use ReLU")


@dataclasses.dataclass(frozen=True, eq=False)
class Conv2D(Op):
    """Convolution, stride 1, padded with zeros to the same size.

    Attributes:
        weight: ``(O, kh, kw, I / groups)``, kh and kw odd; int8 in an integer graph, else float32.
        bias: ``(O,)``; int32 in units of s_in · s_w in an integer graph, else float32.
        weight_scale: ``(O,)`` float32 in an integer graph (symmetric, one for each output channel), else None.
        activation: Applied to the sum.
        groups: Input and output channels are cut into this many independent groups; as many as there are input
            channels make it a depthwise convolution.
    """

    weight: Array
    bias: Array
    weight_scale: Array | None = None
    activation: Activation = "none"
    groups: int = 1

    def multiply_accumulates(self, size: Size) -> int:
        """Return weights times positions."""
        return int(self.weight.size) * size[0] * size[1]

    def parameter_count(self) -> int:
        """Return weights plus biases."""
        return int(self.weight.size + self.bias.size)

    def check(self) -> None:
        """Compare shapes and dtypes with the values at both ends."""
        self._require_one_input()
        self._require(self.weight.ndim == 4, f"weights need 4 axes (O, kh, kw, I), not {self.weight.ndim}")
        outputs, height, width, inputs = self.weight.shape
        came = self.inputs[0].channels
        self._require(
            inputs * self.groups == came, f"weights want {inputs * self.groups} channels, the input has {came}"
        )
        self._require(
            (outputs,) == (self.output.channels,) == self.bias.shape, "weights, bias, output differ in channels"
        )
        self._require(outputs % self.groups == 0, f"{outputs} channels do not split into {self.groups} groups")
        self._require(height % 2 == 1 and width % 2 == 1, f"a {height}×{width} kernel has no centre")
        integer = self.output.quantisation is not None
        self._require(self.weight.dtype == (np.int8 if integer else np.float32), f"weights are {self.weight.dtype}")
        self._require(self.bias.dtype == (np.int32 if integer else np.float32), f"biases are {self.bias.dtype}")
        self._require(
            (self.weight_scale is not None) == integer, "weight_scale belongs to int8 weights, and only there"
        )
        if self.weight_scale is not None:
            self._check_scales(self.weight_scale)

    def _check_scales(self, weight_scale: Array) -> None:
        self._require(weight_scale.dtype == np.float32, f"weight scales are {weight_scale.dtype}, not float32")
        self._require(weight_scale.shape == self.bias.shape, "one weight scale is needed for each output channel")
        self._require(bool(np.all(weight_scale > 0)), "weight scales must be above 0")
        largest = float(self.multiplier().max())
        self._require(largest < 256, f"s_in · s_w / s_out is {largest:g}; XNNPACK takes less than 256")

    def multiplier(self) -> Array:
        """Return what brings integer sums to steps of the output: (s_in · s_w) / s_out in float32, ``(O,)``.

        Raises:
            ModelFileError: The operator is a float one.
        """
        source, made = self.inputs[0].quantisation, self.output.quantisation
        if source is None or made is None or self.weight_scale is None:
            raise ModelFileError(f"{self.output.name!r} is float: there is nothing to rescale")
        return np.asarray(np.float32(source.scale) * self.weight_scale / np.float32(made.scale))


@dataclasses.dataclass(frozen=True, eq=False)
class Add(Op):
    """Sum of two values of one shape. In int8 each may have its own quantisation.

    Attributes:
        activation: Applied to the sum.
    """

    activation: Activation = "none"

    def check(self) -> None:
        """Two inputs, all of one width; scales within what XNNPACK adds."""
        self._require(len(self.inputs) == 2, "two inputs are needed")
        self._require(len({value.channels for value in (*self.inputs, self.output)}) == 1, "channel counts differ")
        for ratio in self.ratios():
            self._require(2**-10 <= ratio < 2**8, f"s_in / s_out is {ratio:g}; XNNPACK takes 1/1024 up to 256")

    def ratios(self) -> tuple[float, ...]:
        """Return scale of each input over scale of the output, in float32; empty for a float sum."""
        made = self.output.quantisation
        scales = [value.quantisation.scale for value in self.inputs if value.quantisation is not None]
        return () if made is None else tuple(float(np.float32(scale) / np.float32(made.scale)) for scale in scales)


@dataclasses.dataclass(frozen=True, eq=False)
class Concat(Op):
    """Inputs side by side on the channel axis. In int8 all share one quantisation: bytes are copied."""

    def check(self) -> None:
        """Channel counts add up, quantisations agree."""
        self._require(len(self.inputs) > 0, "at least one input is needed")
        self._require(sum(value.channels for value in self.inputs) == self.output.channels, "channels do not add up")
        self._require(len({value.quantisation for value in (*self.inputs, self.output)}) == 1, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class DepthToSpace(Op):
    """Channels become sub-pixels: channel (dy · block + dx) · C + c goes to row dy, column dx, colour c."""

    block: int

    def output_size(self, size: Size) -> Size:
        """Return both sides ``block`` times longer."""
        return size[0] * self.block, size[1] * self.block

    def check(self) -> None:
        """Channel counts fit the block, quantisations agree."""
        self._require_one_input()
        self._require(self.block >= 1, f"a block of {self.block} is not one")
        self._require(self.inputs[0].channels == self.output.channels * self.block**2, "channels do not fit the block")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class Relu(Op):
    """max(x, 0). Where a convolution or sum makes x, use their ``activation`` instead."""

    def check(self) -> None:
        """Same channels and quantisation on both sides."""
        self._require_same_kind()


@dataclasses.dataclass(frozen=True, eq=False)
class Minimum(Op):
    """min(x, ``bound``).

    Attributes:
        bound: A real number. In int8 the nearest level of the value takes its place.
    """

    bound: float

    def __post_init__(self) -> None:
        # Files hold float32 or a level; rounding here makes what is written and what is read equal.
        quantisation = self.output.quantisation
        bound = np.float32(self.bound)
        if quantisation is not None:
            bound = np.float32(quantisation.scale) * np.float32(self.level() - quantisation.zero_point)
        object.__setattr__(self, "bound", float(bound))

    def level(self) -> int:
        """Return the bound as int8.

        Raises:
            ModelFileError: The operator is a float one.
        """
        quantisation = self.output.quantisation
        if quantisation is None:
            raise ModelFileError(f"{self.output.name!r} is float: its bound is no int8 level")
        steps = np.rint(np.float32(self.bound) / np.float32(quantisation.scale))
        return int(np.clip(steps + quantisation.zero_point, -128, 127))

    def check(self) -> None:
        """Same channels and quantisation on both sides."""
        self._require_same_kind()


@dataclasses.dataclass(frozen=True, eq=False)
class LeakyRelu(Op):
    """x where x is above 0, ``slope`` · x elsewhere. Float only."""

    slope: float

    def __post_init__(self) -> None:
        # Files hold float32; rounding here makes what is written and what is read equal.
        object.__setattr__(self, "slope", float(np.float32(self.slope)))

    def check(self) -> None:
        """Float, and same channels on both sides."""
        self._require_same_kind()
        self._require_float()


@dataclasses.dataclass(frozen=True, eq=False)
class PRelu(Op):
    """x where x is above 0, ``slope`` · x elsewhere, with a slope for each channel. Float only.

    Attributes:
        slope: ``(C,)`` float32.
    """

    slope: Array

    def parameter_count(self) -> int:
        """Return the slopes."""
        return int(self.slope.size)

    def check(self) -> None:
        """Float, same channels on both sides, a slope for each."""
        self._require_same_kind()
        self._require_float()
        fits = self.slope.shape == (self.output.channels,) and self.slope.dtype == np.float32
        self._require(fits, f"a float32 slope for each channel is needed, not {self.slope.dtype} {self.slope.shape}")


@dataclasses.dataclass(frozen=True, eq=False)
class Slice(Op):
    """Some channels: as many as the output has, from channel ``start`` on."""

    start: int

    def check(self) -> None:
        """Channels are there, quantisations agree."""
        self._require_one_input()
        end, there = self.start + self.output.channels, self.inputs[0].channels
        self._require(0 <= self.start < end <= there, f"channels {self.start} to {end} of {there} were asked for")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")


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
            made[op.output.name] = op.output
        if made.get(self.output.name) != self.output:
            raise ModelFileError(f"nothing makes the output {self.output.name!r}")

    @property
    def is_integer(self) -> bool:
        """Whether the graph computes in int8."""
        return self.input.quantisation is not None

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
            came = {sizes[value.name] for value in op.inputs}
            if len(came) != 1:
                raise ModelFileError(f"the inputs of {op.output.name!r} differ in size: {sorted(came)}")
            sizes[op.output.name] = op.output_size(came.pop())
        return sizes

    def output_size(self, height: int, width: int) -> Size:
        """Return (height, width) of the output for an input of that height and width."""
        return self.sizes(height, width)[self.output.name]

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
