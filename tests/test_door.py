"""The public door: ``pocketsr.upscale``, ``load`` and ``models``."""

from __future__ import annotations

import io
import subprocess
import sys
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
        pocketsr.upscale(_image(4, 4, 5), model)
    with pytest.raises(SettingError):
        pocketsr.load(model, threads=0)
    for error in (OutputExistsError, ImageFileError, SettingError):
        assert issubclass(error, pocketsr.PocketsrError)
    assert pocketsr.PocketsrError is PocketsrError


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_an_array_comes_back_as_its_own_kind(shape: tuple[int, ...], dtype: type) -> None:
    image = _image(*shape)
    kinds = {np.uint8: 1, np.uint16: 257}
    given = image.astype(dtype) * dtype(kinds[dtype]) if dtype in kinds else (image / 255).astype(dtype)
    made = pocketsr.upscale(given, threads=1)
    assert (made.dtype, made.shape) == (given.dtype, (60, 90, *shape[2:]))
    assert given.max() / 2 < made.max() <= (np.iinfo(dtype).max if dtype in kinds else 1)


@pytest.mark.parametrize(("mode", "back"), [("L", "L"), ("LA", "LA"), ("RGB", "RGB"), ("RGBA", "RGBA"), ("1", "L")])
def test_an_image_of_pillow_comes_back_as_one(model: Path, mode: str, back: str) -> None:
    image = Image.fromarray(_image(20, 30, 4)).convert(mode)
    image.info["icc_profile"] = b"\0" * 16 + b"RGB " + b"\0" * 108
    made = pocketsr.upscale(image, model, scale=2, threads=1)
    assert (made.mode, made.size) == (back, (60, 40))
    assert made.info["icc_profile"] == image.info["icc_profile"]


def test_sixteen_bits_of_pillow_stay() -> None:
    image = Image.fromarray(_image(20, 30).astype(np.uint16) * 257)
    assert pocketsr.upscale(image, threads=1).mode == "I;16"


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
def test_bytes_come_back_as_bytes_of_their_format(model: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"in.{ending}"
    Image.fromarray(_image(20, 30, 3)).save(path)
    made = pocketsr.upscale(path.read_bytes(), model, scale=2.5, threads=1)
    with Image.open(io.BytesIO(made)) as image, Image.open(path) as source:
        assert (image.format, image.size) == (source.format, (75, 50))
    done = pocketsr.upscale(path.read_bytes(), model, output=tmp_path / "out.png", threads=1)
    with Image.open(done) as image:
        assert image.size == (90, 60)


def test_a_scale_that_no_model_has_is_reached_all_the_same(tmp_path: Path) -> None:
    for scale, shape in ((2, (40, 60, 3)), (1.3, (26, 39, 3)), (4, (80, 120, 3)), (8, (160, 240, 3))):
        assert pocketsr.upscale(_image(20, 30, 3), scale=scale, threads=1).shape == shape
    Image.fromarray(_image(20, 30, 3)).save(tmp_path / "in.png")
    assert pocketsr.upscale(tmp_path / "in.png", scale=2, threads=1).shape == (40, 60, 3)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(SettingError, match="are none"):
        pocketsr.upscale(np.full((4, 4), np.nan, np.float32))
    with pytest.raises(SettingError, match=r"floating point of 0\.\.1, not int64"):
        pocketsr.upscale(np.zeros((4, 4), np.int64))


def test_models_are_the_entries_of_the_catalogue() -> None:
    assert pocketsr.models() == entries()


def test_the_class_of_what_is_loaded_is_at_the_door() -> None:
    assert isinstance(pocketsr.load(threads=1), pocketsr.Upscaler)
    with pytest.raises(AttributeError, match="no attribute 'upscaler'"):
        _ = pocketsr.upscaler


def test_importing_it_loads_neither_numpy_nor_a_runtime() -> None:
    words = "import sys, pocketsr; print([name for name in ('numpy', 'PIL', 'ai_edge_litert') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_budget_of_memory_changes_nothing_but_tiles(model: Path) -> None:
    image = _image(200, 300, 3)
    assert np.array_equal(pocketsr.upscale(image, model, memory_mb=10), pocketsr.upscale(image, model))
    with pytest.raises(SettingError, match="allow more memory"):
        pocketsr.upscale(_image(20, 20000, 3), model, memory_mb=1)
    with pytest.raises(SettingError, match="memory_mb chooses the tile"):
        pocketsr.load(model, tile=64, memory_mb=10)
