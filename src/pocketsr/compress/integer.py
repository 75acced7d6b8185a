"""Integer-domain quantisation: training computes, bit for bit, what the int8 file will compute.

Ordinary fake quantisation rounds real numbers and lets biases be; its errors cascade and 5 % of the bytes come out
differently in the file. Here whole numbers q − z are carried from layer to layer in float32, which holds them exactly:

    acc = conv(q − z, w_q) + b_q              w_q = clamp(round(w / s_w)),  b_q = round(b / (s_in · s_w))
    y   = clamp(round(acc · (s_in · s_w) / s_out))

Layers can be kept ``wide``: their values have 16 bits and steps of 1/128 of those above.

Gradients pass every rounding unchanged. Scales of weights follow the largest weight of each output channel; scales of
activations are learnt, starting from calibration. Image in and image out are at scale 1 and zero point −128, so the
last operator saturates to 0..255 by itself and one step is one grey level.

Knows graphs, not networks: whatever was traced can be quantised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.compress.arithmetic import (
    FRACTION,
    added,
    convolved,
    convolved_wide,
    depth_to_space,
    leaky,
    looked_up,
    mirrored,
    narrowed,
    requantised,
    restepped,
    rounded,
    space_to_depth,
)
from pocketsr.compress.calibrate import Method, activation_maxima
from pocketsr.compress.equalise import equalised
from pocketsr.compress.equivalent import equivalent
from pocketsr.compress.own_steps import with_own_steps
from pocketsr.compress.prepare import prepared
from pocketsr.compress.rounding import compensated
from pocketsr.compress.scales import Plan, is_copy
from pocketsr.compress.split_sums import split_sums
from pocketsr.compress.wide import widened
from pocketsr.errors import LoweringError, ModelFileError, SettingError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    Graph,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Op,
    Quantisation,
    Relu,
    Requantise,
    Slice,
    SpaceToDepth,
    Value,
)
from pocketsr.graph.base import Array
from pocketsr.lower import trace
from pocketsr.train.images import to_image
from pocketsr.train.loop import Rewrite
from pocketsr.train.recipe import Rounding, Stage
from pocketsr.train.stage_run import Penalty

_PIXELS = Quantisation(1.0, -128)
#: Biases of 8-bit layers stay below this, in steps of s_in · s_w: float32 holds them, and a sum beside.
_LARGEST_BIAS = 1 << 23
#: Part of a tracked range that stays at each step, as TensorFlow's moving averages have it.
_TRACKING = 0.99


class IntegerNetwork(nn.Module):
    """A float graph, quantised: forward computes the int8 file, backward trains it.

    Args:
        graph: Float graph from 0..255 to 0..255.
        maxima: Largest absolute value of each graph value, from calibration; left out, scales start at 1 and a
            checkpoint is expected to bring them.
        tracked: Let scales of activations follow a running average of the largest value of each batch, while training,
            instead of learning them.
        wide: What computes with 16 bits: ``ends``, ``all`` or names of layers (``compress.wide``).
        own_steps: Give sums, and what stands beside something else, steps of their own (``compress.own_steps``).

    Raises:
        LoweringError: The graph holds an operator that has no integer form.
        SettingError: No layer goes by a name in ``wide``, or own steps and 16 bits are wanted together.
    """

    def __init__(
        self,
        graph: Graph,
        maxima: Mapping[str, float] | None = None,
        *,
        tracked: bool = False,
        wide: Collection[str] = (),
        own_steps: bool = False,
    ) -> None:
        super().__init__()
        if wide and own_steps:
            raise SettingError("sums of 16 bits share one step: layers that are wide and own steps exclude each other")
        ops, self._apart = with_own_steps(graph.input, prepared(graph)) if own_steps else (prepared(graph), frozenset())
        self._ops, self._wide = widened(graph.input, ops, wide)
        self._plan = Plan(graph.input, self._ops, self._apart)
        self._input, self._output = graph.input, self._ops[-1].output
        self.scale, self.channels = graph.scale, graph.input.channels
        self.weights, self.biases, self.log_scales = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for op in self._ops:
            if isinstance(op, Conv2D) and not is_copy(op):
                self.weights[op.output.name] = nn.Parameter(torch.from_numpy(op.weight.transpose(0, 3, 1, 2).copy()))
                self.biases[op.output.name] = nn.Parameter(torch.from_numpy(op.bias.copy()))
        for group in self._plan.learnt_groups:
            peak = max((maxima or {}).get(name, 0.0) for name in self._plan.members(group))
            first = torch.tensor(np.log(peak / self._levels(group)) if peak > 0 else 0.0).float()
            self.log_scales[group] = nn.Parameter(first, requires_grad=not tracked)
        self._fit()
        last = {value.name: index for index, op in enumerate(self._ops) for value in op.inputs}
        #: Values that no later operator takes, by operator: a photo's would fill the memory.
        self._done = [[name for name, end in last.items() if end == index] for index in range(len(self._ops))]
        self._tracked = tracked
        self._peaks: dict[str, Tensor] = {}

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1; the output is a whole number of 255ths."""
        centred = {self._input.name: torch.round(image * 255)}
        for index, op in enumerate(self._ops):
            centred[op.output.name] = self._run(op, [centred[value.name] for value in op.inputs])
            for name in self._done[index]:
                del centred[name]
        if self._tracked and self.training:
            self._follow()
        return centred[self._output.name] / 255

    @torch.no_grad()
    def graph(self) -> Graph:
        """Return the integer graph that computes what ``forward`` computes."""
        values = {self._input.name: dataclasses.replace(self._input, quantisation=_PIXELS)}
        ops: list[Op] = []
        for op in self._ops:
            output = dataclasses.replace(op.output, quantisation=self._quantisation(op.output))
            values[output.name] = output
            inputs = tuple(values[value.name] for value in op.inputs)
            if isinstance(op, Conv2D):
                weight, bias, weight_scale = (array.numpy() for array in self._integers(op))
                ops.append(
                    Conv2D(
                        inputs,
                        output,
                        np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).astype(np.int8),
                        bias.astype(np.int64 if output.is_wide else np.int32),
                        weight_scale,
                        op.activation,
                        op.groups,
                        op.padding,
                    )
                )
            else:
                ops.append(dataclasses.replace(op, inputs=inputs, output=output))
        return Graph(values[self._input.name], values[self._output.name], tuple(ops))

    # -- one operator ----------------------------------------------------------------------------------------------

    def _run(self, op: Op, inputs: Sequence[Tensor]) -> Tensor:
        if isinstance(op, Conv2D):
            weight, bias, weight_scale = self._integers(op)
            if op.output.name in self._wide:
                scales = self._scale(op.inputs[0]), weight_scale, self._scale(op.output)
                return self._clamped(convolved_wide(op, inputs[0], weight, bias, scales), op)
            acc = convolved(op, inputs[0], weight, bias)
            # In this order, in float32: XNNPACK's.
            multiplier = self._scale(op.inputs[0]) * weight_scale / self._scale(op.output)
            if self._tracked and self.training:  # how far sums reach beyond the range is wanted
                return self._clamped(rounded(acc * multiplier[:, None, None]), op)
            return requantised(acc, multiplier, *self._limits(op))
        if isinstance(op, Add):
            if op.output.name not in self._apart:
                return self._clamped(inputs[0] + inputs[1], op)
            first, second = (self._scale(value) / self._scale(op.output) for value in op.inputs)
            return self._clamped(added(inputs[0], inputs[1], (first, second)), op)
        if isinstance(op, Concat):
            return torch.cat(list(inputs), dim=1)
        if isinstance(op, Multiply):
            multiplier = self._scale(op.inputs[0]) * self._scale(op.inputs[1]) / self._scale(op.output)
            return self._clamped(rounded(inputs[0] * inputs[1] * multiplier), op)
        if isinstance(op, Elementwise):
            looked = looked_up(op, inputs[0], self._scale(op.inputs[0]), float(self._scale(op.output)))
            return self._clamped(looked, op)
        if isinstance(op, Requantise) and op.output.name in self._apart:
            return self._clamped(restepped(inputs[0], self._scale(op.inputs[0]) / self._scale(op.output)), op)
        if isinstance(op, Requantise):
            return inputs[0] * FRACTION if op.output.name in self._wide else self._clamped(narrowed(inputs[0]), op)
        if isinstance(op, LeakyRelu):
            return leaky(op, inputs[0])
        if isinstance(op, DepthToSpace):
            return depth_to_space(inputs[0], op.block)
        if isinstance(op, Relu):
            return F.relu(inputs[0])
        if isinstance(op, Slice):
            return inputs[0][:, op.start : op.start + op.output.channels]
        if isinstance(op, SpaceToDepth):
            return space_to_depth(inputs[0], op.block)
        if isinstance(op, MirrorPad):
            return mirrored(op, inputs[0])
        assert isinstance(op, Minimum)
        return torch.clamp(inputs[0], max=float(np.rint(op.bound)))

    def _clamped(self, centred: Tensor, op: Op) -> Tensor:
        if self._tracked and self.training:
            group, largest = self._plan.group(op.output.name), self._largest(centred, op)
            self._peaks[group] = torch.maximum(self._peaks[group], largest) if group in self._peaks else largest
        return torch.clamp(centred, *self._limits(op))

    @torch.no_grad()
    def _fit(self) -> None:
        """Begin with steps that files can hold, and copies that keep every level.

        What is copied gets a whole number of 256ths of the copy's step; of several copies the first is exact. What is
        summed gets no less than a 512th of the sum's. Either has a factor of 2 left to learn in.
        """
        for op in reversed(self._ops):  # what takes a value comes before what makes it
            if op.output.name not in self._apart:
                continue
            made = self._scale(op.output)
            for value in op.inputs:
                if (group := self._plan.group(value.name)) in self.log_scales:
                    ratio = self._scale(value) / made
                    if isinstance(op, Requantise):
                        fitting = torch.ceil(256 * ratio - 1e-3).clamp_min(2) / 256
                    else:
                        fitting = ratio.clamp_min(2**-9)
                    self.log_scales[group].copy_(torch.log(fitting * made))

    def _limits(self, op: Op) -> tuple[int, int]:
        """Return the lowest and the highest q − z of an operator's output."""
        stored = self._stored(op.output)
        return (0 if getattr(op, "activation", "none") == "relu" else stored.lowest), stored.highest

    def _levels(self, group: str) -> int:
        """Return how many steps a group's values have from zero up."""
        return 255 if all(self._plan.zero_point(name) == -128 for name in self._plan.members(group)) else 127

    @torch.no_grad()
    def _largest(self, centred: Tensor, op: Op) -> Tensor:
        """Return the largest magnitude of a value before it is clamped, as a real number."""
        is_relu = getattr(op, "activation", "none") == "relu"
        return (centred.amax() if is_relu else centred.abs().amax()) * self._scale(op.output)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move each scale a little towards what this batch needed."""
        for group, peak in self._peaks.items():
            if group in self.log_scales and peak > 0:
                wanted = torch.log(peak / self._levels(group))
                self.log_scales[group].lerp_(wanted, 1 - _TRACKING)
        self._peaks.clear()

    def _integers(self, op: Conv2D) -> tuple[Tensor, Tensor, Tensor]:
        """Return integer weights ``(O, I, kh, kw)`` and biases ``(O,)`` held in float32, and weight scales ``(O,)``."""
        if is_copy(op):
            ones = torch.from_numpy(op.weight.transpose(0, 3, 1, 2).copy())
            return ones * 127, torch.zeros(len(ones)), torch.full((len(ones),), 1 / 127)
        weight, bias = self.weights[op.output.name], self.biases[op.output.name]
        source = self._scale(op.inputs[0])
        # A channel of hardly any weights takes the scale that its bias needs to stay a number that float32 holds.
        weight_scale = (weight.detach().abs().amax(dim=(1, 2, 3)) / 127).clamp_min(1e-8)
        if op.output.name not in self._wide:
            weight_scale = torch.maximum(weight_scale, bias.detach().abs() / (source.detach() * _LARGEST_BIAS))
        integers = torch.clamp(rounded(weight / weight_scale[:, None, None, None]), -127, 127)
        return integers, rounded(bias / (source * weight_scale)), weight_scale

    def _scale(self, value: Value) -> Tensor:
        fixed = self._plan.fixed(value.name)
        scale = torch.exp(self.log_scales[self._plan.group(value.name)]) if fixed is None else torch.tensor(fixed)
        return scale / FRACTION if value.name in self._wide else scale

    def _quantisation(self, value: Value) -> Quantisation:
        return dataclasses.replace(self._stored(value), scale=float(self._scale(value)))

    def _stored(self, value: Value) -> Quantisation:
        """Return how a value is stored, its scale aside."""
        return (
            Quantisation(1.0, 0, 16)
            if value.name in self._wide
            else Quantisation(1.0, self._plan.zero_point(value.name))
        )


def quantise(
    network: Network,
    images: Iterable[Array] = (),
    *,
    method: Method = "minmax",
    tracked: bool = False,
    rounding: Rounding = "compensated",
    folds_skip: bool = False,
    splits_sums: bool = False,
    own_steps: bool = False,
    wide: Collection[str] = (),
) -> IntegerNetwork:
    """Fold, trace, equalise and quantise a network: post-training quantisation, and where integer training starts.

    Args:
        network: A float network.
        images: Representative images, uint8 ``(H, W, 3)``; without any, scales wait for a checkpoint.
        method: How ranges are taken from what was seen.
        tracked: As of ``IntegerNetwork``.
        rounding: ``compensated`` rounds each weight so that it makes up for the errors of those before
            (``compress.rounding``), ``nearest`` each by itself.
        folds_skip: Fold the network's skip into its convolutions first (``equivalent``).
        splits_sums: Put the parts of sums side by side where only convolutions take them (``split_sums``).
        own_steps: As of ``IntegerNetwork``.
        wide: The same.

    Raises:
        LoweringError: The network has no integer form, or scales lie further apart than a file can have them.
    """
    graph = equivalent(trace(network)) if folds_skip else trace(network)
    graph = split_sums(graph) if splits_sums else graph
    representative = list(images)
    graph = equalised(graph, representative)
    maxima = activation_maxima(graph, representative, method=method) if representative else None
    if rounding == "compensated":
        graph = compensated(graph, representative)
    quantised = IntegerNetwork(graph, maxima, tracked=tracked, wide=wide, own_steps=own_steps)
    if maxima is not None:
        try:
            quantised.graph()
        except ModelFileError as error:
            raise LoweringError(f"the ranges seen do not fit an int8 file: {error}") from error
    return quantised


def _rewrite(network: nn.Module, images: Iterable[Tensor], stage: Stage) -> nn.Module:
    assert isinstance(network, Network)
    representative = (to_image(image)[0] for image in images)
    tracked = stage.activation_scales == "tracked"
    return quantise(
        network,
        representative,
        method=stage.calibration,
        tracked=tracked,
        rounding=stage.rounding,
        folds_skip=stage.equivalent,
        splits_sums=stage.split_sums,
        own_steps=stage.own_steps,
        wide=stage.wide,
    )


def _sparsity(network: nn.Module, weight: float) -> Callable[[], None]:
    from pocketsr.compress.sparsity import GroupSparsity  # torch-pruning is an extra

    assert isinstance(network, Network)
    return GroupSparsity(network, weight)


#: What the training loop needs to begin a stage of integer arithmetic.
REWRITES: Mapping[str, Rewrite] = {"integer": _rewrite}
#: What it needs for a stage with sparsity.
PENALTIES: Mapping[str, Penalty] = {"sparsity": _sparsity}
