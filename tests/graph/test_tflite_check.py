"""Numbers in a model file that make no sense are refused, each in its own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pocketsr.errors import ModelFileError
from pocketsr.graph import Concat, Graph, Multiply, Value
from pocketsr.graph.tflite import model_bytes, read_model
from pocketsr.graph.tflite_check import checked_model
from pocketsr.spec import ModelSpec
from sample_graphs import abpn_like_graph, spec_for


def edited(edit: Callable[[Any], object], graph: Graph | None = None) -> bytes:
    graph = graph or abpn_like_graph()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model_bytes(graph, spec_for(graph)), 0))
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def tensor(model: Any, name: bytes) -> Any:
    return next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == name)


EDITS: dict[str, tuple[Callable[[Any], object], str]] = {
    "no graph": (lambda model: setattr(model, "subgraphs", []), "it has no graph"),
    "an input beyond the tensors": (
        lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [999]),
        "an input of operator 0 is tensor 999",
    ),
    "an input below −1": (
        lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [-2]),
        "an input of operator 0 is tensor -2",
    ),
    "an output left out": (
        lambda model: setattr(model.subgraphs[0].operators[0], "outputs", [-1]),
        "the output of operator 0 is tensor -1",
    ),
    "two outputs": (
        lambda model: setattr(model.subgraphs[0].operators[0], "outputs", [0, 1]),
        "operator 0 has 2 outputs",
    ),
    "a graph without an end": (lambda model: setattr(model.subgraphs[0], "outputs", []), "one output is needed, not 0"),
    "a graph's end beyond the tensors": (
        lambda model: setattr(model.subgraphs[0], "inputs", [12345]),
        "the input of the graph is tensor 12345",
    ),
    "an operator of no kind": (
        lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 77),
        "operator 0 is of no kind that the file lists",
    ),
    "a buffer that is not there": (
        lambda model: setattr(model.subgraphs[0].tensors[0], "buffer", 4000),
        "lies in a buffer that is not there",
    ),
    "a shape larger than its bytes": (
        lambda model: setattr(tensor(model, b"conv0/weight"), "shape", [8, 3, 3, 300]),
        "'conv0/weight' of shape .* needs 21,600 bytes and has 216",
    ),
    "a shape whose product overflows": (
        lambda model: setattr(tensor(model, b"conv0/weight"), "shape", [2**31 - 1] * 4),
        "'conv0/weight' of shape .* needs",
    ),
    "a side below nought": (
        lambda model: setattr(tensor(model, b"conv0/weight"), "shape", [-8, 3, 3, -3]),
        "a side below 0",
    ),
    "many axes": (lambda model: setattr(tensor(model, b"conv0/weight"), "shape", [1] * 9), "9 axes"),
    "weights kept elsewhere": (
        lambda model: (setattr(model.buffers[1], "offset", 10**9), setattr(model.buffers[1], "size", 10)),
        "keeps weights outside its tables",
    ),
    "a description that is not there": (
        lambda model: setattr(model.metadata[1], "buffer", 5000),
        "description lies in a buffer that is not there",
    ),
    "a type that is none": (
        lambda model: setattr(model.subgraphs[0].tensors[0], "type", 99),
        "numbers of type 99",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_points_nowhere_is_refused_before_it_is_used(name: str) -> None:
    edit, words = EDITS[name]
    with pytest.raises(ModelFileError, match=words):
        checked_model(edited(edit))


def test_options_of_another_kind_are_refused() -> None:
    def exchange(model: Any) -> None:
        first = model.subgraphs[0].operators[0]
        first.builtinOptionsType, first.builtinOptions = schema.BuiltinOptions.LSTMOptions, schema.LSTMOptionsT()

    with pytest.raises(ModelFileError, match="operator 0 has the options of another kind"):
        checked_model(edited(exchange))


def refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.tflite").write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"a\.tflite: .*{words}"):
        read_model(tmp_path / "a.tflite")


def test_an_activation_that_is_not_read_is_refused_rather_than_left_out(tmp_path: Path) -> None:
    image, output = Value("image", 3), Value("output", 3)
    graph = Graph(image, output, (Multiply((image, image), output),))

    def clip(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6

    refused(tmp_path, edited(clip, graph), "Multiply making 'output' has fusedActivationFunction 3")


def test_weights_with_a_zero_point_are_refused_rather_than_misread(tmp_path: Path) -> None:
    def shift(model: Any) -> None:
        weight = tensor(model, b"conv0/weight")
        weight.quantization.zeroPoint = np.full(8, 5, np.int64)

    refused(tmp_path, edited(shift), "'conv0/weight' are weights with a zero point")


def test_biases_in_other_steps_are_refused_rather_than_misread(tmp_path: Path) -> None:
    def stretch(model: Any) -> None:
        bias = tensor(model, b"conv0/bias")
        bias.quantization.scale = bias.quantization.scale * 2

    refused(tmp_path, edited(stretch), "biases making 'conv0' are in other steps")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")

    def spoil(model: Any) -> None:
        model.buffers[tensor(model, b"conv0/weight").buffer].data = np.full(216, np.nan, np.float32).view(np.uint8)

    refused(tmp_path, edited(spoil, graph), "weights that are no numbers")


def test_a_small_file_cannot_ask_for_any_amount_of_memory(tmp_path: Path) -> None:
    value = image = Value("image", 3)
    ops = []
    for index in range(20):  # each doubles the channels
        made = Value(f"value{index}", value.channels * 2)
        ops.append(Concat((value, value), made))
        value = made
    graph = Graph(image, value, tuple(ops))
    spec = ModelSpec(name="a", network="", scale=1, channels=3, precision="float32", receptive_field=0)
    refused(tmp_path, model_bytes(graph, spec, (1, 1)), "more than 65,536 numbers for each pixel")


@pytest.mark.parametrize(
    ("true", "told", "words"),
    [
        (b'"size_multiple": 1', b'"size_multiple": 0', "size_multiple 0"),
        (b'"receptive_field": 4', b'"receptive_field":-4', "receptive_field -4"),
        (b'"scale": 3', b'"scale":"3', "description is not one"),
        (b'"value_range": 255', b'"value_range":  0 ', "value_range 0"),
        (b'"name": "test"', b'"name": "\\u1"', "description is not one"),
        (b'"name": "test"', b'"name": "\\na "', "name is not one line of text"),
        (b'"name": "test"', b'"name":     []', "name is not one line of text"),
    ],
)
def test_a_description_that_no_model_has_is_refused(tmp_path: Path, true: bytes, told: bytes, words: str) -> None:
    graph = abpn_like_graph()
    data = model_bytes(graph, spec_for(graph))
    assert data.count(true) == 1
    refused(tmp_path, data.replace(true, told.ljust(len(true))), words)
