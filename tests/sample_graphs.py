"""Small random graphs that tests of several rooms share."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pocketsr.graph import Add, Concat, Conv2D, DepthToSpace, Graph, Minimum, Op, Quantisation, Relu, Value
from pocketsr.spec import ModelSpec, Precision

PIXELS = Quantisation(1.0, -128)


def abpn_like_graph(
    *,
    scale: int = 3,
    channels: int = 8,
    depth: int = 2,
    precision: Precision = "int8",
    anchor: Literal["conv", "concat"] = "conv",
    seed: int = 0,
) -> Graph:
    """Return the shape of ABPN with random weights: convolutions, an anchor, a sum, depth to space."""
    random = np.random.default_rng(seed)
    integer = precision == "int8"
    image = Value("image", 3, PIXELS if integer else None)
    subpixels = 3 * scale**2
    ops: list[Op] = []
    value = image
    for index, width in enumerate([channels] * depth + [subpixels]):
        value = _conv(random, ops, value, width, f"conv{index}", relu=True)
    residual = _conv(random, ops, value, subpixels, "residual", relu=False, output=Quantisation(1.0, 0))
    copies = Value("anchor", subpixels, image.quantisation)
    if anchor == "concat":
        ops.append(Concat((image,) * scale**2, copies))
    else:
        ops.append(repeat_conv(image, copies))
    total = Value("sum", subpixels, image.quantisation)
    ops.append(Add((residual, copies), total, "none" if integer else "relu"))
    if not integer:
        bounded = Value("bounded", subpixels)
        ops.append(Minimum((total,), bounded, 255.0))
        total = bounded
    output = Value("upscaled", 3, image.quantisation)
    ops.append(DepthToSpace((total,), output, scale))
    return Graph(image, output, tuple(ops))


def repeat_conv(image: Value, copies: Value) -> Conv2D:
    """Return the 1×1 convolution that copies an image several times on the channel axis."""
    weight = np.tile(np.eye(image.channels), (copies.channels // image.channels, 1)).reshape(-1, 1, 1, image.channels)
    if image.quantisation is None:
        return Conv2D((image,), copies, weight.astype(np.float32), np.zeros(copies.channels, np.float32))
    return Conv2D(
        (image,),
        copies,
        (127 * weight).astype(np.int8),
        np.zeros(copies.channels, np.int32),
        np.full(copies.channels, 1 / 127, np.float32),
    )


def random_chain(*, widths: list[int], relus: list[bool], kernels: list[int], precision: Precision, seed: int) -> Graph:
    """Return convolutions one after another, with the given output widths, activations and kernel sizes."""
    random = np.random.default_rng(seed)
    image = Value("image", 3, PIXELS if precision == "int8" else None)
    ops: list[Op] = []
    value = image
    for index, (width, relu, kernel) in enumerate(zip(widths, relus, kernels, strict=True)):
        value = _conv(random, ops, value, width, f"conv{index}", relu=relu, kernel=kernel)
    final = Value("final", value.channels, value.quantisation)
    ops.append(Relu((value,), final))
    return Graph(image, final, tuple(ops))


def spec_for(graph: Graph, *, scale: int = 3, receptive_field: int = 4) -> ModelSpec:
    """Return a spec for a test's graph."""
    return ModelSpec(
        name="test",
        network="test",
        scale=scale,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field,
    )


def _conv(
    random: np.random.Generator,
    ops: list[Op],
    value: Value,
    width: int,
    name: str,
    *,
    relu: bool,
    kernel: int = 3,
    output: Quantisation | None = None,
) -> Value:
    shape = (width, kernel, kernel, value.channels)
    activation = "relu" if relu else "none"
    if value.quantisation is None:
        made = Value(name, width)
        weight = (random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        ops.append(Conv2D((value,), made, weight, random.normal(size=width).astype(np.float32), None, activation))
        return made
    quantisation = output or Quantisation(
        float(random.uniform(0.3, 1.7)), -128 if relu else int(random.integers(-20, 20))
    )
    made = Value(name, width, quantisation)
    weight = random.integers(-127, 128, shape).astype(np.int8)
    weight_scale = random.uniform(0.5, 1.5, width).astype(np.float32) / np.float32(60 * np.sqrt(np.prod(shape[1:])))
    bias = random.integers(-3000, 3000, width).astype(np.int32)
    ops.append(Conv2D((value,), made, weight, bias, weight_scale, activation))
    return made
