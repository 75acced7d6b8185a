"""OpenVINO beside the reference backend, on graphs of every kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import MissingExtraError, ModelFileError, SettingError
from pocketsr.graph import Graph, receptive_field
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Upscaler, find_backend
from pocketsr.runtime.backends.openvino import KEPT_SIZES, OpenVINOBackend, OpenVINOSession
from sample_graphs import abpn_like_graph, attention_graph, random_chain, random_graph, spec_for

pytest.importorskip("openvino")

#: OpenVINO rescales int8 sums in float32, and joins layers; sums of float products come in another order.
INT8_LEVELS, FLOAT_LEVELS = 2, 1

INT8 = [abpn_like_graph(), abpn_like_graph(anchor="concat"), abpn_like_graph(scale=2, depth=4, seed=1)]
FLOAT = [
    abpn_like_graph(precision="float32"),
    attention_graph(),
    *(random_graph(precision="float32", seed=seed) for seed in range(3)),
]


def _file(graph: Graph, folder: Path) -> Path:
    write_model(graph, spec_for(graph), folder / "model.tflite")
    return folder / "model.tflite"


def _batch(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (1, height, width, 3), np.uint8)


def _largest(path: Path, batch: np.ndarray) -> int:
    made = [find_backend(name).load(path, threads=1)(batch).astype(int) for name in ("openvino", "reference")]
    return int(np.abs(made[0] - made[1]).max())


@pytest.mark.parametrize("graph", INT8)
@pytest.mark.parametrize("size", [(16, 18), (1, 1), (7, 40)])
def test_int8_is_within_two_levels_of_the_exact_integers(graph: Graph, size: tuple[int, int], tmp_path: Path) -> None:
    assert _largest(_file(graph, tmp_path), _batch(*size)) <= INT8_LEVELS


@pytest.mark.parametrize("graph", FLOAT)
def test_float_is_within_a_rounding(graph: Graph, tmp_path: Path) -> None:
    assert _largest(_file(graph, tmp_path), _batch(16, 18)) <= FLOAT_LEVELS


def test_ends_at_another_step_are_brought_to_grey_levels(tmp_path: Path) -> None:
    graph = random_chain(widths=[3], relus=[False], kernels=[3], precision="int8", seed=0)
    write_model(graph, spec_for(graph, scale=1), tmp_path / "scaled.tflite")
    assert _largest(tmp_path / "scaled.tflite", _batch(9, 8)) <= INT8_LEVELS


def test_only_the_last_few_sizes_are_kept(tmp_path: Path) -> None:
    session = OpenVINOBackend().load(_file(abpn_like_graph(), tmp_path), threads=1)
    assert isinstance(session, OpenVINOSession)
    assert session.spec == spec_for(abpn_like_graph())
    sizes = [(8, 8), (8, 9), (9, 8), (8, 9)]
    first = [session(_batch(*size)) for size in sizes]
    assert list(session._requests) == [(9, 8), (8, 9)]
    assert len(session._requests) == KEPT_SIZES
    assert all(np.array_equal(a, session(_batch(*size))) for a, size in zip(first, sizes, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured(threads: int, tmp_path: Path) -> None:
    session = OpenVINOBackend().load(_file(abpn_like_graph(), tmp_path), threads=threads)
    assert isinstance(session, OpenVINOSession)
    session(_batch(8, 8))
    assert session._requests[8, 8].get_compiled_model().get_property("INFERENCE_NUM_THREADS") == threads
    with pytest.raises(SettingError, match="threads needs to be from 1"):
        OpenVINOBackend().load(tmp_path / "model.tflite", threads=0)


def test_tiles_join_within_the_tolerance(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    write_model(graph, spec_for(graph, receptive_field=receptive_field(graph)), tmp_path / "m.tflite")
    tiled, whole = (Upscaler(tmp_path / "m.tflite", backend="openvino", threads=1, tile=tile) for tile in (16, None))
    image = _batch(40, 34)[0]
    assert np.abs(tiled(image).astype(int) - whole(image)).max() <= INT8_LEVELS


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pocketsr\[openvino\]'"):
        OpenVINOBackend().load(_file(abpn_like_graph(), tmp_path), threads=1)


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = _file(abpn_like_graph(), tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    for file in (path, tmp_path / "none.tflite"):
        with pytest.raises(ModelFileError, match=file.name):
            OpenVINOBackend().load(file, threads=1)


def test_importing_the_list_imports_no_runtime() -> None:
    names = ("openvino", "onnxruntime", "ai_edge_litert")
    program = f"import sys, pocketsr.runtime; assert not [name for name in {names!r} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", program], check=True)
