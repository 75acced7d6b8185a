from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.graph import Quantisation, execute
from pocketsr.graph.tflite import write_model
from pocketsr.runtime.backends import litert
from pocketsr.runtime.backends.litert import KEPT_SIZES, LiteRTBackend, LiteRTSession
from sample_graphs import abpn_like_graph, random_chain, spec_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    graph = abpn_like_graph()
    write_model(graph, spec_for(graph), tmp_path / "model.tflite")
    return tmp_path / "model.tflite"


def _batch(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (1, height, width, 3), np.uint8)


def test_a_session_knows_the_description_of_its_file(path: Path) -> None:
    assert LiteRTBackend().load(path, threads=1).spec == spec_for(abpn_like_graph())


def test_only_the_last_few_sizes_are_kept(path: Path) -> None:
    session = LiteRTBackend().load(path, threads=1)
    assert isinstance(session, LiteRTSession)
    sizes = [(8, 8), (8, 9), (9, 8), (8, 9)]
    first = [session(_batch(*size)) for size in sizes]
    assert list(session._interpreters) == [(9, 8), (8, 9)]
    assert len(session._interpreters) == KEPT_SIZES
    again = [session(_batch(*size)) for size in sizes]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_threads_that_share_a_session_take_turns(path: Path) -> None:
    session = LiteRTBackend().load(path, threads=1)
    batches = [_batch(20, 20 + index) for index in range(4)]
    expected = [session(batch) for batch in batches]
    made: dict[tuple[int, int], np.ndarray] = {}

    def work(index: int) -> None:
        for turn in range(5):
            made[index, turn] = session(batches[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 20
    assert all(np.array_equal(result, expected[index]) for (index, _), result in made.items())


@pytest.mark.parametrize("kept", [0, 3, 200, 0.5, -1])
def test_a_file_that_is_cut_short_is_refused(path: Path, kept: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else int(kept)])
    with pytest.raises(ModelFileError, match=r"model\.tflite"):
        LiteRTBackend().load(path, threads=1)


def test_a_file_that_is_missing_or_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("this is not a model, whatever its name says")
    for name in ("text.tflite", "none.tflite"):
        with pytest.raises(ModelFileError, match=name):
            LiteRTBackend().load(tmp_path / name, threads=1)


@pytest.mark.parametrize(
    ("told", "words"),
    [(b'"scale": 2', "says enlargement 2, the graph has 3"), (b'"channels": 1', "says number of channels 1")],
)
def test_a_file_that_contradicts_its_description_is_refused(path: Path, told: bytes, words: str) -> None:
    true = told[:-1] + b"3"
    data = path.read_bytes()
    assert data.count(true) == 1
    path.write_bytes(data.replace(true, told))
    with pytest.raises(ModelFileError, match=words):
        LiteRTBackend().load(path, threads=1)


def test_an_output_of_another_step_is_brought_to_grey_levels(tmp_path: Path) -> None:
    graph = random_chain(widths=[3], relus=[False], kernels=[3], precision="int8", seed=0)
    assert graph.output.quantisation != Quantisation(1.0, -128)
    write_model(graph, spec_for(graph, scale=1), tmp_path / "scaled.tflite")
    batch = _batch(9, 8)
    levels = execute(graph, (batch.astype(np.int16) - 128).astype(np.int8)).astype(np.float64)
    real = (levels - graph.output.quantisation.zero_point) * graph.output.quantisation.scale
    expected = np.clip(np.rint(real), 0, 255)
    assert np.array_equal(LiteRTBackend().load(tmp_path / "scaled.tflite", threads=1)(batch), expected)


def test_no_threads_are_refused(path: Path) -> None:
    with pytest.raises(SettingError, match="threads needs to be from 1"):
        LiteRTBackend().load(path, threads=0)


def test_the_runtime_says_nothing_and_others_are_still_heard(path: Path) -> None:
    program = (
        "import os, numpy as np\n"
        "from pathlib import Path\n"
        "from pocketsr.runtime import find_backend\n"
        "from pocketsr.image import chatter\n"
        f"session = find_backend('litert').load(Path({str(path)!r}), threads=1)\n"
        "session(np.zeros((1, 8, 8, 3), np.uint8))\n"
        "with chatter.without_chatter():\n"
        "    os.write(2, b'INFO: chatter\\nWARNING: heard\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "WARNING: heard\n"


def test_importing_the_backend_does_not_import_the_runtime() -> None:
    program = f"import sys, {litert.__name__}; assert 'ai_edge_litert' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
