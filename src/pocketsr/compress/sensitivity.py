"""Sensitivity: what 8 bits cost at each place of a network.

Every layer's weights, and every activation, are rounded alone in an otherwise float graph, and what that does to the
output is measured; then everything is rounded but this one place, which says what keeping it wide would win. The places
at the top of the list are where training, a better range or more bits pay.

Operators that hand bytes on (concatenation, pixel shuffle, slices) are no places: nothing is rounded there.
Knows graphs, not networks or files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from pocketsr.compress.prepare import prepared
from pocketsr.compress.scales import Plan, is_copy
from pocketsr.errors import DataError
from pocketsr.graph import Add, Conv2D, Elementwise, Graph, LeakyRelu, Multiply, Op, execute
from pocketsr.graph.base import Array

Kind = Literal["weights", "activation"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What rounding one place does.

    Attributes:
        place: Name of the value in the graph: a layer's output.
        kind: Whether the layer's weights or its output are rounded.
        psnr_db: Of the network's output, this place alone rounded, against that of the float network, 0..255; infinite
            where nothing changes.
        without_db: The same with every place rounded but this one: what is left to win is its distance from the
            figure of all places rounded, ``Report.all_db``.
        shift: Mean of the difference this place alone makes, levels: darkening where below 0.
        step: Size of one step: of activations as they are, of weights the largest over output channels.
    """

    place: str
    kind: Kind
    psnr_db: float
    without_db: float
    shift: float
    step: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What was found.

    Attributes:
        all_db: PSNR of the output with every place rounded, against the float network's.
        places: Every place, the most harmful alone first.
    """

    all_db: float
    places: tuple[Sensitivity, ...]

    @property
    def keep_wide(self) -> Sensitivity:
        """The place that wins most when it alone is kept in float."""
        return max(self.places, key=lambda one: one.without_db)


def sensitivity(graph: Graph, images: Sequence[Array], maxima: Mapping[str, float]) -> Report:
    """Round each place alone, then all places but one, and measure.

    Biases are not rounded: in an int8 file they have 32 bits.

    Args:
        graph: A float graph.
        images: uint8 ``(H, W, C)``; small crops will do, the graph runs twice for each place.
        maxima: Range of each value, from ``activation_maxima``.

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

    def measured(places: Sequence[_Place]) -> tuple[float, float]:
        changed = dataclasses.replace(graph, ops=tuple(_rounded_weights(op, places) for op in graph.ops))
        change = {place.name: place.change for place in places if place.kind == "activation"}
        made = [np.clip(execute(changed, image, change=change), 0, 255) for image in inputs]
        errors = np.concatenate([(a - b).ravel() for a, b in zip(made, expected, strict=True)]).astype(np.float64)
        mean_square = float((errors**2).mean())
        return (float("inf") if mean_square == 0 else 10 * float(np.log10(255**2 / mean_square))), float(errors.mean())

    places = _places(graph, maxima)
    found = []
    for place in places:
        alone, shift = measured([place])
        without, _ = measured([other for other in places if other is not place])
        found.append(
            Sensitivity(
                place=place.name, kind=place.kind, psnr_db=alone, without_db=without, shift=shift, step=place.step
            )
        )
    return Report(all_db=measured(places)[0], places=tuple(sorted(found, key=lambda one: one.psnr_db)))


@dataclasses.dataclass(frozen=True, eq=False)
class _Place:
    """Where rounding happens, and what it does to an array."""

    name: str
    kind: Kind
    step: float
    change: Callable[[Array], Array]


def _places(graph: Graph, maxima: Mapping[str, float]) -> tuple[_Place, ...]:
    plan = Plan(graph.input, graph.ops)
    places = []
    for op in graph.ops:
        name = op.output.name
        if is_copy(op) or not isinstance(op, Conv2D | Add | Multiply | Elementwise | LeakyRelu):
            continue
        if isinstance(op, Conv2D):
            places.append(_Place(name, "weights", float(_weight_steps(op.weight).max()), _rounded_kernel))
        step = _step(plan, name, maxima)
        places.append(_Place(name, "activation", step, _rounding(step, -128 - plan.zero_point(name))))
    return tuple(places)


def _weight_steps(weight: Array) -> Array:
    """Return one step for each output channel, ``(O, 1, 1, 1)``."""
    return np.asarray(np.maximum(np.abs(weight).max(axis=(1, 2, 3), keepdims=True), 1e-8) / 127)


def _rounded_kernel(weight: Array) -> Array:
    steps = _weight_steps(weight)
    return np.asarray((np.rint(weight / steps) * steps).astype(np.float32))


def _rounded_weights(op: Op, places: Sequence[_Place]) -> Op:
    wanted = any(place.kind == "weights" and place.name == op.output.name for place in places)
    return dataclasses.replace(op, weight=_rounded_kernel(op.weight)) if wanted and isinstance(op, Conv2D) else op


def _step(plan: Plan, name: str, maxima: Mapping[str, float]) -> float:
    fixed = plan.fixed(name)
    if fixed is not None:
        return fixed
    members = plan.members(plan.group(name))
    levels = 255 if all(plan.zero_point(member) == -128 for member in members) else 127
    return max(maxima.get(member, 0.0) for member in members) / levels or 1.0


def _rounding(step: float, low: int) -> Callable[[Array], Array]:
    return lambda array: (np.clip(np.rint(array / step), low, low + 255) * step).astype(np.float32)
