"""Sensitivity: what 8 bits cost at each place of a network, one place at a time.

Every layer's weights, and every activation, are rounded alone in an otherwise float graph, and what that does to the
output is measured. The places at the top of the list are where training, a better range or more bits pay.

Knows graphs, not networks or files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from pocketsr.compress.prepare import prepared
from pocketsr.compress.scales import Plan, is_copy
from pocketsr.errors import DataError
from pocketsr.graph import Conv2D, Graph, Op, execute
from pocketsr.graph.base import Array

Kind = Literal["weights", "activation"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What rounding one place does.

    Attributes:
        place: Name of the value in the graph: a layer's output.
        kind: Whether the layer's weights or its output are rounded.
        psnr_db: Of the network's output against that of the float network, 0..255; infinite where nothing changes.
        shift: Mean of the difference, levels: darkening where below 0.
        step: Size of one step: of activations as they are, of weights the largest over output channels.
    """

    place: str
    kind: Kind
    psnr_db: float
    shift: float
    step: float


def sensitivity(graph: Graph, images: Sequence[Array], maxima: Mapping[str, float]) -> tuple[Sensitivity, ...]:
    """Round each place alone, and measure.

    Args:
        graph: A float graph.
        images: uint8 ``(H, W, C)``; small crops will do.
        maxima: Range of each value, from ``activation_maxima``.

    Returns:
        Every place, the most harmful first.

    Raises:
        DataError: There are no images.
        LoweringError: The graph has no integer form.
    """
    if not images:
        raise DataError("sensitivity needs at least one image")
    ops = prepared(graph)
    graph = Graph(graph.input, ops[-1].output, ops)
    inputs = [image[None].astype(np.float32) for image in images]
    expected = [np.clip(execute(graph, image), 0, 255) for image in inputs]
    found = []
    for place, kind, step, changed, change in _places(graph, maxima):
        made = [np.clip(execute(changed, image, change=change), 0, 255) for image in inputs]
        errors = np.concatenate([(a - b).ravel() for a, b in zip(made, expected, strict=True)]).astype(np.float64)
        mean_square = float((errors**2).mean())
        psnr_db = np.inf if mean_square == 0 else 10 * np.log10(255**2 / mean_square)
        found.append(Sensitivity(place=place, kind=kind, psnr_db=psnr_db, shift=float(errors.mean()), step=step))
    return tuple(sorted(found, key=lambda one: one.psnr_db))


_Place = tuple[str, Kind, float, Graph, Mapping[str, Callable[[Array], Array]]]


def _places(graph: Graph, maxima: Mapping[str, float]) -> Iterator[_Place]:
    """Yield each place with its step, and the graph or the change that rounds it alone."""
    plan = Plan(graph.input, graph.ops)
    for index, op in enumerate(graph.ops):
        name = op.output.name
        if isinstance(op, Conv2D) and not is_copy(op):
            scale = np.maximum(np.abs(op.weight).max(axis=(1, 2, 3)), 1e-8) / 127
            rounded = np.rint(op.weight / scale[:, None, None, None]) * scale[:, None, None, None]
            changed = dataclasses.replace(op, weight=rounded.astype(np.float32))
            yield name, "weights", float(scale.max()), _with(graph, index, changed), {}
        step = _step(plan, name, maxima)
        low = -128 - plan.zero_point(name)
        yield name, "activation", step, graph, {name: _rounding(step, low)}


def _step(plan: Plan, name: str, maxima: Mapping[str, float]) -> float:
    fixed = plan.fixed(name)
    if fixed is not None:
        return fixed
    members = plan.members(plan.group(name))
    levels = 255 if all(plan.zero_point(member) == -128 for member in members) else 127
    return max(maxima.get(member, 0.0) for member in members) / levels or 1.0


def _rounding(step: float, low: int) -> Callable[[Array], Array]:
    return lambda array: (np.clip(np.rint(array / step), low, low + 255) * step).astype(np.float32)


def _with(graph: Graph, index: int, op: Op) -> Graph:
    return Graph(graph.input, graph.output, (*graph.ops[:index], op, *graph.ops[index + 1 :]))
