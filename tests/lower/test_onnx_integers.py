"""int8 graphs as ONNX: bytes at both ends, bytes between operators, and the results of the exact integers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from pocketsr.errors import LoweringError, ParityError
from pocketsr.graph import (
    Conv2D,
    DepthToSpace,
    Elementwise,
    Graph,
    LeakyRelu,
    MirrorPad,
    Multiply,
    Op,
    Quantisation,
    Requantise,
    SpaceToDepth,
    Value,
    execute,
    receptive_field,
)
from pocketsr.graph.ops import FUNCTION_OUTPUTS
from pocketsr.lower import write_onnx_checked
from pocketsr.lower.onnx import INT8_LEVELS, onnx_bytes
from pocketsr.lower.onnx_integers import COMPUTERS, MOVERS
from pocketsr.runtime import Upscaler, find_backend
from pocketsr.spec import ModelSpec
from sample_graphs import PIXELS, abpn_like_graph, random_graph, repeat_conv, spec_for

IMAGES = [np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8) for size in ((10, 12, 3), (6, 8, 3))]


def other_operators() -> Graph:
    """Return, one after another, the integer operators that ``random_graph`` has none of."""
    image = Value("image", 3, PIXELS)
    ops: list[Op] = []

    def emit(op: Op) -> Value:
        ops.append(op)
        return op.output

    leaky = emit(LeakyRelu((image,), Value("leaky", 3, PIXELS), 0.3))
    narrow = emit(Requantise((leaky,), Value("narrow", 3, Quantisation(1.7, -20))))
    tanh = emit(Elementwise((narrow,), Value("tanh", 3, FUNCTION_OUTPUTS["tanh"]), "tanh"))
    gate = emit(Elementwise((narrow,), Value("gate", 3, FUNCTION_OUTPUTS["logistic"]), "logistic"))
    product = emit(Multiply((tanh, gate), Value("product", 3, Quantisation(1 / 120, -3))))
    for mirror in ("symmetric", "reflect"):
        product = emit(MirrorPad((product,), Value(mirror, 3, product.quantisation), 1, mirror))
    weight = np.random.default_rng(1).integers(-127, 128, (12, 5, 5, 3)).astype(np.int8)
    scale = np.full(12, 0.02, np.float32)
    bias = np.arange(12, dtype=np.int32)
    large = Value("large", 12, Quantisation(0.5, 7))
    emit(Conv2D((product,), large, weight, bias, scale, "relu", padding="valid"))
    small = emit(Requantise((large,), Value("sub", 12, PIXELS)))
    folded = emit(SpaceToDepth((small,), Value("folded", 48, PIXELS), 2))
    copies = emit(repeat_conv(folded, Value("copies", 192, PIXELS)))
    output = emit(DepthToSpace((copies,), Value("upscaled", 3, PIXELS), 8))
    return Graph(image, output, tuple(ops))


def with_pixels(graph: Graph) -> Graph:
    """Return a random graph with pixels at its end, as every file of ours has them."""
    *ops, last = graph.ops
    sub = last.inputs[0]
    brought = Value("brought", sub.channels, PIXELS)
    output = dataclasses.replace(graph.output, quantisation=PIXELS)
    changed = dataclasses.replace(last, inputs=(brought,), output=output)
    return Graph(graph.input, output, (*ops, Requantise((sub,), brought), changed))


GRAPHS = [
    abpn_like_graph(),
    abpn_like_graph(anchor="concat"),
    other_operators(),
    *(with_pixels(random_graph(precision="int8", seed=seed)) for seed in range(6)),
]


def spec_of(graph: Graph) -> ModelSpec:
    return dataclasses.replace(spec_for(graph), receptive_field=receptive_field(graph))


def forward(graph: Graph, image: np.ndarray) -> np.ndarray:
    return execute(graph, (image[None].astype(np.int16) - 128).astype(np.int8))[0].astype(np.float64) + 128


@pytest.mark.parametrize("graph", GRAPHS)
def test_onnx_runtime_comes_within_two_levels_of_the_exact_integers(graph: Graph, tmp_path: Path) -> None:
    parity = write_onnx_checked(
        graph, spec_of(graph), tmp_path / "m.onnx", forward=lambda image: forward(graph, image), images=IMAGES
    )
    assert parity.largest * 255 <= INT8_LEVELS
    assert parity.different < 0.2 * parity.values, "a form that rounds otherwise everywhere is another form"


def test_the_graphs_above_hold_every_operator_that_has_a_form() -> None:
    assert {type(op) for graph in GRAPHS for op in graph.ops} == {*MOVERS, *COMPUTERS}


def test_runtimes_find_what_they_join(tmp_path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "joined.onnx"), 3
    graph = abpn_like_graph(anchor="concat")
    onnxruntime.InferenceSession(onnx_bytes(graph, spec_of(graph)), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "joined.onnx").graph.node)
    assert kinds["QLinearConv"] == sum(isinstance(op, Conv2D) for op in graph.ops)
    assert not {"Conv", "Add", "DequantizeLinear", "QuantizeLinear"} & set(kinds)


def test_ends_are_pixels_and_the_description_says_so() -> None:
    model = onnx.load_model_from_string(onnx_bytes(abpn_like_graph(), spec_of(abpn_like_graph())))
    ends = [*model.graph.input, *model.graph.output]
    assert {end.type.tensor_type.elem_type for end in ends} == {onnx.TensorProto.UINT8}
    assert "image: uint8 (1, C, H, W)" in {one.key: one.value for one in model.metadata_props}["pocketsr_ends"]
    assert "quantisation_0x1.0000000000000p+0_0/scale" in {one.name for one in model.graph.initializer}


def test_the_backend_runs_it_tile_by_tile_as_the_whole_image(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(graph, spec_of(graph)))
    image = np.random.default_rng(2).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    made = Upscaler(tmp_path / "m.onnx", threads=1, tile=24)(image)
    assert np.array_equal(made, Upscaler(tmp_path / "m.onnx", threads=1)(image))
    assert np.abs(made - forward(graph, image)).max() <= INT8_LEVELS
    assert find_backend("onnxruntime").load(tmp_path / "m.onnx").spec.precision == "int8"


def test_what_has_no_form_is_refused_by_name() -> None:
    graph = random_graph(precision="int8", seed=0)
    assert graph.output.quantisation != PIXELS
    with pytest.raises(LoweringError, match="ends of an int8 ONNX file are pixels"):
        onnx_bytes(graph, spec_of(graph))
    wide = Quantisation(1 / 128, 0, 16)
    ops = [
        Requantise((graph.input,), Value("wide", 3, wide)),
        Requantise((Value("wide", 3, wide),), Value("upscaled", 3, PIXELS)),
    ]
    wider = Graph(graph.input, ops[-1].output, tuple(ops))
    with pytest.raises(LoweringError, match="8 bits, not 16"):
        onnx_bytes(wider, dataclasses.replace(spec_of(wider), precision=wider.precision))


def test_a_file_that_is_three_levels_off_is_refused_and_not_left(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    with pytest.raises(ParityError, match="does not compute what its network computes"):
        write_onnx_checked(
            graph, spec_of(graph), tmp_path / "m.onnx", forward=lambda image: forward(graph, image) + 3, images=IMAGES
        )
    assert not list(tmp_path.iterdir())
