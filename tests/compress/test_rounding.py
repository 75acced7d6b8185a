"""Weights that make up for each other's rounding: whole steps, the same grid, outputs nearer than each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pocketsr.compress import quantise
from pocketsr.compress.rounding import _moments, compensated
from pocketsr.graph import Conv2D, Graph, execute
from pocketsr.lower import trace
from pocketsr.networks import build


def images(count: int = 4, side: int = 24) -> list[np.ndarray]:
    """Return smooth images, whose neighbours are alike as those of photographs are."""
    random = np.random.default_rng(0)
    rows, columns = np.indices((side, side)) / side
    waves = [random.uniform(1, 6) * rows + random.uniform(1, 6) * columns for _ in range(3 * count)]
    planes = [np.rint(127 + 100 * np.sin(wave)).astype(np.uint8) for wave in waves]
    return [np.stack(planes[index : index + 3], axis=2) for index in range(0, 3 * count, 3)]


def graph_of(name: str, **options: object) -> Graph:
    torch.manual_seed(0)
    return trace(build(name, {"scale": 2, **options}).folded())


def convolutions(graph: Graph) -> list[Conv2D]:
    return [op for op in graph.ops if isinstance(op, Conv2D) and not op.is_copy]


@pytest.mark.parametrize("name", ["scsrn", "abpn", "xlsr", "fsrcnn", "carn-m"])
def test_weights_are_whole_steps_of_the_step_they_had(name: str) -> None:
    graph = graph_of(name)
    made = compensated(graph, images())
    for before, after in zip(convolutions(graph), convolutions(made), strict=True):
        step = np.abs(before.weight).max(axis=(1, 2, 3)) / 127
        np.testing.assert_allclose(np.abs(after.weight).max(axis=(1, 2, 3)) / 127, step, rtol=1e-6)
        steps = after.weight / np.maximum(step, 1e-12)[:, None, None, None]
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
        # Far from the weights it began with no weight goes: what it takes over are errors of rounding.
        assert np.abs(after.weight - before.weight).max() < 12 * step.max()


def test_quantising_takes_them_as_they_are() -> None:
    network = build("scsrn", {"scale": 2})
    quantised = quantise(network, images())
    for name, weight in quantised.weights.items():
        step = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True) / 127
        steps = weight.detach() / step
        assert float((steps - steps.round()).abs().max()) < 1e-3, name


@pytest.mark.parametrize("name", ["scsrn", "lrsrn"])
def test_int8_is_nearer_to_float_than_with_weights_rounded_each_by_itself(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, {"scale": 2})
    exact = execute(trace(network.folded()), images(1)[0][None].astype(np.float32))
    error = {}
    for rounding in ("nearest", "compensated"):
        graph = quantise(network, images(), rounding=rounding).graph()  # type: ignore[arg-type]
        made = execute(graph, (images(1)[0][None].astype(np.int16) - 128).astype(np.int8)).astype(np.float32) + 128
        error[rounding] = float(np.abs(made - np.clip(exact, 0, 255))[:, 8:-8, 8:-8].mean())
    assert error["compensated"] < 0.8 * error["nearest"]


@pytest.mark.parametrize("name", ["scsrn", "abpn", "carn-m"])
def test_biases_take_the_whole_mean_of_what_weights_err(name: str) -> None:
    graph = graph_of(name)
    moments = _moments(graph, images())
    for before, after in zip(convolutions(graph), convolutions(compensated(graph, images())), strict=True):
        outputs = len(before.weight) // before.groups
        for group, moment in enumerate(moments[before.output.name]):
            own = slice(group * outputs, (group + 1) * outputs)
            weight = (after.weight - before.weight)[own].reshape(outputs, -1)
            error = np.concatenate([weight, (after.bias - before.bias)[own, None]], axis=1).astype(np.float64)
            mean, square = error @ moment[:, -1], np.einsum("oi,ij,oj->o", error, moment, error)
            usual = np.sqrt(square / moment[-1, -1])
            assert (np.abs(mean / moment[-1, -1]) <= 0.01 * usual + 1e-5).all(), before.output.name


@pytest.mark.parametrize(("name", "scale"), [("mslapsrn", 2), ("feqe", 4)])
def test_the_enlarged_image_keeps_all_its_levels(name: str, scale: int) -> None:
    torch.manual_seed(0)
    network = build(name, {"scale": scale, **({"depth": 1} if name == "mslapsrn" else {})})
    given = [image[:, :, : network.channels] for image in images()]
    graphs = {rounding: quantise(network, given, rounding=rounding).graph() for rounding in ("nearest", "compensated")}  # type: ignore[arg-type]
    outputs = {rounding: [op.output.quantisation for op in graph.ops] for rounding, graph in graphs.items()}
    assert outputs["compensated"] == outputs["nearest"]
    exact = np.clip(execute(trace(network.folded()), given[0][None].astype(np.float32)), 0, 255)
    made = execute(graphs["compensated"], (given[0][None].astype(np.int16) - 128).astype(np.int8)) + 128.0
    assert np.abs(made - exact).mean() < 2, "a scale of one sign for both loses the upper half"


def test_inputs_that_are_never_seen_and_layers_of_nothing_are_rounded_as_ever() -> None:
    graph = graph_of("abpn")
    black = [np.zeros((16, 16, 3), np.uint8)]
    made = compensated(graph, black)
    for op in convolutions(made):
        assert np.isfinite(op.weight).all()
        assert np.isfinite(op.bias).all()
    zeros = Graph(
        graph.input,
        graph.output,
        tuple(
            Conv2D(op.inputs, op.output, 0 * op.weight, op.bias, activation=op.activation)
            if isinstance(op, Conv2D) and not op.is_copy
            else op
            for op in graph.ops
        ),
    )
    assert all(not op.weight.any() for op in convolutions(compensated(zeros, images())))


def test_without_images_and_with_images_smaller_than_kernels_nothing_breaks() -> None:
    graph = graph_of("abpn")
    assert compensated(graph, ()) is graph
    tiny = compensated(graph_of("srcnn"), [np.full((5, 5, 1), 100, np.uint8)])
    assert all(np.isfinite(op.weight).all() for op in convolutions(tiny))
