"""ONNX files compute what their graphs compute, at any size, with one node for each operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from pocketsr.errors import LoweringError, ParityError
from pocketsr.graph import Graph, execute
from pocketsr.lower import write_onnx_checked
from pocketsr.lower.onnx import SPEC_KEY, onnx_bytes
from pocketsr.spec import ModelSpec
from sample_graphs import abpn_like_graph, attention_graph, random_graph, spec_for

IMAGES = [np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8) for size in ((9, 11, 3), (6, 5, 3))]


def forward(graph: Graph):
    return lambda image: execute(graph, image[None].astype(np.float32))[0]


@pytest.mark.parametrize(
    "graph",
    [abpn_like_graph(precision="float32"), abpn_like_graph(precision="float32", anchor="concat"), attention_graph()],
)
def test_every_operator_computes_the_same_at_every_size(graph: Graph, tmp_path: Path) -> None:
    spec = spec_for(graph)
    parity = write_onnx_checked(graph, spec, tmp_path / "m.onnx", forward=forward(graph), images=IMAGES)
    assert parity.images == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_compute_the_same(seed: int, tmp_path: Path) -> None:
    graph = random_graph(precision="float32", seed=seed)
    largest = max(float(np.abs(forward(graph)(image)).max()) for image in IMAGES)
    # The check is of a part of full range: where a random graph leaves it, darker images bring it back.
    divisor = 1 + int(largest // 128)
    images = [image // divisor for image in IMAGES]
    write_onnx_checked(graph, spec_for(graph), tmp_path / "m.onnx", forward=forward(graph), images=images)


def test_depth_to_space_is_one_node_and_nothing_is_reshaped() -> None:
    model = onnx.load_model_from_string(onnx_bytes(abpn_like_graph(precision="float32"), spec()))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("DepthToSpace") == 1
    assert not {"Reshape", "Transpose"} & set(kinds)


def test_sizes_are_open_unless_one_is_asked_for() -> None:
    graph = abpn_like_graph(precision="float32")
    model = onnx.load_model_from_string(onnx_bytes(graph, spec()))
    assert [side.dim_param for side in model.graph.input[0].type.tensor_type.shape.dim[2:]] == ["height", "width"]
    bound = onnx.load_model_from_string(onnx_bytes(graph, spec(), (8, 10)))
    assert [side.dim_value for side in bound.graph.output[0].type.tensor_type.shape.dim] == [1, 3, 24, 30]


def test_the_description_is_in_the_file_and_equal_graphs_give_equal_bytes() -> None:
    graph = abpn_like_graph(precision="float32")
    content = onnx_bytes(graph, spec())
    properties = {entry.key: entry.value for entry in onnx.load_model_from_string(content).metadata_props}
    assert ModelSpec.from_json(properties[SPEC_KEY]) == spec()
    assert content == onnx_bytes(graph, spec())


def spec() -> ModelSpec:
    return spec_for(abpn_like_graph(precision="float32"))


def test_a_file_that_differs_is_refused_and_not_left(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")
    wrong = lambda image: forward(graph)(image) + 0.1  # noqa: E731
    with pytest.raises(ParityError, match="does not compute what its network computes"):
        write_onnx_checked(graph, spec(), tmp_path / "m.onnx", forward=wrong, images=IMAGES)
    assert not list(tmp_path.iterdir())


def test_a_bound_file_is_checked_on_cuts_of_its_size(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")
    write_onnx_checked(graph, spec(), tmp_path / "m.onnx", forward=forward(graph), images=IMAGES, size=(6, 5))
    with pytest.raises(ParityError, match="as large as the file's size"):
        write_onnx_checked(graph, spec(), tmp_path / "n.onnx", forward=forward(graph), images=IMAGES, size=(60, 50))


def test_integer_graphs_are_refused() -> None:
    with pytest.raises(LoweringError, match="float32 only"):
        onnx_bytes(abpn_like_graph(), spec_for(abpn_like_graph()))
