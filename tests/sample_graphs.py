"""Small random graphs that tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    GlobalMean,
    Graph,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    Op,
    PRelu,
    Quantisation,
    Relu,
    Slice,
    SpaceToDepth,
    Subtract,
    Value,
)
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


def spec_for(graph: Graph, *, scale: int | None = None, receptive_field: int = 4) -> ModelSpec:
    """Return a spec for a test's graph; its scale is the graph's own unless given."""
    return ModelSpec(
        name="test",
        network="test",
        scale=scale or graph.scale,
        channels=graph.input.channels,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field,
    )


def random_image(graph: Graph, height: int, width: int, *, seed: int = 0) -> npt.NDArray[Any]:
    """Return an image ``(1, H, W, C)`` of noise over the full range, as the graph takes it."""
    levels = np.random.default_rng(seed).integers(0, 256, (1, height, width, graph.input.channels))
    return (levels - 128).astype(np.int8) if graph.is_integer else levels.astype(np.float32)


def run_litert(model: bytes, images: Iterable[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Run a model file on images of any sizes, with one interpreter, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    source, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    outputs = []
    for image in images:
        interpreter.resize_tensor_input(source, image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(made))
    return outputs


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
    groups: int = 1,
) -> Value:
    shape = (width, kernel, kernel, value.channels // groups)
    activation = "relu" if relu else "none"
    if value.quantisation is None:
        made = Value(name, width)
        weight = (random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        bias = random.normal(size=width).astype(np.float32)
        ops.append(Conv2D((value,), made, weight, bias, None, activation, groups))
        return made
    quantisation = output or Quantisation(
        float(random.uniform(0.3, 1.7)), -128 if relu else int(random.integers(-20, 20))
    )
    made = Value(name, width, quantisation)
    weight = random.integers(-127, 128, shape).astype(np.int8)
    weight_scale = random.uniform(0.5, 1.5, width).astype(np.float32) / np.float32(60 * np.sqrt(np.prod(shape[1:])))
    offsets = random.integers(-3000, 3000, width).astype(np.int32)
    ops.append(Conv2D((value,), made, weight, offsets, weight_scale, activation, groups))
    return made


def random_graph(*, precision: Precision, seed: int, length: int = 5) -> Graph:
    """Return random operators, each on random earlier values of one size, and depth-to-space at the end."""
    random = np.random.default_rng(seed)
    integer = precision == "int8"
    image = Value("image", 3, PIXELS if integer else None)
    ops: list[Op] = []
    values = [_conv(random, ops, image, 8, "first", relu=True)]
    kinds = ["conv", "grouped", "depthwise", "add", "concat", "slice", "minimum", "relu"]
    for index in range(length):
        kind = str(random.choice(kinds if integer else [*kinds, "prelu", "leaky"]))
        values.append(_random_op(random, ops, values, f"{kind}{index}", kind))
    subpixels = _conv(random, ops, values[-1], 12, "subpixels", relu=False)
    output = Value("upscaled", 3, subpixels.quantisation)
    ops.append(DepthToSpace((subpixels,), output, 2))
    return Graph(image, output, tuple(ops))


def _random_op(random: np.random.Generator, ops: list[Op], values: list[Value], name: str, kind: str) -> Value:
    value = values[int(random.integers(len(values)))]
    relu = bool(random.integers(2))
    if kind in ("conv", "grouped", "depthwise"):
        groups = {"conv": 1, "grouped": 2 if value.channels % 2 == 0 else 1, "depthwise": value.channels}[kind]
        width = value.channels * int(random.integers(1, 3)) if kind == "depthwise" else 8
        return _conv(random, ops, value, width, name, relu=relu, kernel=int(random.choice([1, 3, 5])), groups=groups)
    if kind == "add":
        other = next(candidate for candidate in values if candidate.channels == value.channels)
        quantisation = None
        if value.quantisation is not None:
            quantisation = Quantisation(float(random.uniform(0.3, 3)), int(random.integers(-128, 128)))
        made = Value(name, value.channels, quantisation)
        ops.append(Add((value, other), made, "relu" if relu else "none"))
    elif kind == "concat":
        alike = [candidate for candidate in values if candidate.quantisation == value.quantisation][:3]
        made = Value(name, sum(candidate.channels for candidate in alike), value.quantisation)
        ops.append(Concat(tuple(alike), made))
    elif kind == "slice":
        start = int(random.integers(value.channels))
        made = Value(name, int(random.integers(1, value.channels - start + 1)), value.quantisation)
        ops.append(Slice((value,), made, start))
    else:
        made = Value(name, value.channels, value.quantisation)
        slope = random.uniform(0, 0.5, value.channels).astype(np.float32)
        if kind == "minimum":
            ops.append(Minimum((value,), made, float(random.uniform(0.5, 100))))
        elif kind == "relu":
            ops.append(Relu((value,), made))
        elif kind == "prelu":
            ops.append(PRelu((value,), made, slope))
        else:
            ops.append(LeakyRelu((value,), made, float(slope[0])))
    return made


def attention_graph() -> Graph:
    """Return every operator that exists in float only and is not in ``random_graph``, one after another.

    Mirror padding and a valid convolution, a channel attention from mean and deviation, and a detour through half size.
    """
    random = np.random.default_rng(0)
    image = Value("image", 3)
    ops: list[Op] = []

    def emit(kind: type[Op], inputs: tuple[Value, ...], name: str, *arguments: Any, channels: int = 0) -> Value:
        made = Value(name, channels or inputs[0].channels)
        ops.append(kind(inputs, made, *arguments))
        return made

    scaled = emit(Conv2D, (image,), "scaled", np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3) / 64, _zeros(3))
    value = scaled
    for mirror, amount in (("symmetric", 2), ("reflect", 1)):
        padded = emit(MirrorPad, (value,), mirror, amount, mirror)
        weight = (random.normal(size=(3, 2 * amount + 1, 2 * amount + 1, 3)) / 8).astype(np.float32)
        made = Value(f"valid_{mirror}", 3)
        ops.append(Conv2D((padded,), made, weight, _zeros(3), padding="valid"))
        value = made
    mean = emit(GlobalMean, (value,), "mean")
    centred = emit(Subtract, (value, mean), "centred")
    square = emit(Multiply, (centred, centred), "square")
    deviation = emit(Elementwise, (emit(GlobalMean, (square,), "variance"),), "deviation", "sqrt")
    attention = emit(Elementwise, (emit(Add, (deviation, mean), "contrast"),), "attention", "logistic")
    value = emit(Multiply, (value, attention), "attended")
    for function in ("tanh", "gelu"):
        value = emit(Elementwise, (value,), function, function)
    large = Value("large", 3)
    copies = Value("copies", 12)
    ops += [repeat_conv(value, copies), DepthToSpace((copies,), large, 2)]
    small = emit(SpaceToDepth, (large,), "small", 2, channels=12)
    emit(DepthToSpace, (small,), "upscaled", 2, channels=3)
    return Graph(image, ops[-1].output, tuple(ops))


def _zeros(count: int) -> npt.NDArray[np.float32]:
    return np.zeros(count, np.float32)
