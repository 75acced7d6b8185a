"""What holds for every model of the catalogue."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pocketsr.evaluate.bank import protocols_for
from pocketsr.graph import receptive_field
from pocketsr.graph.tflite import read_model
from pocketsr.networks.saved import load_network
from pocketsr.pipeline import pipeline_names
from pocketsr.runtime import BACKENDS, Upscaler
from pocketsr.train import readings_of, recipe_names
from pocketsr.weights import (
    DEFAULT_MODEL,
    Entry,
    bank_folder,
    bank_names,
    bundled,
    card_text,
    defaults,
    entries,
    find,
    read_card,
)
from pocketsr.weights.shelf import LARGEST_BYTES, Shelf

ROOT = Path(__file__).resolve().parents[2]

#: Levels of 255 by which backends may differ on float models: sums are taken in another order.
FLOAT_BACKEND_LEVELS = 1

every_model = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


@every_model
def test_its_file_is_the_one_the_catalogue_means(entry: Entry) -> None:
    entry.verify()


@every_model
def test_its_file_agrees_with_the_catalogue(entry: Entry) -> None:
    graph, spec = read_model(entry.path)
    said = (entry.name, entry.network, entry.scale, entry.precision, entry.channels)
    assert (spec.name, spec.network, spec.scale, spec.precision, spec.channels) == said
    assert (spec.licence, spec.data) == (entry.licence, entry.data)
    found = receptive_field(graph)
    assert spec.receptive_field is None or (found is not None and found <= spec.receptive_field)


@every_model
def test_its_card_says_what_the_catalogue_says(entry: Entry) -> None:
    path = entry.folder / entry.card
    card = read_card(path)
    assert path.read_text("utf-8") == card_text(card), "the card's text is not that of its head"
    (file,) = (one for one in card.files if one.name == entry.name)
    assert (file.file, file.precision, file.sha256) == (entry.file, entry.precision, entry.sha256)
    assert file.bytes == entry.path.stat().st_size
    said = (card.network, card.scale, card.channels, card.style, card.licence, card.data.description)
    assert said == (entry.network, entry.scale, entry.channels, entry.style, entry.licence, entry.data)
    assert entry.scores == card.figures(entry.precision)


@every_model
def test_its_card_is_complete(entry: Entry) -> None:
    card = read_card(entry.folder / entry.card)
    graph, _ = read_model(entry.path)
    assert card.parameters > 0
    assert card.gmacs_720p is None or card.gmacs_720p > 0
    assert graph.scale == card.scale
    assert card.summary
    assert card.intended_use
    assert card.known_failures
    assert card.training.recipe in (*recipe_names(), *pipeline_names())
    assert all(reading in readings_of(card.training.recipe) for reading in card.training.readings)
    assert card.training.steps
    assert all(len(digest) == 64 for digest in (card.training.recipe_sha256, card.data.manifest_sha256))
    assert card.training.hardware
    assert card.data.images == sum(card.data.licences.values())
    if any("BY-SA" in licence for licence in card.data.licences):
        assert card.licence == "CC-BY-SA-4.0", "part of the images asks for the same licence"
    assert {one.data for one in card.scores} == {"Set5", "Set14", "BSD100"}
    assert {one.protocol for one in card.scores} == set(
        protocols_for(entry.style, card.channels, card.network, card.scale)
    )
    drops = [one.drop_db for one in card.scores if one.drop_db is not None]
    assert card.int8_drop_db == (max(drops) if drops else None)


@every_model
def test_its_curve_and_saved_network_are_in_the_repository(entry: Entry) -> None:
    card = read_card(entry.folder / entry.card)
    if card.curve:
        record = json.loads((ROOT / card.curve).read_text("utf-8"))
        digest = hashlib.sha256(json.dumps(record["recipe"], sort_keys=True).encode()).hexdigest()
        assert digest == record["recipe_sha256"] == card.training.recipe_sha256
        assert {stage["name"]: stage["steps"] for stage in record["recipe"]["stages"]} == card.training.steps
    if entry.checkpoint:
        network, facts = load_network(ROOT / "bank" / entry.checkpoint)
        assert facts["licence"] == card.licence
        assert facts["name"] == card.network
        assert card.scale in network.scales


@every_model
def test_every_backend_gives_one_result_and_tiles_do_not_show(entry: Entry) -> None:
    reach = read_model(entry.path)[1].receptive_field
    assert reach is not None
    tile = max(24, 2 * reach + 2)
    height, width = tile + 16, tile + 10
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = [
        Upscaler(entry.name, backend=backend, threads=1)(image).astype(int) for backend in BACKENDS if backend.is_exact
    ]
    tiled = Upscaler(entry.name, threads=1, tile=tile)(image).astype(int)
    levels = 0 if entry.precision == "int8" else FLOAT_BACKEND_LEVELS
    levels *= 1 if entry.channels == 3 else 2  # a level of luma, of 219, can be two of RGB
    assert whole[0].shape == (height * entry.scale, width * entry.scale, 3)
    for other in (*whole[1:], tiled):
        assert np.abs(other - whole[0]).max() <= levels


def test_the_default_model_is_there() -> None:
    assert DEFAULT_MODEL in [entry.name for entry in bundled()]
    assert defaults("clean")[find(DEFAULT_MODEL).scale].is_bundled


def test_what_is_taken_where_none_is_named_comes_with_the_package_and_is_int8() -> None:
    for style in ("clean", "jpeg"):
        for scale, entry in defaults(style).items():  # type: ignore[arg-type]
            assert (entry.is_bundled, entry.precision, entry.scale) == (True, "int8", scale), entry.name


def test_no_two_models_have_the_same_place_among_defaults() -> None:
    places = [(entry.scale, entry.style, entry.order) for entry in entries() if entry.order]
    assert len(set(places)) == len(places)


def test_the_package_knows_the_names_in_the_bank() -> None:
    assert bank_folder() == ROOT / "bank"
    assert {entry.name: entry.style for entry in entries() if not entry.is_bundled} == bank_names()


def test_the_shelves_hold_what_their_catalogues_name_and_no_more_than_they_may() -> None:
    for shelf, key in ((Shelf(ROOT), "wheel"), (Shelf(ROOT, is_bank=True), "bank")):
        files = [file for file in shelf.folder.iterdir() if file.suffix in (".tflite", ".safetensors", ".md")]
        assert sum(file.stat().st_size for file in files if file.suffix != ".md") <= LARGEST_BYTES[key]
        here = [entry for entry in entries() if entry.folder == shelf.folder]
        named = {name for entry in here for name in (entry.file, entry.card)}
        named |= {entry.checkpoint for entry in entries() if entry.checkpoint and shelf.is_bank}
        assert {file.name for file in files} - {"README.md"} == named
