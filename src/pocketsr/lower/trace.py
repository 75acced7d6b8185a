"""Tracing: a folded torch network becomes a float graph.

Before: a network from 0..1 to 0..1 built of what the tables below know. After: a graph from 0..255 to 0..255 that
computes the same image, and holds no operator that only rescales; what only reorders is pushed into the weights where
it can be. How each is written stands in ``convolutions``, ``pointwise`` and ``channels``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from pocketsr.blocks import BicubicUpsample, Network
from pocketsr.errors import LoweringError
from pocketsr.graph import Graph, Value
from pocketsr.lower import channels, convolutions, pointwise
from pocketsr.lower.tracer import SCALES, Repeat, Signal, Tracer

#: Modules that are lowered as a whole.
_LEAVES = (BicubicUpsample,)


def trace(network: Network, *, repeat: Repeat = "conv") -> Graph:
    """Return the float graph of a network; the network is folded first and left as it was.

    Args:
        network: From ``(N, C, H, W)`` to ``(N, C, sH, sW)``, both 0..1.
        repeat: How repeated pixels (ABPN's anchor) are written: a 1×1 convolution, or a concatenation.

    Returns:
        A graph from ``(1, H, W, C)`` to ``(1, sH, sW, C)``, both 0..255, for any H and W.

    Raises:
        LoweringError: The network does something that has no form in a graph.
    """
    folded = network.folded().eval()
    module = fx.GraphModule(folded, _LeafTracer().trace(folded))
    image = Value("image", network.channels)
    tracer = Tracer(module, image, repeat)
    nodes = list(module.graph.nodes)
    channels.plan_orders(tracer, nodes)
    for node in nodes:
        if node.op == "placeholder":
            tracer.signals[node] = Signal(image, Fraction(1, 255))
        elif node.op == "output":
            output = tracer.rescaled(tracer.source(node), Fraction(1, 255), alone=tracer.is_alone(node.args[0]))
            return Graph(image, output.value, tuple(tracer.ops))
        elif node.op != "get_attr":
            tracer.signals[node] = _emit(tracer, node)
    raise LoweringError("the network has no output")


class _LeafTracer(fx.Tracer):
    """Looks into our own modules, except those that are lowered as a whole."""

    def is_leaf_module(self, module: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(module, _LEAVES) or super().is_leaf_module(module, module_qualified_name)


def _emit(tracer: Tracer, node: fx.Node) -> Signal | tuple[Signal, ...]:
    module = tracer.submodule(node)
    if module is not None:
        for kind, emit_module in _MODULES:
            if isinstance(module, kind):
                return emit_module(tracer, node, module)
        raise _unknown(type(module).__name__)
    for targets, emit in _FUNCTIONS:
        if node.target in targets:
            return emit(tracer, node)
    raise _unknown(str(node.target))


def _unknown(what: str) -> LoweringError:
    return LoweringError(f"a graph has no operator for {what}; see pocketsr.lower.trace for those it has")


_MODULES: tuple[tuple[type[nn.Module], Callable[[Tracer, fx.Node, Any], Signal]], ...] = (
    (nn.Conv2d, convolutions.convolution),
    (nn.ConvTranspose2d, convolutions.transposed),
    (BicubicUpsample, convolutions.bicubic),
    (nn.ReLU, lambda tracer, node, _: pointwise.relu(tracer, node)),
    (nn.PReLU, pointwise.prelu),
    (nn.LeakyReLU, lambda tracer, node, _: pointwise.leaky_relu(tracer, node)),
    (nn.Tanh, lambda tracer, node, _: pointwise.elementwise(tracer, node, "tanh")),
    (nn.Sigmoid, lambda tracer, node, _: pointwise.elementwise(tracer, node, "logistic")),
    (nn.GELU, lambda tracer, node, _: pointwise.elementwise(tracer, node, "gelu")),
    (nn.SiLU, lambda tracer, node, _: pointwise.silu(tracer, node)),
    (nn.Identity, lambda tracer, node, _: tracer.source(node)),
    (nn.PixelShuffle, lambda tracer, node, _: channels.shuffle(tracer, node)),
    (nn.PixelUnshuffle, lambda tracer, node, _: channels.unshuffle(tracer, node)),
)
_FUNCTIONS: tuple[tuple[tuple[Any, ...], Callable[[Tracer, fx.Node], Signal | tuple[Signal, ...]]], ...] = (
    (pointwise.ADDS, pointwise.add),
    (pointwise.SUBTRACTS, pointwise.subtract),
    (SCALES, pointwise.scale),
    ((operator.pow, torch.square, "square", "pow"), pointwise.square),
    (pointwise.RELUS, pointwise.relu),
    (pointwise.CLAMPS, pointwise.clamp),
    ((F.leaky_relu,), pointwise.leaky_relu),
    ((torch.tanh, F.tanh, "tanh"), lambda tracer, node: pointwise.elementwise(tracer, node, "tanh")),
    ((torch.sigmoid, F.sigmoid, "sigmoid"), lambda tracer, node: pointwise.elementwise(tracer, node, "logistic")),
    ((F.gelu,), lambda tracer, node: pointwise.elementwise(tracer, node, "gelu")),
    ((F.silu,), pointwise.silu),
    ((torch.sqrt, "sqrt"), lambda tracer, node: pointwise.elementwise(tracer, node, "sqrt")),
    ((torch.mean, "mean"), pointwise.mean),
    ((torch.cat, torch.concat), channels.concatenation),
    ((torch.split, "split"), channels.split),
    ((torch.chunk, "chunk"), channels.chunk),
    ((operator.getitem,), channels.item),
    (("repeat_interleave", torch.repeat_interleave), channels.repeat_interleave),
    (("repeat",), channels.repeat),
    ((F.pixel_shuffle,), channels.shuffle),
    ((F.pixel_unshuffle,), channels.unshuffle),
    ((F.interpolate,), convolutions.interpolate),
    ((F.pad,), convolutions.pad),
)
