"""Model files that TensorFlow's converter wrote are read and run as ours are.

``golden/tensorflow-*.tflite`` are ABPN's shape, 4 channels, ×2, random weights, from TensorFlow 2.21's TFLiteConverter:
float32, and full-integer with uint8 ends (QUANTIZE, CONCATENATION, a RELU that requantises, MINIMUM, −1 for H and W).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import ModelFileError
from pocketsr.evaluate import evaluate, find_protocol
from pocketsr.graph import Conv2D, Graph, Value, execute
from pocketsr.graph.tflite import model_bytes, read_model, read_spec, write_model
from pocketsr.runtime import Upscaler
from pocketsr.runtime.backends.litert import LiteRTBackend
from pocketsr.runtime.backends.reference import ReferenceBackend
from sample_graphs import abpn_like_graph, spec_for

GOLDEN = Path(__file__).parents[1] / "golden"
UINT8, FLOAT = GOLDEN / "tensorflow-uint8.tflite", GOLDEN / "tensorflow-float.tflite"


def image(height: int = 13, width: int = 17) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("path", "precision"), [(UINT8, "int8"), (FLOAT, "float32")])
def test_the_description_is_made_from_the_graph(path: Path, precision: str) -> None:
    spec = read_spec(path)
    assert (spec.name, spec.scale, spec.channels, spec.precision) == (path.stem, 2, 3, precision)
    assert spec.receptive_field == 4
    assert spec.licence == ""


@pytest.mark.parametrize("path", [UINT8, FLOAT])
def test_both_backends_run_it_to_the_same_pixels(path: Path) -> None:
    ours, theirs = (backend.load(path, threads=1)(image()[None]) for backend in (ReferenceBackend(), LiteRTBackend()))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("path", [UINT8, FLOAT])
def test_tiles_join_without_a_seam(path: Path) -> None:
    whole, tiled = (Upscaler(path, threads=1, tile=tile)(image(30, 41)) for tile in (None, 14))
    assert np.array_equal(whole, tiled)


def test_written_again_it_gives_the_same_pixels(tmp_path: Path) -> None:
    graph, spec = read_model(UINT8)
    write_model(graph, spec, tmp_path / "ours.tflite")
    first, second = (LiteRTBackend().load(path, threads=1)(image()[None]) for path in (UINT8, tmp_path / "ours.tflite"))
    assert np.array_equal(first, second)


def test_our_file_without_its_description_is_read_as_anybody_s(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    data = model_bytes(graph, spec_for(graph))
    (tmp_path / "bare.tflite").write_bytes(data.replace(b"pocketsr_spec", b"somebody_spec"))
    read, spec = read_model(tmp_path / "bare.tflite")
    assert spec.name == "bare"
    pixels = (image()[None].astype(np.int16) - 128).astype(np.int8)
    assert np.array_equal(execute(read, pixels), execute(graph, pixels))


def test_a_model_that_does_not_enlarge_images_is_refused(tmp_path: Path) -> None:
    source, made = Value("image", 3), Value("made", 5)
    weight = np.zeros((5, 1, 1, 3), np.float32)
    graph = Graph(source, made, (Conv2D((source,), made, weight, np.zeros(5, np.float32)),))
    data = model_bytes(graph, spec_for(graph)).replace(b"pocketsr_spec", b"somebody_spec")
    (tmp_path / "classifier.tflite").write_bytes(data)
    with pytest.raises(ModelFileError, match="does not enlarge images"):
        read_spec(tmp_path / "classifier.tflite")


def test_it_is_evaluated_as_ours_are(image_folder: Path) -> None:
    report = evaluate(Upscaler(UINT8, threads=1), image_folder, scale=2, protocols=[find_protocol("abpn")])
    assert 0 < report.mean("abpn").psnr_db < 60
