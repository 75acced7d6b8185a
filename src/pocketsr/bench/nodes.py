"""Single operators as graphs of their own, on outputs of 1080×1920: the table from which ABPN's design was read.

Its paper (Table 1) times each operator a network might be made of on a phone's accelerator and keeps the cheap ones.
Here the same operators run on this machine, written by our own writer, beside the paper's column. The paper does not
say its widths; here an image of 3 channels goes in and out, and int8 as in the paper where an operator has it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pocketsr.bench.bare import bare
from pocketsr.bench.costs import costs
from pocketsr.bench.latency import Timing, interleaved
from pocketsr.bench.record import NodeTime
from pocketsr.errors import ModelFileError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    GlobalMean,
    Graph,
    LeakyRelu,
    MirrorPad,
    Multiply,
    Op,
    Quantisation,
    Relu,
    Slice,
    Value,
)
from pocketsr.graph.base import Array, Size

#: Milliseconds of ABPN's Table 1, on Synaptics' Dolphin NPU. Our graphs have no global maximum.
ABPN_TABLE_1: Mapping[str, float] = {
    "split": 9.8,
    "concat": 10.4,
    "add": 5.2,
    "mul": 9.6,
    "global max pool": 20.0,
    "global average pool": 13.1,
    "conv 3×3": 4.3,
    "conv 1×1": 2.9,
    "ReLU": 1.3,
    "leaky ReLU": 3.6,
    "nearest ×3": 57.6,
    "bilinear ×3": 75.4,
}
#: Output of the table, and the input that ×3 makes it of.
LARGE, SMALL = (1080, 1920), (360, 640)
_FACTOR = 3
_PIXELS = Quantisation(1.0, -128)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Node:
    """One operator to time.

    Attributes:
        name: In tables.
        graph: It alone, or the few operators that our files write it as.
        size: (height, width) of its input.
    """

    name: str
    graph: Graph
    size: Size


def abpn_nodes(large: Size = LARGE, small: Size = SMALL) -> tuple[Node, ...]:
    """Return the operators of the table, in its order, and depth-to-space.

    Args:
        large: (height, width) of outputs.
        small: Of the inputs that are enlarged by 3.
    """
    rows = [
        ("split", _graph(6, lambda x: (Slice((x,), _like(x, 3), 3),)), large),
        ("concat", _graph(3, lambda x: (Concat((x, x), _like(x, 6)),)), large),
        ("add", _graph(3, lambda x: (Add((x, x), Value("y", 3, Quantisation(2.0, -128))),)), large),
        ("mul", _graph(3, lambda x: (Multiply((x, x), Value("y", 3, Quantisation(255.0, -128))),)), large),
        ("global average pool", _graph(3, lambda x: (GlobalMean((x,), _like(x, 3)),), integer=False), large),
        ("conv 3×3", _graph(3, lambda x: (convolution(x, 3, 3),)), large),
        ("conv 1×1", _graph(3, lambda x: (convolution(x, 3, 1),)), large),
        ("ReLU", _graph(3, lambda x: (Relu((x,), _like(x, 3)),)), large),
        ("leaky ReLU", _graph(3, lambda x: (LeakyRelu((x,), _like(x, 3), 0.1),)), large),
        ("nearest ×3", _graph(3, _nearest), small),
        ("bilinear ×3", _graph(3, _bilinear), small),
        ("depth to space ×3", _graph(27, lambda x: (DepthToSpace((x,), _like(x, 3), _FACTOR),)), small),
    ]
    return tuple(Node(name=name, graph=graph, size=size) for name, graph, size in rows)


def time_nodes(
    nodes: Sequence[Node],
    *,
    backend: str,
    threads: int,
    runs: int,
    on_step: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[tuple[NodeTime, ...], Mapping[str, str]]:
    """Time operators, each by itself.

    Args:
        nodes: What to time.
        backend: ``litert`` or ``openvino``.
        threads: Processor threads.
        runs: Counted runs of each.
        on_step: Told in words what comes next.
        clock: Seconds, for tests.

    Returns:
        Times, and for operators that the backend cannot run the reason.

    Raises:
        UnknownNameError: The backend has no form without pixels.
        MissingExtraError: Its package is not installed.
    """
    found, failed = [], {}
    for node in nodes:
        on_step(node.name)
        try:
            run = bare(node.graph, node.size, backend=backend, threads=threads)
            timing: Timing = interleaved({node.name: run}, runs=runs, clock=clock)[node.name]
        except ModelFileError as error:
            failed[node.name] = str(error).splitlines()[0]
            continue
        of_all = costs(node.graph, node.size)
        found.append(
            NodeTime(
                node=node.name,
                backend=backend,
                precision=node.graph.precision,
                timing=timing,
                gmacs=sum(one.macs for one in of_all) / 1e9,
                moved_mb=sum(one.moved_bytes for one in of_all) / 1e6,
            )
        )
    return tuple(found), failed


def convolution(source: Value, width: int, kernel: int, *, name: str = "y", groups: int = 1) -> Conv2D:
    """Return a convolution of random weights, in the arithmetic of its input.

    Args:
        source: What it takes.
        width: Channels that it makes.
        kernel: Its side.
        name: Of what it makes.
        groups: Independent parts.
    """
    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (width, kernel, kernel, source.channels // groups))
    made = _like(source, width, name)
    if source.quantisation is None:
        scaled = (weight / (127 * np.sqrt(weight[0].size))).astype(np.float32)
        return Conv2D((source,), made, scaled, np.zeros(width, np.float32), None, "relu", groups)
    scale = np.full(width, 1 / (127 * weight[0].size), np.float32)
    return Conv2D((source,), made, weight.astype(np.int8), np.zeros(width, np.int32), scale, "relu", groups)


def _graph(channels: int, make: Callable[[Value], Sequence[Op]], *, integer: bool = True) -> Graph:
    source = Value("x", channels, _PIXELS if integer else None)
    ops = tuple(make(source))
    return Graph(source, ops[-1].output, ops)


def _like(value: Value, channels: int, name: str = "y") -> Value:
    return Value(name, channels, value.quantisation)


def _nearest(image: Value) -> Sequence[Op]:
    """As our files write it: each pixel nine times side by side, then depth to space."""
    copies = _fixed(image, np.tile(np.eye(3), (_FACTOR**2, 1)).reshape(-1, 1, 1, 3), "copies")
    return copies, DepthToSpace((copies.output,), _like(image, 3), _FACTOR)


def _bilinear(image: Value) -> Sequence[Op]:
    """As our files write it: the border repeated, a 3×3 convolution to sub-pixels, then depth to space."""
    offset = (np.arange(_FACTOR) + 0.5) / _FACTOR - 0.5
    row = np.stack([np.maximum(0, -offset), 1 - np.abs(offset), np.maximum(0, offset)], axis=1)
    phases = np.einsum("ay,bx->abyx", row, row).reshape(-1, 3, 3)
    weight = np.einsum("pyx,oc->poyxc", phases, np.eye(3)).reshape(-1, 3, 3, 3)
    padded = MirrorPad((image,), _like(image, 3, "padded"), 1, "symmetric")
    subpixels = dataclasses.replace(_fixed(padded.output, weight, "subpixels"), padding="valid")
    return padded, subpixels, DepthToSpace((subpixels.output,), _like(image, 3), _FACTOR)


def _fixed(source: Value, weight: Array, name: str) -> Conv2D:
    """Return a convolution of weights between 0 and 1 in int8."""
    width = len(weight)
    levels = np.rint(127 * weight).astype(np.int8)
    made = _like(source, width, name)
    return Conv2D((source,), made, levels, np.zeros(width, np.int32), np.full(width, 1 / 127, np.float32))
