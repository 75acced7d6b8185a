"""Model files: what is written is what is read, and what is wrong with a file is said."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.errors import ModelFileError
from pocketsr.graph import Conv2D, Graph, Op, Value, execute
from pocketsr.graph.tflite import DEFAULT_SIZE, model_bytes, read_model, read_spec, write_model
from pocketsr.spec import Precision
from sample_graphs import abpn_like_graph, random_graph, random_image, run_litert, spec_for

seeds = st.integers(0, 2**31)


def written(folder: Path, graph: Graph) -> Path:
    path = folder / "model.tflite"
    write_model(graph, spec_for(graph), path)
    return path


def unpacked(data: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def packed(model: schema.ModelT) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


# -- what is written is what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("anchor", ["conv", "concat"])
def test_a_model_file_gives_back_its_graph_and_spec(tmp_path: Path, precision: Precision, anchor: str) -> None:
    graph = abpn_like_graph(precision=precision, anchor=anchor)
    spec = dataclasses.replace(spec_for(graph), licence="CC0-1.0", scores={"Set5 RGB PSNR dB": 31.25})
    path = tmp_path / "model.tflite"
    write_model(graph, spec, path)
    assert read_model(path) == (graph, spec)
    assert read_spec(path) == spec


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["int8", "float32"]))
def test_every_operator_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, seed: int, precision: Precision
) -> None:
    graph = random_graph(precision=precision, seed=seed, length=6)
    path = written(tmp_path_factory.mktemp("models"), graph)
    read, spec = read_model(path)
    assert read == graph
    assert model_bytes(read, spec) == path.read_bytes()


def test_equality_of_graphs_looks_at_the_weights(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    first = graph.ops[0]
    assert isinstance(first, Conv2D)
    changed = first.weight.copy()
    changed[0, 0, 0, 0] ^= 1
    other = dataclasses.replace(graph, ops=(dataclasses.replace(first, weight=changed), *graph.ops[1:]))
    assert read_model(written(tmp_path, other))[0] != graph


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_equal_graphs_give_equal_bytes(precision: Precision) -> None:
    graphs = [abpn_like_graph(precision=precision, seed=8) for _ in range(2)]
    assert model_bytes(graphs[0], spec_for(graphs[0])) == model_bytes(graphs[1], spec_for(graphs[1]))


def test_writing_replaces_an_older_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, abpn_like_graph(seed=1))
    before = path.read_bytes()
    assert written(tmp_path, abpn_like_graph(seed=2)).read_bytes() != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = written(tmp_path, abpn_like_graph(seed=1))
    before = path.read_bytes()
    graph = abpn_like_graph(seed=2)
    with pytest.raises(ModelFileError, match="says enlargement"):
        write_model(graph, spec_for(graph, scale=4), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]


# -- what readers other than ours see ---------------------------------------------------------------------------------


def test_the_image_size_is_open_and_starts_at_the_default() -> None:
    graph = abpn_like_graph()
    details = Interpreter(model_content=model_bytes(graph, spec_for(graph))).get_input_details()[0]
    assert details["shape"].tolist() == [1, *DEFAULT_SIZE, 3]
    assert details["shape_signature"].tolist() == [1, -1, -1, 3]


def test_a_file_runs_at_its_written_size_without_resizing() -> None:
    graph = abpn_like_graph()
    interpreter = Interpreter(model_content=model_bytes(graph, spec_for(graph), size=(6, 10)), num_threads=1)
    interpreter.allocate_tensors()
    image = random_image(graph, 6, 10)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    made = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.array_equal(made, execute(graph, image))


def test_the_written_size_does_not_change_what_is_computed() -> None:
    graph = abpn_like_graph()
    image = random_image(graph, 7, 9)
    small, large = (
        run_litert(model_bytes(graph, spec_for(graph), size=size), [image])[0] for size in ((1, 1), (30, 40))
    )
    assert np.array_equal(small, large)


def test_the_signature_names_both_ends() -> None:
    graph = abpn_like_graph()
    signatures = Interpreter(model_content=model_bytes(graph, spec_for(graph))).get_signature_list()
    assert signatures == {"serving_default": {"inputs": ["image"], "outputs": ["upscaled"]}}


@pytest.mark.parametrize(("precision", "convolution", "addition"), [("int8", 3, 2), ("float32", 1, 1)])
def test_operator_versions_are_those_tensorflow_writes(precision: Precision, convolution: int, addition: int) -> None:
    graph = abpn_like_graph(precision=precision)
    codes = {code.builtinCode: code.version for code in unpacked(model_bytes(graph, spec_for(graph))).operatorCodes}
    assert codes[schema.BuiltinOperator.CONV_2D] == convolution
    assert codes[schema.BuiltinOperator.ADD] == addition


def test_depthwise_convolutions_take_their_own_operator() -> None:
    image, output = Value("image", 4), Value("output", 8)
    op = Conv2D((image,), output, np.ones((8, 3, 3, 1), np.float32), np.zeros(8, np.float32), groups=4)
    graph = Graph(image, output, (op,))
    model = unpacked(model_bytes(graph, spec_for(graph)))
    assert [code.builtinCode for code in model.operatorCodes] == [schema.BuiltinOperator.DEPTHWISE_CONV_2D]


def test_bias_scales_are_input_scale_times_weight_scale() -> None:
    graph = abpn_like_graph()
    first, second = (op for op in graph.ops[:2] if isinstance(op, Conv2D))
    tensors = {
        tensor.name.decode(): tensor for tensor in unpacked(model_bytes(graph, spec_for(graph))).subgraphs[0].tensors
    }
    assert first.weight_scale is not None
    assert second.weight_scale is not None
    assert np.array_equal(tensors["conv0/bias"].quantization.scale, first.weight_scale)  # the image's scale is 1
    source = second.inputs[0].quantisation
    assert source is not None
    assert np.array_equal(tensors["conv1/bias"].quantization.scale, np.float32(source.scale) * second.weight_scale)


# -- what is wrong with a file is said --------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"there is no model file .*absent\.tflite"):
        read_model(tmp_path / "absent.tflite")


def test_a_name_that_the_system_refuses_is_a_model_file_error() -> None:
    with pytest.raises(ModelFileError, match="cannot be read: File name too long"):
        read_model(Path("a" * 300 + ".tflite"))


def test_a_file_larger_than_the_format_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.tflite").open("wb") as file:
        file.truncate(2**31)  # takes no room on the disk
    with pytest.raises(ModelFileError, match=r"a\.tflite is no model file: it has 2,147,483,648 bytes"):
        read_model(tmp_path / "a.tflite")


@pytest.mark.parametrize("content", [b"", b"TFL3", b"<html>404 not found</html>", b"\x89PNG\r\n\x1a\n" * 4])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    for read in (read_model, read_spec):
        with pytest.raises(ModelFileError, match=r"model\.tflite is not a \.tflite model file"):
            read(path)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float) -> None:
    path = written(tmp_path, abpn_like_graph())
    data = path.read_bytes()
    path.write_bytes(data[: max(8, int(len(data) * part))])
    with pytest.raises(ModelFileError, match=r"model\.tflite: the file is damaged or cut short"):
        read_model(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_harmless_but_never_another_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("models") / "model.tflite"
    graph = abpn_like_graph(channels=2, depth=1, scale=2)
    data = bytearray(model_bytes(graph, spec_for(graph)))
    data[position % len(data)] ^= flip
    path.write_bytes(data)
    with contextlib.suppress(ModelFileError):
        read_model(path)


def edited(model: schema.ModelT, what: str) -> None:
    """Change one thing that pocketsr never writes."""
    subgraph = model.subgraphs[0]
    options = [operator.builtinOptions for operator in subgraph.operators]
    if what == "operator":
        model.operatorCodes[0].builtinCode = schema.BuiltinOperator.LSTM
        model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.LSTM
    elif what == "stride":
        options[0].strideH = 2
    elif what == "activation":
        options[0].fusedActivationFunction = schema.ActivationFunctionType.TANH
    elif what == "axis":
        next(option for option in options if isinstance(option, schema.ConcatenationOptionsT)).axis = 1
    else:
        raise ValueError(what)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("operator", "operator LSTM is not one that pocketsr knows"),
        ("stride", "strides and dilations of convolutions must be 1"),
        ("activation", "activation number 4 is not one pocketsr uses"),
        ("axis", "concatenation is known on the channel axis only, not on axis 1"),
    ],
)
def test_what_we_do_not_know_is_refused_by_name(tmp_path: Path, what: str, words: str) -> None:
    path = written(tmp_path, abpn_like_graph(anchor="concat"))
    model = unpacked(path.read_bytes())
    edited(model, what)
    path.write_bytes(packed(model))
    with pytest.raises(ModelFileError, match=rf"model\.tflite: {words}"):
        read_model(path)


def test_an_operator_without_a_form_in_files_is_refused() -> None:
    image, output = Value("image", 3), Value("output", 3)
    graph = Graph(image, output, (Op((image,), output),))
    with pytest.raises(ModelFileError, match=r"a \.tflite cannot hold the operator Op"):
        model_bytes(graph, spec_for(graph))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"scale": 2}, "enlargement"), ({"precision": "float32"}, "precision"), ({"channels": 1}, "number of channels")],
)
def test_a_spec_that_contradicts_its_graph_is_not_written(change: dict[str, object], words: str) -> None:
    graph = abpn_like_graph()
    with pytest.raises(ModelFileError, match=f"the spec of 'test' says {words}"):
        model_bytes(graph, dataclasses.replace(spec_for(graph), **change))
