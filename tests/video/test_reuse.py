from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.graph import receptive_field
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Upscaler
from pocketsr.video.reuse import ReusingUpscaler
from sample_graphs import abpn_like_graph, spec_for
from sample_videos import nearest, noise


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = abpn_like_graph(precision="int8")
    path = tmp_path_factory.mktemp("model") / "int8.tflite"
    write_model(graph, spec_for(graph, receptive_field=receptive_field(graph)), path)
    return path


@settings(deadline=None, max_examples=6)
@given(
    height=st.integers(100, 260),
    width=st.integers(100, 260),
    changes=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 5)), max_size=3),
    seed=st.integers(0, 9),
)
def test_what_did_not_change_is_bit_for_bit_what_it_would_be(
    model: Path, height: int, width: int, changes: list[tuple[float, float, int]], seed: int
) -> None:
    upscaler = Upscaler(model, threads=1)
    reusing = ReusingUpscaler(upscaler)
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    reusing(image)
    for down, across, size in changes:
        image = image.copy()
        row, column = int(down * (height - 1)), int(across * (width - 1))
        image[row : row + size, column : column + size] ^= 0x55
        assert np.array_equal(reusing(image), upscaler(image))
    assert np.array_equal(reusing(image), upscaler(image))


def test_a_small_change_runs_few_tiles() -> None:
    upscaler = nearest()
    reusing = ReusingUpscaler(upscaler)
    image = noise(0, 300, 400).copy()
    reusing(image)
    before = reusing.tiles_run
    image = image.copy()
    image[150, 200] ^= 1
    reusing(image)
    assert 1 <= reusing.tiles_run - before <= 4
    assert reusing.tiles == 2 * before
    runs = upscaler._session.runs
    reusing(image.copy())
    assert upscaler._session.runs == runs
    reusing(noise(1, 300, 400))
    assert upscaler._session.runs == runs + 1  # all of it changed: one run of the whole


def test_it_can_be_switched_off() -> None:
    upscaler = nearest()
    reusing = ReusingUpscaler(upscaler, is_enabled=False)
    for _ in range(3):
        reusing(noise(0))
    assert upscaler._session.runs == 3


@pytest.mark.parametrize("precision", ["float32", "int16x8"])
def test_other_arithmetic_reuses_whole_pictures_only(precision: str) -> None:
    import dataclasses

    upscaler = nearest()
    upscaler._spec = dataclasses.replace(upscaler.spec, precision=precision)
    reusing = ReusingUpscaler(upscaler)
    image = noise(0, 200, 200).copy()
    reusing(image)
    image = image.copy()
    image[0, 0] ^= 1
    reusing(image)
    assert reusing.tiles_run == 2
    reusing(image)
    assert reusing.tiles_run == 2
