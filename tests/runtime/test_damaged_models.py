"""A damaged model file is refused in one line, or runs; the process survives either way.

Before files were read whole and written again for the runtime, one in six hundred of these ended the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mutations import truncations
from pocketsr.errors import ModelFileError
from pocketsr.graph.tflite import model_bytes
from pocketsr.runtime import Upscaler, model_path
from pocketsr.runtime.backends.reference import ReferenceBackend
from pocketsr.weights import catalogue
from sample_graphs import abpn_like_graph, attention_graph, random_graph, spec_for

TESTS = Path(__file__).parents[1]
GRAPHS = (
    abpn_like_graph(channels=4, depth=1, scale=2),
    abpn_like_graph(channels=4, depth=1, scale=2, precision="float32"),
    abpn_like_graph(channels=4, depth=1, scale=2, anchor="concat"),
    random_graph(precision="int8", seed=3, length=6),
    attention_graph(),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files, where most bytes are structure, and one of real weights, and one of another writer."""
    files = [model_bytes(graph, spec_for(graph)) for graph in GRAPHS]
    files += [model_path("abpn-x3").read_bytes(), (TESTS / "golden" / "tensorflow-uint8.tflite").read_bytes()]
    for index, data in enumerate(files):
        (tmp_path / f"original-{index}.tflite").write_bytes(data)
    return tmp_path


def try_models(folder: Path, first: int, last: int) -> dict[str, int]:
    command = [sys.executable, str(Path(__file__).with_name("try_models.py")), str(folder), str(first), str(last)]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, f"file {(folder / 'last').read_text()} ended with {done.returncode}: {done.stderr}"
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_three_hundred_damaged_files_are_refused_or_run(folder: Path) -> None:
    counts = try_models(folder, 0, 300)
    assert sum(counts.values()) == 300
    assert min(counts.values()) > 30


@pytest.mark.slow
def test_two_thousand_more_are_refused_or_run(folder: Path) -> None:
    assert sum(try_models(folder, 1000, 3000).values()) == 2000


@pytest.mark.parametrize("index", range(len(GRAPHS)))
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, index: int) -> None:
    path = tmp_path / "cut.tflite"
    for data in truncations(model_bytes(GRAPHS[index], spec_for(GRAPHS[index]))):
        path.write_bytes(data)
        for backend in ("litert", "reference"):
            with pytest.raises(ModelFileError, match=r"cut\.tflite"):
                Upscaler(path, backend=backend, threads=1)


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 6])
def test_what_the_runtime_is_given_computes_what_the_file_says(folder: Path, index: int) -> None:
    path = folder / f"original-{index}.tflite"
    image = np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8)
    ours, theirs = (Upscaler(path, backend=backend, threads=1)(image) for backend in (ReferenceBackend(), "litert"))
    assert np.abs(ours.astype(int) - theirs).max() <= (0 if "float" not in str(GRAPHS[index % 5].precision) else 1)


def test_a_bundled_model_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = catalogue.find("abpn-x3")
    (tmp_path / "catalogue.toml").write_bytes((real.path.parent / "catalogue.toml").read_bytes())
    data = bytearray(real.path.read_bytes())
    data[len(data) // 2] ^= 1  # a weight: the file stays a good one
    for entry in catalogue.bundled():
        (tmp_path / entry.file).write_bytes(bytes(data) if entry.name == "abpn-x3" else entry.path.read_bytes())
    changed = catalogue.read_catalogue(tmp_path / "catalogue.toml")
    monkeypatch.setattr(catalogue, "bundled", lambda: changed)
    with pytest.raises(ModelFileError, match=r"was changed: it has SHA-256 .*; get the bank again"):
        Upscaler("abpn-x3", threads=1)
    Upscaler("abpn-x3-float", threads=1)
