from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.errors import ModelFileError, SettingError, UnknownNameError
from pocketsr.graph import DepthToSpace, Graph, Value, receptive_field
from pocketsr.graph.tflite import write_model
from pocketsr.image import rgb_to_grey
from pocketsr.runtime import BACKENDS, Upscaler, model_path, tiling
from pocketsr.runtime.backend import Backend, Pixels, Session
from pocketsr.spec import ModelSpec, Precision
from sample_graphs import abpn_like_graph, repeat_conv, spec_for
from sample_models import InMemory

#: LiteRT sums float products in another order for another image size, so a value near a half may round either way.
FLOAT_TILING_LEVELS = 1

#: Those that keep int8 exact; the others have a tolerance and tests of their own.
_BACKENDS = [backend.name for backend in BACKENDS if backend.is_exact]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, Path]:
    folder = tmp_path_factory.mktemp("models")
    paths: dict[Precision, Path] = {"int8": folder / "int8.tflite", "float32": folder / "float32.tflite"}
    for precision, path in paths.items():
        graph = abpn_like_graph(precision=precision)
        write_model(graph, spec_for(graph, receptive_field=receptive_field(graph)), path)
    return paths


def _image(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@contextmanager
def _whole_images() -> Iterator[None]:
    """Let every image be one tile."""
    with mock.patch.object(tiling, "WINDOW_PIXELS", 1 << 30):
        yield


@pytest.mark.parametrize("backend", _BACKENDS)
@settings(deadline=None, max_examples=10)
@given(height=st.integers(1, 40), width=st.integers(1, 40), tile=st.integers(10, 40), seed=st.integers(0, 99))
def test_tiles_give_the_whole_image_bit_for_bit_in_int8(
    models: dict[Precision, Path], backend: str, height: int, width: int, tile: int, seed: int
) -> None:
    image = _image(height, width, seed)
    tiled = Upscaler(models["int8"], backend=backend, threads=1, tile=tile)(image)
    with _whole_images():
        whole = Upscaler(models["int8"], backend=backend, threads=1)(image)
    assert tiled.shape == (3 * height, 3 * width, 3)
    assert np.array_equal(tiled, whole)


@pytest.mark.parametrize("backend", _BACKENDS)
@settings(deadline=None, max_examples=8)
@given(height=st.integers(1, 50), width=st.integers(1, 50), tile=st.integers(9, 40))
def test_tiles_give_the_whole_image_to_a_rounding_in_float(
    models: dict[Precision, Path], backend: str, height: int, width: int, tile: int
) -> None:
    image = _image(height, width)
    tiled = Upscaler(models["float32"], backend=backend, threads=1, tile=tile)(image)
    whole = Upscaler(models["float32"], backend=backend, threads=1)(image)
    differences = np.abs(tiled.astype(int) - whole)
    assert differences.max() <= FLOAT_TILING_LEVELS
    assert (differences > 0).mean() < 0.01


def test_a_reach_that_is_too_small_would_show(models: dict[Precision, Path], tmp_path: Path) -> None:
    graph = abpn_like_graph()
    write_model(graph, spec_for(graph, receptive_field=receptive_field(graph) - 1), tmp_path / "short.tflite")
    image = _image(40, 40)
    short = Upscaler(tmp_path / "short.tflite", threads=1, tile=20)(image)
    assert not np.array_equal(short, Upscaler(models["int8"], threads=1)(image))


@settings(deadline=None, max_examples=12)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_litert_equals_the_reference_in_int8(models: dict[Precision, Path], height: int, width: int, seed: int) -> None:
    image = _image(height, width, seed)
    made = [Upscaler(models["int8"], backend=backend, threads=1)(image) for backend in _BACKENDS]
    assert np.array_equal(*made)


def test_litert_equals_the_reference_to_a_rounding_in_float(models: dict[Precision, Path]) -> None:
    image = _image(40, 30)
    made = [Upscaler(models["float32"], backend=backend, threads=1)(image).astype(int) for backend in _BACKENDS]
    assert np.abs(made[0] - made[1]).max() <= FLOAT_TILING_LEVELS


@pytest.mark.parametrize("shape", [(45, 37, 3), (45, 37), (8, 60, 3), (1, 1, 3)], ids=str)
def test_strips_one_above_the_other_are_the_image(models: dict[Precision, Path], shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    upscaler = Upscaler(models["int8"], threads=1, tile=16)
    strips = list(upscaler.strips(image))
    assert len(strips) > 1 or shape[0] <= 16
    assert np.array_equal(np.concatenate(strips), upscaler(image))


@pytest.mark.parametrize("shape", [(45, 37, 3), (5, 5)], ids=str)
def test_progress_counts_every_tile_once(models: dict[Precision, Path], shape: tuple[int, ...]) -> None:
    calls: list[tuple[int, int]] = []
    upscaler = Upscaler(models["int8"], threads=1, tile=16)
    upscaler(np.zeros(shape, np.uint8), on_progress=lambda done, total: calls.append((done, total)))
    total = calls[-1][1]
    assert calls == [(done, total) for done in range(1, total + 1)]
    assert total > 1 or shape == (5, 5)
    again: list[tuple[int, int]] = []
    list(upscaler.strips(np.zeros(shape, np.uint8), on_progress=lambda *call: again.append(call)))
    assert again == calls


def test_grey_is_the_luma_of_grey_run_as_colour(models: dict[Precision, Path]) -> None:
    grey = _image(20, 30)[:, :, 0]
    upscaler = Upscaler(models["int8"], threads=1, tile=16)
    assert np.array_equal(upscaler(grey), rgb_to_grey(upscaler(np.dstack([grey] * 3))))


def test_an_image_may_be_a_view_with_strides(models: dict[Precision, Path]) -> None:
    image = _image(40, 60)
    upscaler = Upscaler(models["int8"], threads=1, tile=16)
    view = image[::-2, 5:50:3, ::-1]
    assert np.array_equal(upscaler(view), upscaler(view.copy()))


def test_the_image_is_not_changed_and_the_same_again_gives_the_same(models: dict[Precision, Path]) -> None:
    image = _image(30, 20)
    before = image.copy()
    upscaler = Upscaler(models["int8"], threads=1)
    first = upscaler(image)
    upscaler(_image(20, 30))
    assert np.array_equal(upscaler(image), first)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)],
    ids=["four channels", "float", "empty", "one axis"],
)
def test_what_is_no_image_is_refused(models: dict[Precision, Path], image: Pixels) -> None:
    with pytest.raises(SettingError, match="image needs"):
        Upscaler(models["int8"], threads=1)(image)


def test_a_tile_that_is_too_small_is_refused_when_the_model_is_opened(models: dict[Precision, Path]) -> None:
    with pytest.raises(SettingError, match="a tile needs to be 9 pixels or more for this model, not 8"):
        Upscaler(models["int8"], tile=8)
    assert Upscaler(models["int8"], tile=9, threads=1)(_image(11, 11)).shape == (33, 33, 3)


def test_names_are_looked_up_and_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    assert model_path(tmp_path / "model") == tmp_path / "model"
    assert model_path("x.tflite") == Path("x.tflite")
    assert model_path("folder/x") == Path("folder/x")
    with pytest.raises(UnknownNameError, match="unknown model 'abpn-x33'"):
        model_path("abpn-x33")
    with pytest.raises(ModelFileError, match="no-such"):
        Upscaler(tmp_path / "no-such.tflite")


class _Fake(Backend, Session):
    """A backend of a user's own whose network wants sides in multiples of four and sees the phase of a pixel."""

    name = "fake"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        super().__init__(
            ModelSpec(name="fake", network="fake", scale=2, precision="int8", receptive_field=3, size_multiple=4)
        )

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        del path, threads
        return self

    def _run(self, batch: Pixels, out: Pixels) -> None:
        _, height, width, _ = batch.shape
        self.sizes.append((height, width))
        phase = (np.arange(height) % 4)[:, None, None] + (np.arange(width) % 4)[:, None]
        padded = np.pad(batch[0].astype(int), ((3, 3), (3, 3), (0, 0)))
        seen = sum(padded[step : step + height, step : step + width] for step in range(7)) + phase
        out[0] = (seen % 256).repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 8), (13, 30), (64, 3), (41, 57)])
def test_sides_that_are_no_multiple_are_continued_and_the_result_cropped(height: int, width: int) -> None:
    fake, image = _Fake(), _image(height, width)
    tiled = Upscaler("any.tflite", backend=fake, tile=16)(image)
    assert len(fake.sizes) > 1 or max(height, width) <= 16
    assert {side % 4 for size in fake.sizes for side in size} == {0}
    padded = np.pad(image, ((0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
    assert np.array_equal(tiled, _Fake()(padded[None])[0, : 2 * height, : 2 * width])


def test_every_tile_of_an_image_has_one_size() -> None:
    fake = _Fake()
    Upscaler("any.tflite", backend=fake, tile=16)(_image(41, 57))
    assert len(fake.sizes) > 4
    assert len(set(fake.sizes)) == 1


def test_a_model_of_luma_enlarges_colour_images_too(tmp_path: Path) -> None:
    image, copies, output = Value("image", 1), Value("copies", 4), Value("upscaled", 1)
    ops = (repeat_conv(image, copies), DepthToSpace((copies,), output, 2))
    graph = Graph(image, output, ops)
    write_model(graph, spec_for(graph), tmp_path / "nearest.tflite")
    upscale = Upscaler(tmp_path / "nearest.tflite", threads=1)
    grey = np.full((5, 6, 3), 77, np.uint8)
    assert np.all(upscale(grey) == 77)
    assert upscale(grey[:, :, 0]).shape == (10, 12)
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert np.array_equal(np.concatenate(list(upscale.strips(colour))), upscale(colour))
    assert upscale(colour).shape == (10, 12, 3)


def test_a_closed_upscaler_refuses_and_closing_twice_does_no_harm() -> None:
    with Upscaler("abpn-x3", threads=1) as upscale:
        deep = upscale.for_16_bits()
        assert upscale(np.zeros((2, 2, 3), np.uint8)).shape == (6, 6, 3)
    upscale.close()
    for closed in (upscale, deep):
        with pytest.raises(SettingError, match="was closed; open it again"):
            closed(np.zeros((2, 2, 3), np.uint8))


def test_levels_are_not_rounded_and_only_taken_by_models_in_floating_point() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    upscale = Upscaler("abpn-x3-float", threads=1)
    made = upscale(image)
    assert made.dtype == np.float32
    assert np.abs(made - np.rint(made)).max() > 0.3
    assert np.abs(np.rint(made) - upscale(np.rint(image).astype(np.uint8))).mean() < 2
    tiled = Upscaler("abpn-x3-float", threads=1, tile=17)(image)
    assert np.abs(tiled - made).max() < 0.01
    assert upscale(image[:, :, 0]).shape == (60, 90)
    with pytest.raises(SettingError, match="needs to be uint8"):
        Upscaler("abpn-x3", threads=1)(image)  # type: ignore[type-var]


@pytest.mark.parametrize("name", ["abpn-x3", "abpn-x3-float"])
def test_several_threads_share_a_model_and_each_gets_its_own_image(name: str) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, (9 + seed, 21 - seed, 3), np.uint8) for seed in range(12)]
    upscale = Upscaler(name, threads=1)
    expected = [upscale(image) for image in images]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for made, whole in zip(pool.map(upscale, images), expected, strict=True):
                assert np.array_equal(made, whole)


def test_a_late_model_is_opened_when_it_is_needed() -> None:
    loaded: list[Path] = []

    class Counting(InMemory):
        def load(self, path: Path, *, threads: int | None = None) -> Session:
            loaded.append(path)
            return super().load(path, threads=threads)

    late = Upscaler("abpn-x3", backend=Counting(3), threads=1, is_late=True)
    assert (late.scale, late.style, loaded) == (3, "clean", [])
    image = np.zeros((4, 6, 3), np.uint8)
    assert late(image).shape == late(image).shape == (12, 18, 3)
    assert len(loaded) == 1
    late.close()
    with pytest.raises(SettingError, match="the model abpn-x3 was closed; open it again"):
        late(image)
    never = Upscaler("abpn-x3", backend=Counting(3), threads=1, is_late=True)
    never.close()
    with pytest.raises(SettingError, match="was closed"):
        never(image)
    assert len(loaded) == 1


def test_what_a_late_model_is_refused_for_is_said_when_it_is_opened(tmp_path: Path) -> None:
    late = Upscaler("abpn-x3", threads=1, tile=3, is_late=True)
    for _ in range(2):  # and again
        with pytest.raises(SettingError, match="tile"):
            late(np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(UnknownNameError):
        Upscaler("no-such-model", is_late=True)
    with pytest.raises(ModelFileError):  # a file has no entry that would say its scale
        Upscaler(tmp_path / "missing.tflite", is_late=True)
