"""What holds for every model of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from pocketsr.graph import receptive_field
from pocketsr.graph.tflite import read_model
from pocketsr.runtime import BACKENDS, Upscaler
from pocketsr.weights import DEFAULT_MODEL, Entry, entries

#: Largest file that belongs into the wheel.
LARGEST_BYTES = 2_000_000

#: Levels of 255 by which backends may differ on float models: sums are taken in another order.
FLOAT_BACKEND_LEVELS = 1

every_model = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


@every_model
def test_its_file_is_the_one_the_catalogue_means(entry: Entry) -> None:
    entry.verify()
    assert entry.path.stat().st_size <= LARGEST_BYTES


@every_model
def test_its_file_agrees_with_the_catalogue(entry: Entry) -> None:
    graph, spec = read_model(entry.path)
    assert (spec.name, spec.scale, spec.precision) == (entry.name, entry.scale, entry.precision)
    assert spec.licence in ("", entry.licence)
    assert receptive_field(graph) <= spec.receptive_field


@every_model
def test_it_says_its_licence_data_and_card(entry: Entry) -> None:
    assert entry.licence
    assert entry.data
    assert (entry.folder / entry.card).is_file()


@every_model
def test_every_backend_gives_one_result_and_tiles_do_not_show(entry: Entry) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 34, 3), np.uint8)
    whole = [
        Upscaler(entry.name, backend=backend, threads=1)(image).astype(int) for backend in BACKENDS if backend.is_exact
    ]
    tiled = Upscaler(entry.name, threads=1, tile=24)(image).astype(int)
    levels = 0 if entry.precision == "int8" else FLOAT_BACKEND_LEVELS
    assert whole[0].shape == (40 * entry.scale, 34 * entry.scale, 3)
    for other in (*whole[1:], tiled):
        assert np.abs(other - whole[0]).max() <= levels


def test_the_default_model_is_there_if_any_is() -> None:
    names = [entry.name for entry in entries()]
    assert not names or DEFAULT_MODEL in names
