"""The public door: ``pocketsr.upscale``, ``load`` and ``models``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pocketsr
from pocketsr.errors import ImageFileError, OutputExistsError, PocketsrError, SettingError
from pocketsr.graph.tflite import write_model
from pocketsr.weights import entries
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), path)
    return path


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_a_loaded_model_and_the_one_call_agree(model: Path) -> None:
    upscaler = pocketsr.load(model, threads=1)
    assert upscaler.spec.scale == 3
    image = _image(20, 30, 3)
    expected = upscaler(image)
    assert np.array_equal(pocketsr.upscale(image, model, threads=1), expected)
    assert np.array_equal(pocketsr.upscale(image, str(model), backend="reference", tile=12), expected)


def test_a_file_is_read_and_given_back_as_an_array(model: Path, tmp_path: Path) -> None:
    image = _image(20, 30, 3)
    Image.fromarray(image).save(tmp_path / "in.png")
    Image.fromarray(image[:, :, 0]).save(tmp_path / "grey.png")
    assert np.array_equal(pocketsr.upscale(tmp_path / "in.png", model), pocketsr.upscale(image, model))
    assert pocketsr.upscale(str(tmp_path / "grey.png"), model).shape == (60, 90)


@pytest.mark.parametrize("shape", [(20, 30, 3), (20, 30)], ids=["colour", "grey"])
def test_with_an_output_the_file_is_written_and_its_path_given_back(
    model: Path, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    image = _image(*shape)
    Image.fromarray(image).save(tmp_path / "in.png")
    calls: list[tuple[int, int]] = []
    for source, name in ((image, "array.png"), (str(tmp_path / "in.png"), "file.png")):
        done = pocketsr.upscale(
            source, model, output=str(tmp_path / name), on_progress=lambda *call: calls.append(call)
        )
        assert done == tmp_path / name
        assert np.array_equal(np.asarray(Image.open(done)), pocketsr.upscale(image, model))
    assert calls == [(1, 1), (1, 1)]


def test_its_errors_are_of_one_family(model: Path, tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    with pytest.raises(OutputExistsError):
        pocketsr.upscale(_image(4, 4, 3), model, output=tmp_path / "there.png")
    with pytest.raises(ImageFileError):
        pocketsr.upscale(tmp_path / "none.png", model)
    with pytest.raises(SettingError):
        pocketsr.upscale(_image(4, 4, 4), model)
    with pytest.raises(SettingError):
        pocketsr.load(model, threads=0)
    for error in (OutputExistsError, ImageFileError, SettingError):
        assert issubclass(error, pocketsr.PocketsrError)
    assert pocketsr.PocketsrError is PocketsrError


def test_models_are_the_entries_of_the_catalogue() -> None:
    assert pocketsr.models() == entries()
