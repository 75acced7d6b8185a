"""Tracing what works pixel by pixel: activations, sums, products, constants, and means over the image."""

from __future__ import annotations

import dataclasses
import operator
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from pocketsr.errors import LoweringError
from pocketsr.graph import (
    Add,
    Conv2D,
    DepthToSpace,
    Elementwise,
    GlobalMean,
    LeakyRelu,
    Minimum,
    Multiply,
    PRelu,
    Relu,
    Subtract,
    Value,
)
from pocketsr.graph.base import Array
from pocketsr.graph.ops import Function
from pocketsr.lower.tracer import Signal, Tracer, argument

ADDS = (operator.add, operator.iadd, torch.add)
SUBTRACTS = (operator.sub, operator.isub, torch.sub)
RELUS = (F.relu, torch.relu, "relu")
CLAMPS = (torch.clamp, "clamp")


# -- activations ------------------------------------------------------------------------------------------------------


def relu(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit max(·, 0)."""
    return _clipped_below(tracer, node, tracer.source(node))


def clamp(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit max(·, 0), min(·, bound), or both."""
    low, high = argument(node, 1, "min"), argument(node, 2, "max")
    source = tracer.source(node)
    if low not in (0, None):
        raise LoweringError(f"{node.name}: clamping below is only known at 0, not at {low}")
    if low is not None:
        source = _clipped_below(tracer, node, source)
    if high is not None:
        source = _bounded(tracer, node, source, float(Fraction(high) / source.gain))
    return source


def prelu(tracer: Tracer, node: fx.Node, module: nn.PReLU) -> Signal:
    """Emit a leaky ReLU with a slope for each channel."""
    source = tracer.source(node)
    width = source.value.channels
    slope = np.broadcast_to(module.weight.detach().numpy(), (width,)).astype(np.float32)
    return tracer.emit(PRelu, (source,), node.name, width, slope)


def leaky_relu(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit a leaky ReLU."""
    module = tracer.submodule(node)
    slope = module.negative_slope if module is not None else argument(node, 1, "negative_slope", 0.01)
    source = tracer.source(node)
    return tracer.emit(LeakyRelu, (source,), node.name, source.value.channels, float(slope))  # type: ignore[arg-type]


def elementwise(tracer: Tracer, node: fx.Node, function: Function) -> Signal:
    """Emit a function of real numbers: the gain has to go first."""
    module = tracer.submodule(node)
    approximate = module.approximate if isinstance(module, nn.GELU) else node.kwargs.get("approximate", "none")
    if approximate != "none":
        raise LoweringError(f"{node.name}: only the exact GELU can be lowered, not approximate={approximate!r}")
    source = tracer.rescaled(tracer.source(node), Fraction(1), alone=tracer.is_alone(node.args[0]))
    return tracer.emit(Elementwise, (source,), node.name, source.value.channels, function)


def silu(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit x · sigmoid(x)."""
    source = tracer.rescaled(tracer.source(node), Fraction(1), alone=tracer.is_alone(node.args[0]))
    width = source.value.channels
    gate = tracer.emit(Elementwise, (source,), f"{node.name}_gate", width, "logistic")
    return tracer.emit(Multiply, (source, gate), node.name, width)


def mean(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit the mean over the image."""
    axes, keep = argument(node, 1, "dim"), argument(node, 2, "keepdim", False)
    if not isinstance(axes, list | tuple) or {axis % 4 for axis in axes} != {2, 3} or not keep:
        raise LoweringError(f"{node.name}: a mean can be lowered over height and width, with keepdim=True, only")
    source = tracer.source(node)
    return tracer.emit(GlobalMean, (source,), node.name, source.value.channels)


def _clipped_below(tracer: Tracer, node: fx.Node, source: Signal) -> Signal:
    """Put max(·, 0) on a signal: inside the operator that made it where nobody else looks at it."""
    last = tracer.ops[-1] if tracer.ops else None
    maker = tracer.ops[-2] if isinstance(last, DepthToSpace) and len(tracer.ops) > 1 else last
    is_last = last is not None and last.output == source.value and tracer.is_alone(node.args[0])
    if is_last and isinstance(maker, Conv2D | Add) and maker.activation == "none":
        tracer.replace(maker, dataclasses.replace(maker, activation="relu"))
        return source
    return tracer.emit(Relu, (source,), node.name, source.value.channels)


def _bounded(tracer: Tracer, node: fx.Node, source: Signal, bound: float) -> Signal:
    """Put min(·, bound) on a signal; before depth-to-space, so that a fused ReLU and it stay together."""
    last = tracer.ops[-1]
    if isinstance(last, DepthToSpace) and last.output == source.value and tracer.is_alone(node.args[0]):
        bounded = Value(f"{node.name}_bounded", last.inputs[0].channels)
        tracer.ops[-1:] = [Minimum(last.inputs, bounded, bound), dataclasses.replace(last, inputs=(bounded,))]
        return source
    return tracer.emit(Minimum, (source,), f"{node.name}_bounded", source.value.channels, bound)


# -- sums and products ------------------------------------------------------------------------------------------------


def add(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit a sum, or put a constant into a bias."""
    if node.kwargs.get("alpha", 1) != 1:
        raise LoweringError(f"{node.name}: a sum with alpha cannot be lowered; multiply before")
    for image, other in (node.args, reversed(node.args)):
        constant = tracer.constant(other)
        if constant is not None:
            return _shifted(tracer, node, image, constant)
    left, right = _alike(tracer, node)
    return tracer.emit(Add, (left, right), node.name, left.value.channels)


def subtract(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit a difference, or put a constant into a bias."""
    constant = tracer.constant(node.args[1])
    if constant is not None:
        return _shifted(tracer, node, node.args[0], -constant)
    if tracer.constant(node.args[0]) is not None:
        raise LoweringError(f"{node.name}: a constant less an image cannot be lowered")
    left, right = _alike(tracer, node)
    return tracer.emit(Subtract, (left, right), node.name, left.value.channels)


def scale(tracer: Tracer, node: fx.Node) -> Signal:
    """Carry a constant factor along as a gain, or emit a product of two images."""
    first, second = (tracer.constant(argument) for argument in node.args)
    divides = node.target in (operator.truediv, torch.div)
    if first is None and second is None:
        if divides:
            raise LoweringError(f"{node.name}: division by an image cannot be lowered")
        left, right = (tracer.signal(argument) for argument in node.args)
        product = tracer.emit(Multiply, (left, right), node.name, left.value.channels)
        return Signal(product.value, left.gain * right.gain)
    if second is None and divides:
        raise LoweringError(f"{node.name}: division by an image cannot be lowered")
    source = tracer.signal(node.args[0 if first is None else 1])
    constant = second if first is None else first
    assert constant is not None
    if constant.size != 1 or constant.item() <= 0:
        raise LoweringError(f"{node.name}: a factor must be one number above 0 to be lowered, not {constant}")
    factor = Fraction(constant.item())
    return Signal(source.value, source.gain / factor if divides else source.gain * factor)


def square(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit a value times itself: ``x ** 2``."""
    if node.target in (operator.pow, "pow") and node.args[1] != 2:
        raise LoweringError(f"{node.name}: of powers only the square can be lowered")
    source = tracer.source(node)
    product = tracer.emit(Multiply, (source, source), node.name, source.value.channels)
    return Signal(product.value, source.gain**2)


def _alike(tracer: Tracer, node: fx.Node) -> tuple[Signal, Signal]:
    """Return both images of a sum at one gain: whichever can take it for nothing is rescaled."""
    left, right = (tracer.signal(argument) for argument in node.args)
    left_alone, right_alone = (tracer.is_alone(argument) for argument in node.args)
    if left_alone and not right_alone and tracer.maker(left) is not None:
        return tracer.rescaled(left, right.gain, alone=True), right
    return left, tracer.rescaled(right, left.gain, alone=right_alone)


def _shifted(tracer: Tracer, node: fx.Node, image: Any, constant: Array) -> Signal:
    """Add one number, or one for each channel: in the bias of the convolution before, or by a 1×1 of its own."""
    source = tracer.signal(image)
    width = source.value.channels
    if constant.size not in (1, width) or (constant.size > 1 and constant.shape[-3:] != (width, 1, 1)):
        raise LoweringError(
            f"{node.name}: a constant of shape {constant.shape} is neither a number nor one per channel"
        )
    amount = np.broadcast_to(constant.reshape(-1), (width,))
    maker = tracer.maker(source) if tracer.is_alone(image) else None
    if maker is not None and maker.activation == "none":
        bias = (maker.bias + amount / float(source.gain)).astype(np.float32)
        tracer.replace(maker, dataclasses.replace(maker, bias=bias))
        return source
    return tracer.affine(node.name, source, np.ones(width), amount)
