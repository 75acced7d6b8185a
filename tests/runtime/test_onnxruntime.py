"""ONNX Runtime beside the reference backend; files of others, which carry no description."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import MissingExtraError, ModelFileError, SettingError
from pocketsr.graph import Graph
from pocketsr.graph.tflite import SPEC_ENTRY, write_model
from pocketsr.runtime import Upscaler, find_backend, model_path
from pocketsr.runtime.backends import onnxruntime as ours
from pocketsr.runtime.backends.onnxruntime import ONNXRuntimeBackend, ONNXRuntimeSession
from sample_graphs import abpn_like_graph, attention_graph, random_graph, spec_for

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

#: Sums of float products come in another order, so a value near a half may round either way.
FLOAT_LEVELS = 1

GRAPHS = [
    abpn_like_graph(precision="float32"),
    abpn_like_graph(precision="float32", anchor="concat"),
    attention_graph(),
    *(random_graph(precision="float32", seed=seed) for seed in range(3)),
]


def _files(graph: Graph, folder: Path) -> tuple[Path, Path]:
    from pocketsr.lower.onnx import onnx_bytes

    write_model(graph, spec_for(graph), folder / "m.tflite")
    (folder / "m.onnx").write_bytes(onnx_bytes(graph, spec_for(graph)))
    return folder / "m.onnx", folder / "m.tflite"


def _batch(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (1, height, width, 3), np.uint8)


def _foreign(path: Path, *, white: int, factor: int = 2, fixed: int | None = None, channels: int = 3) -> Path:
    """Write a file as others do: nearest enlargement, clipped to its white, without metadata."""
    from onnx import TensorProto, helper, numpy_helper

    constants = [
        numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "factors"),
        numpy_helper.from_array(np.array(0, np.float32), "black"),
        numpy_helper.from_array(np.array(white, np.float32), "white"),
    ]
    nodes = [
        helper.make_node("Resize", ["in", "", "factors"], ["large"], mode="nearest"),
        helper.make_node("Clip", ["large", "black", "white"], ["out"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, side, side])
        for name, side in (("in", fixed), ("out", None))
    ]
    graph = helper.make_graph(nodes, "foreign", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("size", [(16, 18), (7, 30)])
def test_it_is_within_a_rounding_of_the_reference(graph: Graph, size: tuple[int, int], tmp_path: Path) -> None:
    file, other = _files(graph, tmp_path)
    made = find_backend("onnxruntime").load(file, threads=1)
    expected = find_backend("reference").load(other)
    assert made.spec == expected.spec
    assert np.abs(made(_batch(*size)).astype(int) - expected(_batch(*size))).max() <= FLOAT_LEVELS


def test_an_upscaler_chooses_it_for_an_onnx_file_by_itself(tmp_path: Path) -> None:
    file, other = _files(GRAPHS[0], tmp_path)
    image = _batch(20, 30)[0]
    assert np.abs(Upscaler(file, threads=1)(image).astype(int) - Upscaler(other, threads=1)(image)).max() <= 1
    assert model_path("mine.onnx") == Path("mine.onnx")


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("fixed", [None, 8])
def test_a_file_of_someone_else_is_asked_what_it_is(white: int, fixed: int | None, tmp_path: Path) -> None:
    session = ONNXRuntimeBackend().load(_foreign(tmp_path / "theirs.onnx", white=white, fixed=fixed), threads=1)
    spec = session.spec
    assert (spec.name, spec.scale, spec.channels, spec.value_range) == ("theirs", 2, 3, white)
    assert spec.receptive_field is None, "it is run whole"
    batch = _batch(8, 8)
    assert np.array_equal(session(batch), batch.repeat(2, axis=1).repeat(2, axis=2))


def test_a_size_that_the_file_does_not_take_is_refused(tmp_path: Path) -> None:
    session = ONNXRuntimeBackend().load(_foreign(tmp_path / "theirs.onnx", white=1, fixed=8), threads=1)
    with pytest.raises(ModelFileError, match=r"cannot run .*theirs\.onnx on 9×8 pixels"):
        session(_batch(9, 8))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured(threads: int, tmp_path: Path) -> None:
    session = ONNXRuntimeBackend().load(_files(GRAPHS[0], tmp_path)[0], threads=threads)
    assert isinstance(session, ONNXRuntimeSession)
    assert session._runtime.get_session_options().intra_op_num_threads == threads
    with pytest.raises(SettingError, match="threads needs to be from 1"):
        ONNXRuntimeBackend().load(tmp_path / "m.onnx", threads=0)


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pocketsr\[onnxruntime\]'"):
        ONNXRuntimeBackend().load(tmp_path / "m.onnx")


def test_files_that_it_does_not_run_are_refused_with_a_word(tmp_path: Path) -> None:
    file, other = _files(GRAPHS[0], tmp_path)
    (tmp_path / "cut.onnx").write_bytes(file.read_bytes()[:100])
    _foreign(tmp_path / "shrinks.onnx", white=1, factor=0)
    _foreign(tmp_path / "two.onnx", white=1, channels=2)
    for path, words in (
        (other, "onnxruntime runs .onnx files"),
        (tmp_path / "none.onnx", "there is no model file"),
        (tmp_path / "cut.onnx", "damaged or no ONNX file"),
        (tmp_path / "shrinks.onnx", "shrinks"),
        (tmp_path / "two.onnx", "1 or 3"),
    ):
        with pytest.raises(ModelFileError, match=words):
            ONNXRuntimeBackend().load(path, threads=1)
    with pytest.raises(ModelFileError, match="--backend onnxruntime"):
        find_backend("litert").load(file)


def test_the_description_s_key_is_that_of_the_writer() -> None:
    assert ours._SPEC_ENTRY == SPEC_ENTRY


def test_a_description_of_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    file, _ = _files(GRAPHS[0], tmp_path)
    model = onnx.load(str(file))
    told = dataclasses.replace(spec_for(GRAPHS[0]), channels=1).to_json()
    onnx.helper.set_model_props(model, {SPEC_ENTRY: told})
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="says 1 channels, its input has 3"):
        ONNXRuntimeBackend().load(file, threads=1)


def test_a_graphics_card_is_asked_for_and_never_silently_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no NVIDIA device here: what is offered and what a session got are stood in for."""
    import onnxruntime

    file, _ = _files(GRAPHS[0], tmp_path)
    cuda = find_backend("onnxruntime-cuda")
    assert (cuda.device, find_backend("onnxruntime").device) == ("cuda", "cpu")
    with pytest.raises(MissingExtraError, match="pip install onnxruntime-gpu in its place"):
        cuda.load(file, threads=1)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [ours._CUDA, "CPUExecutionProvider"])
    asked = []
    real = onnxruntime.InferenceSession

    def session(content: bytes, options: object, providers: list[str]) -> object:
        asked.append(providers)
        return real(content, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.raises(ModelFileError, match="finds no NVIDIA device"):
        cuda.load(file, threads=1)
    monkeypatch.setattr(real, "get_providers", lambda _: [ours._CUDA, "CPUExecutionProvider"])
    assert cuda.load(file, threads=1)(_batch(6, 7)).shape == (1, 18, 21, 3)
    assert asked == [[ours._CUDA, "CPUExecutionProvider"]] * 2
