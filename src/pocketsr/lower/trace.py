"""Tracing: a folded torch network becomes a float graph.

Before: a network from 0..1 to 0..1 built of convolutions, ReLU, sums, concatenation, pixel shuffle and multiplication
by constants. After: a graph from 0..255 to 0..255 that computes the same image, and holds no operator that only
rescales or reorders:

- constants are carried along as a gain and vanish, because convolutions and ReLU are homogeneous: only biases change;
- torch's pixel shuffle wants colours outside sub-pixels, depth-to-space the other way round: the order is pushed back
  into the output channels of the convolutions before it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from pocketsr.blocks import Network
from pocketsr.errors import LoweringError
from pocketsr.graph import Add, Concat, Conv2D, DepthToSpace, Graph, Minimum, Op, Relu, Value
from pocketsr.graph.base import Array
from pocketsr.graph.ops import Activation

#: How an image repeated on the channel axis is written: XNNPACK runs a 1×1 convolution of ones 5 ms faster per 1080p
#: frame than a concatenation of nine inputs, which it does not take; phones may prefer the concatenation.
Repeat: TypeAlias = Literal["conv", "concat"]


def trace(network: Network, *, repeat: Repeat = "conv") -> Graph:
    """Return the float graph of a network; the network is folded first and left as it was.

    Args:
        network: From ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``, both 0..1.
        repeat: How repeated pixels (ABPN's anchor, nearest-neighbour upscaling) are written.

    Returns:
        A graph from ``(1, H, W, 3)`` to ``(1, sH, sW, 3)``, both 0..255, for any H and W.

    Raises:
        LoweringError: The network does something that has no form in a graph.
    """
    folded = network.folded().eval()
    return _Tracer(fx.symbolic_trace(folded), repeat).graph()


@dataclasses.dataclass(frozen=True)
class _Signal:
    """What a torch value is in the graph: ``gain`` times a graph value."""

    value: Value
    gain: Fraction


class _Tracer:
    """Walks torch's nodes in order and emits operators."""

    def __init__(self, module: fx.GraphModule, repeat: Repeat) -> None:
        self._module, self._repeat = module, repeat
        self._ops: list[Op] = []
        self._signals: dict[fx.Node, _Signal] = {}
        self._input = Value("image", 3)
        #: Nodes whose channels are emitted in depth-to-space order, with the scale of that order.
        self._reordered: dict[fx.Node, int] = {}

    def graph(self) -> Graph:
        nodes = list(self._module.graph.nodes)
        for node in nodes:
            if _is_call(node, F.pixel_shuffle, nn.PixelShuffle, self._module):
                self._push_order_back(node.args[0], _shuffle_factor(node, self._module))
        for node in nodes:
            if node.op == "placeholder":
                self._signals[node] = _Signal(self._input, Fraction(1, 255))
            elif node.op == "output":
                return self._finish(self._signals[node.args[0]])
            elif node.op != "get_attr":
                self._signals[node] = self._emit(node)
        raise LoweringError("the network has no output")

    def _finish(self, signal: _Signal) -> Graph:
        if signal.gain != Fraction(1, 255):
            signal = self._rescaled(signal, Fraction(1, 255))
        return Graph(self._input, signal.value, tuple(self._ops))

    # -- one node --------------------------------------------------------------------------------------------------

    def _emit(self, node: fx.Node) -> _Signal:
        target = node.target
        if node.op == "call_module":
            module = self._module.get_submodule(str(target))
            if isinstance(module, nn.Conv2d):
                return self._conv(node, module)
            if isinstance(module, nn.ReLU):
                return self._relu(node)
            if isinstance(module, nn.PixelShuffle):
                return self._shuffle(node, module.upscale_factor)
            raise self._unknown(type(module).__name__)
        for functions, method in _FUNCTIONS:
            if target in functions:
                return method(self, node)
        raise self._unknown(str(target))

    def _conv(self, node: fx.Node, conv: nn.Conv2d) -> _Signal:
        height, width = conv.kernel_size
        if conv.stride != (1, 1) or conv.dilation != (1, 1) or conv.padding_mode != "zeros":
            raise LoweringError(f"{node.target}: only convolutions of stride 1 with zero padding can be lowered")
        if conv.padding not in ((height // 2, width // 2), "same"):
            raise LoweringError(f"{node.target}: padding {conv.padding} does not keep the size of the image")
        source = self._signals[_first(node)]
        weight = conv.weight.detach().double().numpy().transpose(0, 2, 3, 1)
        bias = np.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach().double().numpy()
        order = self._order_of(node, conv.out_channels)
        weight, bias = weight[order], bias[order] / float(source.gain)
        output = Value(_name(node), conv.out_channels)
        self._ops.append(Conv2D((source.value,), output, _float32(weight), _float32(bias), None, "none", conv.groups))
        return _Signal(output, source.gain)

    def _relu(self, node: fx.Node) -> _Signal:
        return self._clip_below(node, self._signals[_first(node)])

    def _clip_below(self, node: fx.Node, source: _Signal) -> _Signal:
        """Put max(·, 0) on a signal: inside the operator that made it where nobody else looks at it."""
        last = self._ops[-1] if self._ops else None
        alone = len(_first(node).users) == 1
        shuffle = last if isinstance(last, DepthToSpace) else None
        maker = self._ops[-2] if shuffle is not None and len(self._ops) > 1 else last
        if alone and maker is not None and last is not None and last.output == source.value:
            fused = _with_relu(maker)
            if fused is not None:
                self._ops[self._ops.index(maker)] = fused
                return source
        output = Value(_name(node), source.value.channels)
        self._ops.append(Relu((source.value,), output))
        return _Signal(output, source.gain)

    def _clamp(self, node: fx.Node) -> _Signal:
        low, high = _argument(node, 1, "min"), _argument(node, 2, "max")
        source = self._signals[_first(node)]
        if low not in (0, None):
            raise LoweringError(f"{node.name}: clamping below is only known at 0, not at {low}")
        if low is not None:
            source = self._clip_below(node, source)
        if high is not None:
            source = self._minimum(node, source, float(Fraction(high) / source.gain))
        return source

    def _minimum(self, node: fx.Node, source: _Signal, bound: float) -> _Signal:
        """Put min(·, bound) on a signal; before depth-to-space, so that a fused ReLU and it stay together."""
        last = self._ops[-1]
        if isinstance(last, DepthToSpace) and last.output == source.value and len(_first(node).users) == 1:
            bounded = Value(_name(node), last.inputs[0].channels)
            self._ops[-1:] = [Minimum(last.inputs, bounded, bound), dataclasses.replace(last, inputs=(bounded,))]
            return source
        bounded = Value(_name(node), source.value.channels)
        self._ops.append(Minimum((source.value,), bounded, bound))
        return _Signal(bounded, source.gain)

    def _add(self, node: fx.Node) -> _Signal:
        if not all(isinstance(argument, fx.Node) for argument in node.args):
            raise LoweringError(f"{node.name}: adding a constant cannot be lowered; put it into a bias")
        left, right = (self._signals[argument] for argument in node.args if isinstance(argument, fx.Node))
        if left.gain != right.gain:
            right = self._rescaled(right, left.gain)
        output = Value(_name(node), left.value.channels)
        self._ops.append(Add((left.value, right.value), output))
        return _Signal(output, left.gain)

    def _scale(self, node: fx.Node) -> _Signal:
        constants = [argument for argument in node.args if isinstance(argument, int | float)]
        if len(constants) != 1:
            raise LoweringError(f"{node.name}: only multiplication and division by a constant can be lowered")
        source = self._signals[next(argument for argument in node.args if isinstance(argument, fx.Node))]
        factor = Fraction(constants[0])
        if node.target in (operator.truediv, torch.div):
            if not isinstance(node.args[0], fx.Node):
                raise LoweringError(f"{node.name}: division by an image cannot be lowered")
            factor = 1 / factor
        if factor <= 0:
            raise LoweringError(f"{node.name}: multiplication by {constants[0]} cannot be lowered; it must be above 0")
        return _Signal(source.value, source.gain * factor)

    def _cat(self, node: fx.Node) -> _Signal:
        parts, axis = node.args[0], _argument(node, 1, "dim")
        if axis not in (1, -3) or not isinstance(parts, list | tuple):
            raise LoweringError(f"{node.name}: concatenation can be lowered on the channel axis only")
        signals = [self._signals[part] for part in parts if isinstance(part, fx.Node)]
        signals = [signals[0], *(self._rescaled(signal, signals[0].gain) for signal in signals[1:])]
        output = Value(_name(node), sum(signal.value.channels for signal in signals))
        self._ops.append(Concat(tuple(signal.value for signal in signals), output))
        return _Signal(output, signals[0].gain)

    def _repeat_interleave(self, node: fx.Node) -> _Signal:
        copies, axis = _argument(node, 1, "repeats"), _argument(node, 2, "dim")
        source = self._signals[_first(node)]
        if axis != 1:
            raise LoweringError(f"{node.name}: repeating can be lowered on the channel axis only")
        order = self._order_of(node, source.value.channels * copies)
        return self._repeated(_name(node), source, np.repeat(np.arange(source.value.channels), copies)[order])

    def _repeated(self, name: str, source: _Signal, channels: Array) -> _Signal:
        """Emit output channel k = input channel ``channels[k]``."""
        width = source.value.channels
        output = Value(name, len(channels))
        whole = len(channels) % width == 0 and bool(
            np.all(channels == np.tile(np.arange(width), len(channels) // width))
        )
        if self._repeat == "concat" and whole:
            self._ops.append(Concat((source.value,) * (len(channels) // width), output))
        else:
            weight = np.eye(width)[channels].reshape(len(channels), 1, 1, width)
            self._ops.append(Conv2D((source.value,), output, _float32(weight), np.zeros(len(channels), np.float32)))
        return _Signal(output, source.gain)

    def _shuffle_function(self, node: fx.Node) -> _Signal:
        return self._shuffle(node, _argument(node, 1, "upscale_factor"))

    def _shuffle(self, node: fx.Node, factor: int) -> _Signal:
        before = _first(node)
        source = self._signals[before]
        if before not in self._reordered:
            order = _depth_to_space_order(source.value.channels, factor)
            source = self._repeated(f"{_name(node)}_order", source, order)
        return self._to_space(_name(node), source, factor)

    def _to_space(self, name: str, source: _Signal, factor: int) -> _Signal:
        output = Value(name, source.value.channels // factor**2)
        self._ops.append(DepthToSpace((source.value,), output, factor))
        return _Signal(output, source.gain)

    def _interpolate(self, node: fx.Node) -> _Signal:
        factor, method = node.kwargs.get("scale_factor"), node.kwargs.get("mode", "nearest")
        if method != "nearest" or not isinstance(factor, int | float) or factor != int(factor):
            raise LoweringError(f"{node.name}: only nearest-neighbour enlarging by a whole factor can be lowered")
        source = self._signals[_first(node)]
        copies = np.tile(np.arange(source.value.channels), int(factor) ** 2)
        return self._to_space(_name(node), self._repeated(f"{_name(node)}_copies", source, copies), int(factor))

    def _rescaled(self, signal: _Signal, gain: Fraction) -> _Signal:
        """Return the same signal as ``gain`` times a value, by a 1×1 convolution where the gains differ."""
        if signal.gain == gain:
            return signal
        width = signal.value.channels
        output = Value(f"{signal.value.name}_rescaled", width)
        weight = np.eye(width).reshape(width, 1, 1, width) * float(signal.gain / gain)
        self._ops.append(Conv2D((signal.value,), output, _float32(weight), np.zeros(width, np.float32)))
        return _Signal(output, gain)

    # -- channel order ---------------------------------------------------------------------------------------------

    def _push_order_back(self, node: Any, factor: int) -> None:
        """Mark the nodes that can make their channels in depth-to-space order, if all that lead here can."""
        marks: dict[fx.Node, int] = {}
        if self._can_reorder(node, factor, marks):
            self._reordered.update(marks)

    def _can_reorder(self, node: Any, factor: int, marks: dict[fx.Node, int]) -> bool:
        if not isinstance(node, fx.Node) or len(node.users) != 1:
            return False
        marks[node] = factor
        if node.op == "call_module":
            module = self._module.get_submodule(str(node.target))
            if isinstance(module, nn.Conv2d):
                return module.groups == 1
            return isinstance(module, nn.ReLU) and self._can_reorder(_first(node), factor, marks)
        if node.target == "repeat_interleave":
            return True
        if node.target in _CHANNELWISE:
            sources = [argument for argument in node.args if isinstance(argument, fx.Node)]
            return all(self._can_reorder(source, factor, marks) for source in sources)
        return False

    def _order_of(self, node: fx.Node, channels: int) -> Array:
        """Return for each channel to emit the channel that torch has there."""
        factor = self._reordered.get(node)
        return np.arange(channels) if factor is None else _depth_to_space_order(channels, factor)

    @staticmethod
    def _unknown(what: str) -> LoweringError:
        return LoweringError(f"a graph has no operator for {what}; see pocketsr.lower.trace for those it has")


_ADDS = (operator.add, operator.iadd, torch.add)
_SCALES = (operator.mul, operator.truediv, torch.mul, torch.div)
_RELUS = (F.relu, torch.relu, "relu")
_CLAMPS = (torch.clamp, "clamp")
_CHANNELWISE = (*_ADDS, *_SCALES, *_RELUS, *_CLAMPS)
_FUNCTIONS: tuple[tuple[tuple[Any, ...], Callable[[_Tracer, fx.Node], _Signal]], ...] = (
    (_ADDS, _Tracer._add),
    (_SCALES, _Tracer._scale),
    (_RELUS, _Tracer._relu),
    (_CLAMPS, _Tracer._clamp),
    ((torch.cat, torch.concat), _Tracer._cat),
    (("repeat_interleave", torch.repeat_interleave), _Tracer._repeat_interleave),
    ((F.pixel_shuffle,), _Tracer._shuffle_function),
    ((F.interpolate,), _Tracer._interpolate),
)


def _depth_to_space_order(channels: int, factor: int) -> Array:
    """Return for channel k in TensorFlow's order its place in torch's: (k mod C)·s² + k div C."""
    colours = channels // factor**2
    k = np.arange(channels)
    return (k % colours) * factor**2 + k // colours


def _with_relu(op: Op) -> Op | None:
    relu: Activation = "relu"
    if isinstance(op, Conv2D | Add) and op.activation == "none":
        return dataclasses.replace(op, activation=relu)
    return None


def _first(node: fx.Node) -> fx.Node:
    first = node.args[0]
    if not isinstance(first, fx.Node):
        raise LoweringError(f"{node.name}: an image is needed as first argument, not {first!r}")
    return first


def _argument(node: fx.Node, position: int, name: str) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name)


def _is_call(node: fx.Node, function: Any, module_type: type[nn.Module], module: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return isinstance(module.get_submodule(str(node.target)), module_type)
    return node.target is function


def _shuffle_factor(node: fx.Node, module: fx.GraphModule) -> int:
    if node.op == "call_module":
        return int(module.get_submodule(str(node.target)).upscale_factor)  # type: ignore[arg-type]
    return int(_argument(node, 1, "upscale_factor"))


def _name(node: fx.Node) -> str:
    return node.name


def _float32(array: Any) -> Array:
    return np.ascontiguousarray(array, np.float32)
