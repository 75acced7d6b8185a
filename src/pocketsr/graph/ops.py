"""The operators of model files that compute, one class each: sizes, costs, and what they refuse.

``moves`` has those that only put numbers elsewhere. Knows nothing of files, torch, or how to run; ``base`` says what an
operator and a graph are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Array, Op, Quantisation, Size

Activation: TypeAlias = Literal["none", "relu"]
Padding: TypeAlias = Literal["same", "valid"]
Function: TypeAlias = Literal["tanh", "logistic", "gelu", "sqrt"]

#: Functions with an int8 form, and the scale and zero point that it has in TensorFlow Lite.
FUNCTION_OUTPUTS: Mapping[Function, Quantisation] = {
    "tanh": Quantisation(1 / 128, 0),
    "logistic": Quantisation(1 / 256, -128),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Conv2D(Op):
    """Convolution, stride 1.

    Attributes:
        weight: ``(O, kh, kw, I / groups)``, kh and kw odd; int8 in an integer graph, else float32.
        bias: ``(O,)``; in an integer graph in units of s_in · s_w, int32 or, of 16-bit values, int64; else float32.
        weight_scale: ``(O,)`` float32 in an integer graph (symmetric, one for each output channel), else None.
        activation: Applied to the sum.
        groups: Input and output channels are cut into this many independent groups; as many as there are input
            channels make it a depthwise convolution.
        padding: ``same`` puts zeros around the image so that it keeps its size; ``valid`` lets it shrink by the
            kernel's width less one, for an image that was padded before (``MirrorPad``).
    """

    weight: Array
    bias: Array
    weight_scale: Array | None = None
    activation: Activation = "none"
    groups: int = 1
    padding: Padding = "same"
    takes_16_bits: ClassVar[bool] = True

    def output_size(self, size: Size) -> Size:
        """Return the size of the input, or what a ``valid`` kernel leaves of it."""
        if self.padding == "same":
            return size
        height, width = size[0] - self.weight.shape[1] + 1, size[1] - self.weight.shape[2] + 1
        self._require(height > 0 and width > 0, f"an image of {size[0]}×{size[1]} is smaller than the kernel")
        return height, width

    def multiply_accumulates(self, size: Size) -> int:
        """Return weights times positions.

        Not counted are taps that are zero for all inputs (holes of a rewritten kernel), and mere copies of channels.
        """
        if self.is_copy:
            return 0
        height, width = self.output_size(size)
        taps = self.weight.size
        if self.groups == 1 and self.weight.shape[3] > 1:
            taps = np.count_nonzero(self.weight.any(axis=3)) * self.weight.shape[3]
        return int(taps) * height * width

    @property
    def is_copy(self) -> bool:
        """Whether each output channel is one of the input's: 1×1, a single one in each row, no bias, nothing cut off.

        In integers a one is a step of weight and scale together; 127 is what ours have.
        """
        if self.weight.shape[1:3] != (1, 1) or np.any(self.bias) or self.groups != 1 or self.activation != "none":
            return False
        rows = self.weight.reshape(len(self.weight), -1).astype(np.float64)
        if self.weight_scale is not None:
            rows = np.round(rows * self.multiplier()[:, None], 6)
        return bool(np.all(np.isin(rows, (0, 1))) and np.all(rows.sum(axis=1) == 1))

    def parameter_count(self) -> int:
        """Return weights plus biases, which a mere copy of channels has none of."""
        return 0 if self.is_copy else int(self.weight.size + self.bias.size)

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
        self._require(self.inputs[0].is_wide == self.output.is_wide, "both ends have 8 bits, or both 16")
        bias_type = np.float32 if not integer else np.int64 if self.output.is_wide else np.int32
        self._require(self.bias.dtype == bias_type, f"biases are {self.bias.dtype}")
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

    def exact_multiplier(self) -> Array:
        """Return the same in float64, as TensorFlow Lite computes it for values of 16 bits, ``(O,)``.

        Raises:
            ModelFileError: The operator is a float one.
        """
        source, made = self.inputs[0].quantisation, self.output.quantisation
        if source is None or made is None or self.weight_scale is None:
            raise ModelFileError(f"{self.output.name!r} is float: there is nothing to rescale")
        return np.asarray(source.scale * self.weight_scale.astype(np.float64) / made.scale)


@dataclasses.dataclass(frozen=True, eq=False)
class Add(Op):
    """Sum of two values of one shape. In int8 each may have its own quantisation; in 16 bits all share one.

    Attributes:
        activation: Applied to the sum.
    """

    activation: Activation = "none"
    takes_16_bits: ClassVar[bool] = True

    def check(self) -> None:
        """Two inputs, all of one width; scales within what XNNPACK adds."""
        self._require(len(self.inputs) == 2, "two inputs are needed")
        self._require(len({value.channels for value in (*self.inputs, self.output)}) == 1, "channel counts differ")
        values = (*self.inputs, self.output)
        if any(value.is_wide for value in values):
            self._require(len({value.quantisation for value in values}) == 1, "16-bit sums share one quantisation")
        for ratio in self.ratios():
            self._require(2**-10 <= ratio < 2**8, f"s_in / s_out is {ratio:g}; XNNPACK takes 1/1024 up to 256")

    def ratios(self) -> tuple[float, ...]:
        """Return scale of each input over scale of the output, in float32; empty for a float sum."""
        made = self.output.quantisation
        scales = [value.quantisation.scale for value in self.inputs if value.quantisation is not None]
        return () if made is None else tuple(float(np.float32(scale) / np.float32(made.scale)) for scale in scales)


@dataclasses.dataclass(frozen=True, eq=False)
class Relu(Op):
    """max(x, 0). Where a convolution or sum makes x, use their ``activation`` instead.

    Files of others have it between two quantisations in int8; ours keep one.
    """

    def check(self) -> None:
        """Same channels on both sides."""
        self._require_one_input()
        self._require(self.inputs[0].channels == self.output.channels, "channel counts differ")


@dataclasses.dataclass(frozen=True, eq=False)
class Requantise(Op):
    """The same real numbers in another quantisation: between 8 and 16 bits, and in files of others."""

    takes_16_bits: ClassVar[bool] = True

    def check(self) -> None:
        """Integer, and same channels on both sides."""
        self._require_one_input()
        self._require(self.inputs[0].channels == self.output.channels, "channel counts differ")
        source, made = self.inputs[0].quantisation, self.output.quantisation
        if source is None or made is None:
            self._require(False, "it belongs to integers")
        elif source.bits == made.bits == 8:
            ratio = float(np.float32(source.scale) / np.float32(made.scale))
            self._require(2**-8 <= ratio <= 2**7, f"s_in / s_out is {ratio:g}; XNNPACK takes 1/256 up to 128")


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
    """x where x is above 0, ``slope`` · x elsewhere. In int8 both ends share one scale.

    Attributes:
        slope: 0 to 1. In int8 the nearest 256th takes its place, as in XNNPACK.
    """

    slope: float

    def __post_init__(self) -> None:
        # Files hold float32; rounding here makes what is written and what is read equal.
        object.__setattr__(self, "slope", float(np.float32(self.slope)))

    def factor(self) -> int:
        """Return the slope in 256ths, by which an int8 file multiplies."""
        return int(np.rint(np.float32(256) * np.float32(self.slope)))

    def check(self) -> None:
        """Same channels and quantisation on both sides; in int8 a slope that 256ths can hold."""
        self._require_same_kind()
        if self.output.quantisation is not None:
            self._require(0 < self.factor() <= 256, f"an int8 slope is between 1/256 and 1, not {self.slope:g}")


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
class Elementwise(Op):
    """A function of each number by itself.

    In int8 only ``tanh`` and ``logistic`` exist, tables of 256 entries; their outputs are at the scales that
    TensorFlow Lite fixes for them (``FUNCTION_OUTPUTS``).

    Attributes:
        function: ``tanh``; ``logistic``, 1 / (1 + e^−x); ``gelu``, x · Φ(x) with Φ the exact normal distribution;
            ``sqrt``.
    """

    function: Function

    def check(self) -> None:
        """Same channels on both sides, and in int8 an output at the function's own scale."""
        self._require_one_input()
        self._require(self.inputs[0].channels == self.output.channels, "channel counts differ")
        if self.output.quantisation is not None:
            self._require(self.function in FUNCTION_OUTPUTS, f"{self.function} has no int8 form")
            needed = FUNCTION_OUTPUTS[self.function]
            self._require(self.output.quantisation == needed, f"its int8 output must be at {needed}")


@dataclasses.dataclass(frozen=True, eq=False)
class _Pairwise(Op):
    """Two values of one width; one of them may be a single pixel, which then meets every pixel of the other."""

    def joined_size(self, sizes: Sequence[Size]) -> Size:
        """Return the larger of the two sizes; they are equal, or one is a single pixel."""
        larger = max(sizes)
        return super().joined_size([size for size in sizes if size != (1, 1)] or [larger])

    def check(self) -> None:
        """Two inputs, all of one width."""
        self._require(len(self.inputs) == 2, "two inputs are needed")
        self._require(len({value.channels for value in (*self.inputs, self.output)}) == 1, "channel counts differ")


@dataclasses.dataclass(frozen=True, eq=False)
class Multiply(_Pairwise):
    """Product of two values."""

    def check(self) -> None:
        """As any pair; in int8 scales within what XNNPACK multiplies."""
        super().check()
        if self.output.quantisation is not None:
            ratio = float(self.multiplier())
            self._require(2**-16 <= ratio < 2**8, f"s_a · s_b / s_out is {ratio:g}; XNNPACK takes 1/65536 up to 256")

    def multiplier(self) -> np.float32:
        """Return what brings integer products to steps of the output: (s_a · s_b) / s_out in float32.

        Raises:
            ModelFileError: The operator is a float one.
        """
        first, second, made = (value.quantisation for value in (*self.inputs, self.output))
        if first is None or second is None or made is None:
            raise ModelFileError(f"{self.output.name!r} is float: there is nothing to rescale")
        return np.float32(first.scale) * np.float32(second.scale) / np.float32(made.scale)


@dataclasses.dataclass(frozen=True, eq=False)
class Subtract(_Pairwise):
    """First value less the second. Float only."""

    def check(self) -> None:
        """As any pair, and float."""
        super().check()
        self._require_float()


@dataclasses.dataclass(frozen=True, eq=False)
class GlobalMean(Op):
    """Mean over all pixels of each channel: an image of one pixel. Float only.

    A graph that holds one looks at the whole image and cannot be run in tiles.
    """

    def output_size(self, size: Size) -> Size:  # noqa: ARG002 - whatever the size was
        """Return one pixel."""
        return 1, 1

    def check(self) -> None:
        """Float, and same channels on both sides."""
        self._require_same_kind()
        self._require_float()
