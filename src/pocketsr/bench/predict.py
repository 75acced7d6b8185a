"""A network's latency from its operators alone: a simple additive model of a device, fitted to its own timings.

    ms  =  Σ over operators  a_kind · GMACs  +  b · bytes moved  +  c

One rate for each kind of convolution (wide ones fill a processor's lanes better than those from or to a few channels),
one for memory, one for each call; all 0 or more, by least squares of relative errors. It knows nothing of operators
that are computed together, caches, or heat, so it comes with its error on networks that were measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pocketsr.bench.costs import Cost, costs
from pocketsr.bench.nodes import Node, convolution
from pocketsr.errors import DataError
from pocketsr.graph import Add, Concat, DepthToSpace, Graph, Multiply, Op, PRelu, Quantisation, Relu, Value
from pocketsr.graph.base import Size

#: Sizes and widths of the operators it is fitted to: what light networks are made of.
_SIZE: Size = (180, 320)
_WIDTHS = (16, 32, 64)
#: Kinds of work, in the order of the coefficients.
KINDS = ("conv 3×3 and larger", "conv 1×1", "conv grouped", "conv from few channels", "moved", "calls")
#: Convolutions from fewer channels than this do not fill a vector.
_FEW = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceModel:
    """Rates of a device.

    Attributes:
        ms: Milliseconds by kind: for 10⁹ multiply-accumulates, for 10⁶ bytes (``moved``), for one operator (``calls``).
        error: Median relative error on what it was fitted to, 0 to 1.
    """

    ms: Mapping[str, float]
    error: float

    def predict(self, graph: Graph, size: Size) -> float:
        """Return milliseconds for one frame.

        Args:
            graph: What the network computes.
            size: (height, width) of its input.
        """
        return float(features(graph, size) @ np.array([self.ms[kind] for kind in KINDS]))


def calibration_nodes(size: Size = _SIZE, *, integer: bool) -> tuple[Node, ...]:
    """Return the operators that a device is fitted to.

    Args:
        size: (height, width) of their inputs.
        integer: int8; otherwise float32.
    """
    rows = list(_rows(Quantisation(1.0, -128) if integer else None))
    return tuple(Node(name=name, graph=Graph(x, op.output, (op,)), size=size) for name, x, op in rows)


def _rows(quantisation: Quantisation | None) -> Iterator[tuple[str, Value, Op]]:
    for width in _WIDTHS:
        x, y = Value("x", width, quantisation), Value("y", width, quantisation)
        for kernel in (1, 3, 5):
            yield f"conv {kernel}×{kernel} {width}", x, convolution(x, width, kernel)
        yield f"depthwise {width}", x, convolution(x, width, 3, groups=width)
        yield f"conv 3×3 to 27 of {width}", x, convolution(x, 27, 3)
        double = Value("y", width, Quantisation(2.0, -128) if quantisation else None)
        yield f"add {width}", x, Add((x, x), double)
        yield (
            f"mul {width}",
            x,
            Multiply((x, x), Value("y", width, Quantisation(255.0, -128) if quantisation else None)),
        )
        yield f"relu {width}", x, Relu((x,), y)
        yield f"concat {width}", x, Concat((x, x), Value("y", 2 * width, quantisation))
        if quantisation is None:
            yield f"prelu {width}", x, PRelu((x,), y, np.full(width, 0.1, np.float32))
    image = Value("x", 3, quantisation)
    for width in _WIDTHS:
        yield f"conv 3×3 from 3 to {width}", image, convolution(image, width, 3)
    for block in (2, 3):
        x = Value("x", 3 * block**2, quantisation)
        yield f"depth to space {block}", x, DepthToSpace((x,), Value("y", 3, quantisation), block)


def features(graph: Graph, size: Size) -> npt.NDArray[np.float64]:
    """Return the work of a graph by kind, in the order of ``KINDS``: GMACs, 10⁶ bytes, operators."""
    found = np.zeros(len(KINDS))
    for op, cost in zip(graph.ops, costs(graph, size), strict=True):
        found += _features(op, cost)
    return found


def fit(nodes: Sequence[Node], milliseconds: Sequence[float]) -> DeviceModel:
    """Fit the rates to timings.

    Args:
        nodes: What was timed.
        milliseconds: Of each, above 0.

    Raises:
        DataError: Fewer timings than rates, or one that is not above 0.
    """
    if len(nodes) < len(KINDS) or len(nodes) != len(milliseconds) or min(milliseconds) <= 0:
        raise DataError(f"a fit needs {len(KINDS)} or more timings above 0 ms; {len(milliseconds)} came")
    rows = np.stack([features(node.graph, node.size) for node in nodes])
    times = np.asarray(milliseconds, np.float64)
    rates = _least_squares(rows / times[:, None], np.ones(len(times)))
    errors = np.abs(rows @ rates / times - 1)
    return DeviceModel(ms=dict(zip(KINDS, rates.tolist(), strict=True)), error=float(np.median(errors)))


def _features(op: Op, cost: Cost) -> npt.NDArray[np.float64]:
    row = np.zeros(len(KINDS))
    row[4], row[5] = cost.moved_bytes / 1e6, 1
    if cost.macs:
        few = op.inputs[0].channels < _FEW
        kind = 2 if cost.kind.endswith(("grouped", "depthwise")) else 3 if few else int("1×1" in cost.kind)
        row[kind] = cost.macs / 1e9
    return row


def _least_squares(rows: npt.NDArray[np.float64], goal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the x >= 0 of least |rows · x − goal|: columns that would go below 0 are left out, one after another."""
    kept = list(range(rows.shape[1]))
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-12)
    while kept:
        part, *_ = np.linalg.lstsq(rows[:, kept] / scale[kept], goal, rcond=None)
        if part.min() >= 0:
            break
        kept.remove(kept[int(part.argmin())])
    found = np.zeros(rows.shape[1])
    if kept:
        found[kept] = part / scale[kept]
    return found
