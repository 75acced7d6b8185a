"""The state of tracing: what each torch value is in the graph so far, and the operators emitted for it.

Constants in front of an image are not operators: a torch value is ``gain`` times a graph value. Convolutions, ReLU and
their kin are homogeneous, so the gain travels through them and only biases change; where real numbers are needed
(sigmoid) it goes into the weights of the convolution before.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx, nn

from pocketsr.errors import LoweringError
from pocketsr.graph import Conv2D, Op, Value
from pocketsr.graph.base import Array
from pocketsr.graph.ops import Padding
from pocketsr.lower.order import Order

#: How an image repeated on the channel axis is written: XNNPACK runs a 1×1 convolution of ones 5 ms faster per 1080p
#: frame than a concatenation of nine inputs, which it does not take; phones may prefer the concatenation.
Repeat: TypeAlias = Literal["conv", "concat"]

SCALES = (operator.mul, operator.imul, operator.truediv, torch.mul, torch.div)


@dataclasses.dataclass(frozen=True)
class Signal:
    """What a torch value is in the graph: ``gain`` times a graph value."""

    value: Value
    gain: Fraction


class Tracer:
    """Operators emitted so far, and the signal of every torch node.

    Attributes:
        module: The network as torch.fx has it.
        repeat: How repeated pixels are written.
        ops: Operators so far.
        signals: What each node is; nodes that hold several values (a split) hold several signals.
        orders: The order for nodes that make their channels in another than torch's.
    """

    def __init__(self, module: fx.GraphModule, image: Value, repeat: Repeat) -> None:
        self.module, self.image, self.repeat = module, image, repeat
        self.ops: list[Op] = []
        self.signals: dict[fx.Node, Signal | tuple[Signal, ...]] = {}
        self.orders: dict[fx.Node, Order] = {}

    # -- looking ---------------------------------------------------------------------------------------------------

    def signal(self, node: Any) -> Signal:
        """Return what a node is.

        Raises:
            LoweringError: It is no image.
        """
        signal = self.signals.get(node) if isinstance(node, fx.Node) else None
        if not isinstance(signal, Signal):
            raise LoweringError(f"an image is needed where {node!r} stands")
        return signal

    def source(self, node: fx.Node) -> Signal:
        """Return what a node's first argument is."""
        return self.signal(node.args[0])

    def constant(self, argument: Any) -> Array | None:
        """Return a number, or a constant tensor of the network, in double precision; None for an image."""
        if isinstance(argument, bool):
            return None
        if isinstance(argument, int | float):
            return np.asarray(float(argument))
        if isinstance(argument, fx.Node) and argument.op == "get_attr":
            tensor = operator.attrgetter(str(argument.target))(self.module)
            assert isinstance(tensor, Tensor)
            return np.asarray(tensor.detach().double().numpy())
        return None

    def submodule(self, node: fx.Node) -> nn.Module | None:
        """Return the module that a node calls, None where it calls none."""
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def is_alone(self, node: Any) -> bool:
        """Whether nobody but the node that asks looks at a node's value, so that what makes it may change."""
        if not isinstance(node, fx.Node) or len(node.users) != 1:
            return False
        return node.target not in SCALES or all(
            self.is_alone(argument) for argument in node.args if isinstance(argument, fx.Node)
        )

    # -- emitting --------------------------------------------------------------------------------------------------

    def emit(self, kind: type[Op], inputs: Sequence[Signal], name: str, channels: int, *arguments: Any) -> Signal:
        """Append an operator whose output has the first input's gain."""
        output = Value(name, channels)
        self.ops.append(kind(tuple(signal.value for signal in inputs), output, *arguments))
        return Signal(output, inputs[0].gain)

    def convolve(
        self,
        name: str,
        source: Signal,
        weight: Array,
        bias: Array | None = None,
        *,
        groups: int = 1,
        padding: Padding = "same",
    ) -> Signal:
        """Append a convolution with weights ``(O, kh, kw, I / groups)`` and biases in the network's real numbers."""
        bias = np.zeros(len(weight)) if bias is None else bias / float(source.gain)
        weight, bias = (np.ascontiguousarray(array, np.float32) for array in (weight, bias))
        return self.emit(Conv2D, (source,), name, len(weight), weight, bias, None, "none", groups, padding)

    def pick(self, name: str, source: Signal, channels: Array) -> Signal:
        """Append the convolution that makes output channel k of input channel ``channels[k]``."""
        return self.convolve(name, source, np.eye(source.value.channels)[channels][:, None, None, :])

    def affine(self, name: str, source: Signal, factor: Array, offset: Array | None = None) -> Signal:
        """Append channel by channel a factor and an offset, as a depthwise 1×1 convolution."""
        width = source.value.channels
        return self.convolve(name, source, factor.reshape(width, 1, 1, 1), offset, groups=width)

    def rescaled(self, signal: Signal, gain: Fraction, *, alone: bool = False) -> Signal:
        """Return a signal as ``gain`` times a value: by the weights that made it if it is alone, else by a 1×1."""
        if signal.gain == gain:
            return signal
        factor = float(signal.gain / gain)
        maker = self.maker(signal) if alone else None
        if maker is not None:
            weight, bias = (array * np.float32(factor) for array in (maker.weight, maker.bias))
            self.replace(maker, dataclasses.replace(maker, weight=weight, bias=bias))
            return Signal(signal.value, gain)
        scaled = self.affine(f"{signal.value.name}_rescaled", signal, np.full(signal.value.channels, factor))
        return dataclasses.replace(scaled, gain=gain)

    def maker(self, signal: Signal) -> Conv2D | None:
        """Return the convolution that made a signal, None if something else did."""
        made = [op for op in self.ops if op.output == signal.value]
        return made[0] if made and isinstance(made[0], Conv2D) else None

    def replace(self, old: Op, new: Op) -> None:
        """Put an operator in the place of another."""
        self.ops[next(index for index, op in enumerate(self.ops) if op is old)] = new


def argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    """Return an argument given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)
