"""ONNX files compute what their graphs compute, at any size, with one node for each operator."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from pocketsr.errors import MissingExtraError, ModelFileError, ParityError
from pocketsr.graph import Conv2D, Graph, MirrorPad, Value, execute, receptive_field
from pocketsr.graph.tflite import SPEC_ENTRY
from pocketsr.lower import write_onnx_checked
from pocketsr.lower.onnx import ENDS_ENTRY, onnx_bytes
from pocketsr.lower.onnx_operators import ROWS
from pocketsr.spec import ModelSpec
from sample_graphs import abpn_like_graph, attention_graph, random_chain, random_graph, spec_for

IMAGES = [np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8) for size in ((9, 11, 3), (6, 5, 3))]


CHAIN = random_chain(widths=[6, 3], relus=[True, False], kernels=[3, 5], precision="float32", seed=0)
GRAPHS = [
    abpn_like_graph(precision="float32"),
    abpn_like_graph(precision="float32", anchor="concat"),
    attention_graph(),
    CHAIN,
]
RANDOM_GRAPHS = [random_graph(precision="float32", seed=seed) for seed in range(8)]


def forward(graph: Graph) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: execute(graph, image[None].astype(np.float32))[0]


def spec_of(graph: Graph) -> ModelSpec:
    return dataclasses.replace(spec_for(graph), receptive_field=receptive_field(graph))


def spec() -> ModelSpec:
    return spec_of(abpn_like_graph(precision="float32"))


def loaded(graph: Graph) -> onnx.ModelProto:
    return onnx.load_model_from_string(onnx_bytes(graph, spec_of(graph)))


@pytest.mark.parametrize("graph", GRAPHS, ids=["conv", "concat", "attention", "chain"])
def test_every_operator_computes_the_same_at_every_size(graph: Graph, tmp_path: Path) -> None:
    parity = write_onnx_checked(graph, spec_of(graph), tmp_path / "m.onnx", forward=forward(graph), images=IMAGES)
    assert parity.images == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("seed", range(len(RANDOM_GRAPHS)))
def test_random_graphs_compute_the_same(seed: int, tmp_path: Path) -> None:
    graph = RANDOM_GRAPHS[seed]
    largest = max(float(np.abs(forward(graph)(image)).max()) for image in IMAGES)
    # The check is of a part of full range: where a random graph leaves it, darker images bring it back.
    divisor = 1 + int(largest // 128)
    images = [image // divisor for image in IMAGES]
    write_onnx_checked(graph, spec_of(graph), tmp_path / "m.onnx", forward=forward(graph), images=images)


def test_the_graphs_above_hold_every_operator_of_the_table() -> None:
    ops = [op for graph in GRAPHS + RANDOM_GRAPHS for op in graph.ops]
    assert {type(op) for op in ops} == set(ROWS)
    convolutions = [op for op in ops if isinstance(op, Conv2D)]
    assert {op.padding for op in convolutions} == {"same", "valid"}
    assert any(1 < op.groups < op.inputs[0].channels for op in convolutions)
    assert any(op.groups == op.inputs[0].channels > 1 for op in convolutions)
    assert {op.mirror for op in ops if isinstance(op, MirrorPad)} == {"symmetric", "reflect"}


def test_depth_to_space_is_one_node_and_nothing_is_reshaped() -> None:
    model = loaded(abpn_like_graph(precision="float32"))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("DepthToSpace") == 1
    assert not {"Reshape", "Transpose"} & set(kinds)


def test_sizes_are_open_unless_one_is_asked_for() -> None:
    graph = abpn_like_graph(precision="float32")
    model = loaded(graph)
    assert [side.dim_param for side in model.graph.input[0].type.tensor_type.shape.dim[2:]] == ["height", "width"]
    bound = onnx.load_model_from_string(onnx_bytes(graph, spec(), (8, 10)))
    assert [side.dim_value for side in bound.graph.output[0].type.tensor_type.shape.dim] == [1, 3, 24, 30]


def test_the_description_is_in_the_file_and_equal_graphs_give_equal_bytes() -> None:
    graph = abpn_like_graph(precision="float32")
    content = onnx_bytes(graph, spec())
    properties = {entry.key: entry.value for entry in onnx.load_model_from_string(content).metadata_props}
    assert ModelSpec.from_json(properties[SPEC_ENTRY]) == spec()
    assert "(1, C, H, W), 0..255" in properties[ENDS_ENTRY]
    assert content == onnx_bytes(graph, spec())


def test_ends_are_named_whatever_the_graph_calls_them() -> None:
    inner = dataclasses.replace(CHAIN.ops[0], output=Value("upscaled", 6))
    graph = Graph(
        CHAIN.input, CHAIN.output, (inner, dataclasses.replace(CHAIN.ops[1], inputs=(inner.output,)), CHAIN.ops[2])
    )
    for model in (loaded(graph).graph, loaded(attention_graph()).graph):
        assert ([end.name for end in model.input], [end.name for end in model.output]) == (["image"], ["upscaled"])


def test_operators_are_of_the_oldest_version_that_has_them() -> None:
    assert [loaded(graph).opset_import[0].version for graph in (CHAIN, attention_graph())] == [17, 20]


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


def test_a_file_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    first = CHAIN.ops[0]
    graph = Graph(
        CHAIN.input, CHAIN.output, (dataclasses.replace(first, bias=first.bias * np.float32(np.nan)), *CHAIN.ops[1:])
    )
    with pytest.raises(ParityError, match="inf of full range"):
        write_onnx_checked(graph, spec_of(graph), tmp_path / "m.onnx", forward=forward(graph), images=IMAGES)
    assert not list(tmp_path.iterdir())


def test_an_open_file_is_checked_at_a_second_size_even_on_images_of_one(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")
    sizes = []

    def watched(image: np.ndarray) -> np.ndarray:
        sizes.append(image.shape[:2])
        return forward(graph)(image)

    write_onnx_checked(graph, spec(), tmp_path / "m.onnx", forward=watched, images=[IMAGES[0]] * 2)
    assert sizes == [(9, 11), (9, 11), (8, 10)]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"scale": 2}, ModelFileError, "says enlargement 2, the graph has 3"),
        ({"receptive_field": 1}, ParityError, "looks 4 pixels around"),
    ],
)
def test_a_description_of_another_model_is_refused(
    change: dict[str, int], error: type[Exception], words: str, tmp_path: Path
) -> None:
    graph = abpn_like_graph(precision="float32")
    wrong = dataclasses.replace(spec(), **change)
    with pytest.raises(error, match=words):
        write_onnx_checked(graph, wrong, tmp_path / "m.onnx", forward=forward(graph), images=IMAGES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_names_its_extra(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    graph = abpn_like_graph(precision="float32")
    with pytest.raises(MissingExtraError, match=r"pocketsr\[onnx\]"):
        write_onnx_checked(graph, spec(), tmp_path / "m.onnx", forward=forward(graph), images=IMAGES)
    assert not list(tmp_path.iterdir())
