"""Releases: a tiny run becomes files, figures, card, entries and curve; nothing is left of one that fails."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.choice import Choice
from pocketsr.compress.integer import REWRITES
from pocketsr.errors import CheckpointError, DataError, SettingError
from pocketsr.evaluate.bank import check_bank, paper_figure, protocols_for
from pocketsr.graph import Requantise
from pocketsr.graph.reference import execute
from pocketsr.graph.tflite import read_model
from pocketsr.image import degrade, list_images, read_image
from pocketsr.image.degrade import BICUBIC
from pocketsr.networks import build
from pocketsr.networks.saved import load_network
from pocketsr.pipeline import Around, Pipeline, Ruler, run_pipeline
from pocketsr.pipeline.publish import move_model, publish_card
from pocketsr.pipeline.release import Wanted, judged_again, release
from pocketsr.pipeline.release_files import Lows
from pocketsr.pipeline.run_facts import find_readings, read_run, recipe_digest
from pocketsr.train import load_recipe, read_checkpoint, recipe_from, train, write_checkpoint
from pocketsr.train.load import load_training
from pocketsr.train.records import Records
from pocketsr.train.tables import read_table
from pocketsr.weights import Card, catalogue, read_card
from pocketsr.weights.catalogue import read_catalogue, read_names
from pocketsr.weights.catalogue_text import catalogue_text
from pocketsr.weights.shelf import LARGEST_BYTES, Shelf

_STAGE = {"steps": 4, "batch": 2, "patch": 8, "precision": "fp32", "validate_every": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, image_folder: Path) -> Path:
    """A run of two stages, of four steps each."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    recipe = recipe_from(
        {
            "name": "mine",
            "network": {"name": "abpn", "options": {"scale": 2, "width": 6, "depth": 1, "expansion": 4}},
            "data": {"description": "six drawings", "licence": "CC0-1.0"},
            "stages": [{"name": "float", **_STAGE}, {"name": "integer", "arithmetic": "integer", **_STAGE}],
        }
    )
    records = Records(folder, recipe, None, print)
    train(
        recipe,
        load_training(recipe, image_folder),
        folder=folder,
        rewrites=REWRITES,
        on_event=records.add,
    )
    records.close()
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without models."""
    weights = tmp_path / "src" / "pocketsr" / "weights"
    weights.mkdir(parents=True)
    (weights / "catalogue.toml").write_text(catalogue_text((), bank={}))
    return tmp_path


@pytest.fixture
def sets(tmp_path: Path, image_folder: Path) -> Path:
    """Two sets of ground truth."""
    for name, count in (("Set5", 2), ("Mine", 1)):
        (tmp_path / "sets" / name).mkdir(parents=True)
        for file in sorted(image_folder.iterdir())[:count]:
            shutil.copy(file, tmp_path / "sets" / name)
    return tmp_path / "sets"


def _released(run: Path, checkout: Path, sets: Path, images: Path, *, is_bank: bool = False, **more: object) -> Card:
    wanted = Wanted(name="mine-x2", style="clean", shelf=Shelf(checkout, is_bank), commit="abc", hardware="here")
    wanted = dataclasses.replace(wanted, **more)  # type: ignore[arg-type]
    return release(run, wanted, images=images, benchmarks=sets, sets=("Set5", "Mine"))


def test_a_run_becomes_a_model_of_the_catalogue(
    run: Path, checkout: Path, sets: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _released(run, checkout, sets, image_folder, order=1)
    shelf = Shelf(checkout)
    entries = read_catalogue(shelf.catalogue)
    assert [(entry.name, entry.precision, entry.order) for entry in entries] == [
        ("mine-x2", "int8", 1), ("mine-x2-float", "float32", 0)
    ]  # fmt: skip
    assert read_card(shelf.folder / "mine-x2.md") == card
    for entry in entries:
        entry.verify()
        graph, spec = read_model(entry.path)
        assert (spec.name, spec.scale, spec.licence, spec.recipe) == (entry.name, 2, "CC0-1.0", "mine")
        assert graph.precision == entry.precision
        assert entry.scores == card.figures(entry.precision)
        assert entry.licence == "CC0-1.0"
    assert card.training.steps == {"float": 4, "integer": 4}
    assert (card.training.commit, card.training.hardware) == ("abc", "here")
    assert card.training.command == "pocketsr train mine"
    assert {(one.data, one.images) for one in card.scores} == {("Set5", 2), ("Mine", 1)}
    assert all(None not in (one.int8_db, one.float32_db, one.ptq_db) for one in card.scores)
    assert card.int8_drop_db == max(one.drop_db for one in card.scores if one.drop_db is not None)
    # The saved network computes what the float file computes, and the curve is that of the run.
    network, facts = load_network(shelf.bank / entries[0].checkpoint)
    assert facts["licence"] == "CC0-1.0"
    assert sum(value.numel() for value in network.parameters()) == card.parameters
    record = json.loads((checkout / card.curve).read_text())
    assert [row[:2] for row in record["rows"]] == [["float", 2], ["float", 4], ["integer", 2], ["integer", 4]]
    digest = hashlib.sha256(json.dumps(record["recipe"], sort_keys=True).encode()).hexdigest()
    assert digest == record["recipe_sha256"] == card.training.recipe_sha256
    # Made again, the figures are those of the card.
    monkeypatch.setattr(catalogue, "bundled", lambda: entries)
    monkeypatch.setattr(catalogue, "bank_folder", lambda: None)
    assert check_bank(entries, sets, sets=("Set5", "Mine")) == ()
    assert judged_again(card, shelf, benchmarks=sets, sets=("Set5", "Mine")) == card


def test_a_figure_that_is_not_the_card_s_is_found(
    run: Path, checkout: Path, sets: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _released(run, checkout, sets, image_folder)
    wrong = dataclasses.replace(card.scores[0], int8_db=(card.scores[0].int8_db or 0) + 0.002)
    publish_card(dataclasses.replace(card, scores=(wrong, *card.scores[1:])), Shelf(checkout))
    entries = read_catalogue(Shelf(checkout).catalogue)
    monkeypatch.setattr(catalogue, "bundled", lambda: entries)
    monkeypatch.setattr(catalogue, "bank_folder", lambda: None)
    (found,) = check_bank(entries, sets, sets=("Set5", "Mine"))
    assert (found.name, found.data, found.protocol) == ("mine-x2", wrong.data, wrong.protocol)
    assert found.said_db - found.found_db == pytest.approx(0.002)
    (sets / "Mine" / "0.png").rename(sets / "Set5" / "more.png")
    shutil.copy(sets / "Set5" / "1.png", sets / "Mine")
    with pytest.raises(DataError, match="3 images; the card of mine-x2 is of 2"):
        check_bank(entries, sets, sets=("Set5",))
    with pytest.raises(DataError, match="the card of mine-x2 has no figure of it on Set14"):
        check_bank(entries, sets, sets=("Set14",))


def test_the_bank_is_named_in_the_catalogue_of_the_package(
    run: Path, checkout: Path, sets: Path, image_folder: Path
) -> None:
    _released(run, checkout, sets, image_folder, is_bank=True)
    assert [entry.name for entry in read_catalogue(checkout / "bank" / "catalogue.toml")] == [
        "mine-x2",
        "mine-x2-float",
    ]
    read_names.cache_clear()
    names = read_names(checkout / "src" / "pocketsr" / "weights" / "catalogue.toml")
    assert names == {"mine-x2": "clean", "mine-x2-float": "clean"}
    with pytest.raises(SettingError, match="would be in the wheel and in the bank"):
        _released(run, checkout, sets, image_folder)
    assert [path.name for path in Shelf(checkout).folder.iterdir()] == ["catalogue.toml"], "nothing is left of it"


def test_a_model_moves_to_the_other_shelf_and_back(
    run: Path, checkout: Path, sets: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _released(run, checkout, sets, image_folder, order=1)
    wheel, bank = Shelf(checkout), Shelf(checkout, is_bank=True)
    before = {file.name: file.read_bytes() for file in wheel.folder.iterdir() if file.suffix in (".tflite", ".md")}
    move_model(card, wheel)
    assert [file.name for file in wheel.folder.iterdir()] == ["catalogue.toml"]
    assert not read_catalogue(wheel.catalogue)
    entries = read_catalogue(bank.catalogue)
    assert [(entry.name, entry.order, entry.checkpoint) for entry in entries] == [
        ("mine-x2", 0, "mine-x2.safetensors"), ("mine-x2-float", 0, "mine-x2.safetensors")
    ]  # fmt: skip
    for entry in entries:
        entry.verify()
    move_model(card, bank, order=2)
    assert {name: (wheel.folder / name).read_bytes() for name in before} == before
    assert [entry.order for entry in read_catalogue(wheel.catalogue)] == [2, 0]
    monkeypatch.setitem(LARGEST_BYTES, "bank", 5_000)
    with pytest.raises(SettingError, match="is the most for bank"):
        move_model(card, wheel)
    assert len(read_catalogue(wheel.catalogue)) == 2


def test_made_again_it_takes_its_own_place_and_keeps_its_order(
    run: Path, checkout: Path, sets: Path, image_folder: Path
) -> None:
    _released(run, checkout, sets, image_folder, order=3)
    _released(run, checkout, sets, image_folder, name="other-x2")
    before = (checkout / "src" / "pocketsr" / "weights" / "catalogue.toml").read_text()
    _released(run, checkout, sets, image_folder)
    assert (checkout / "src" / "pocketsr" / "weights" / "catalogue.toml").read_text() == before
    assert "order = 3" in before


def test_a_run_of_floats_may_be_quantised_after_training(
    run: Path, tmp_path: Path, checkout: Path, sets: Path, image_folder: Path
) -> None:
    torch.set_num_threads(1)
    folder = tmp_path / "floats"
    recipe = dataclasses.replace(read_run(run).recipe, stages=read_run(run).recipe.stages[:1])
    train(recipe, load_training(recipe, image_folder), folder=folder, rewrites=REWRITES)
    plain = _released(folder, checkout, sets, image_folder)
    assert [(one.name, one.precision) for one in plain.files] == [("mine-x2", "float32")]
    assert plain.int8_drop_db is None
    assert plain.training.hours is None  # it kept no curve
    both = _released(folder, checkout, sets, image_folder, quantised=True)
    assert [(one.name, one.made_by) for one in both.files] == [
        ("mine-x2", "quantised after training"), ("mine-x2-float", "float training")
    ]  # fmt: skip
    assert all(one.int8_db == one.ptq_db for one in both.scores)
    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "integer.pt").unlink()  # what is left out need not be finished
    without = _released(tmp_path / "copy", checkout, sets, image_folder, quantised=True)
    assert without.training.steps == {"float": 4}
    assert [one.made_by for one in without.files] == ["quantised after training", "float training"]
    assert {row[0] for row in json.loads((checkout / without.curve).read_text())["rows"]} == {"float"}


def test_ranges_are_of_images_as_the_network_was_trained_on(image_folder: Path) -> None:
    jpeg = Choice(name="jpeg", options={"quality": 10})
    clean, stored = (next(Lows(image_folder, 2, 3, chain).evenly(1)) for chain in (BICUBIC, (*BICUBIC, jpeg)))
    truth = read_image(list_images(image_folder)[0]).pixels
    assert np.array_equal(stored, degrade(truth, 2, (*BICUBIC, jpeg), np.random.default_rng(0)))
    assert not np.array_equal(stored, clean)
    assert next(Lows(image_folder, 2, 1).evenly(1)).shape == (*clean.shape[:2], 1)


def test_a_release_takes_ranges_from_the_inputs_of_its_recipe(
    run: Path, checkout: Path, sets: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def lows(images: Path, scale: int, channels: int, degradation: tuple[Choice, ...]) -> Lows:
        asked.append(degradation)
        return Lows(images, scale, channels, degradation)

    monkeypatch.setattr("pocketsr.pipeline.release.Lows", lows)
    _released(run, checkout, sets, image_folder)
    assert asked == [read_run(run).recipe.data.degradation]


def test_the_float_file_may_be_left_out(run: Path, checkout: Path, sets: Path, image_folder: Path) -> None:
    _released(run, checkout, sets, image_folder)
    card = _released(run, checkout, sets, image_folder, without_float=True)  # what there was of it goes
    assert [one.precision for one in card.files] == ["int8"]
    assert not (Shelf(checkout).folder / "mine-x2-float.tflite").exists()
    assert all(one.float32_db is not None for one in card.scores)
    again = judged_again(card, Shelf(checkout), benchmarks=sets, sets=("Set5", "Mine"))
    assert again.scores == card.scores


def test_a_pipeline_becomes_a_model_whose_stages_are_its_steps(
    run: Path, tmp_path: Path, checkout: Path, sets: Path, image_folder: Path
) -> None:
    pytest.importorskip("torch_pruning", reason="pipelines prune: pip install 'pocketsr[prune]'")
    torch.set_num_threads(1)
    network = {"name": "abpn", "options": {"scale": 2, "width": 8, "depth": 1, "expansion": 4}}
    stage = {"name": "a", **_STAGE}
    steps = (
        {"name": "first", "kind": "train", "network": network, "stage": stage},
        {"name": "pruned", "kind": "prune", "prune": {"ratio": 0.4}, "rounds": 10, "stage": stage},
        {"name": "int8", "kind": "train", "stage": {**stage, "arithmetic": "integer"}},
        {"name": "file", "kind": "lower"},
    )
    data = {"description": "six drawings", "licence": "CC0-1.0"}
    pipeline = read_table(Pipeline, {"name": "small", "data": data, "steps": list(steps)}, "pipeline")
    pairs = load_training(read_run(run).recipe, image_folder)
    ruler = Ruler(pairs=pairs[2][:1], height=8, width=8, runs=1)
    folder = tmp_path / "pipeline"
    run_pipeline(pipeline, Around(pairs=pairs, ruler=ruler, folder=folder))
    card = _released(folder, checkout, sets, image_folder)
    rounds = {f"pruned-round-{number}": 4 for number in range(1, 11)}
    assert [*card.training.steps.items()] == [("first", 4), *rounds.items(), ("int8", 4)]
    assert card.training.command == "pocketsr compress small"
    assert card.training.hours is not None
    assert [one.precision for one in card.files] == ["int8", "float32"]
    # Both files are of the pruned network, and the int8 one is the pipeline's own.
    graphs = [read_model(Shelf(checkout).folder / one.file)[0] for one in card.files]
    assert {graph.parameter_count() for graph in graphs} == {card.parameters}
    whole = build("abpn", {"scale": 2, "width": 8, "depth": 1}).parameters()
    assert card.parameters < sum(value.numel() for value in whole)
    own, _ = read_model(folder / "04-file" / "small.tflite")
    frame = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 3), np.int8)
    assert np.array_equal(execute(own, frame), execute(graphs[0], frame))
    rows = json.loads((checkout / card.curve).read_text())["rows"]
    assert [row[:2] for row in rows if row[0] == "int8"] == [["int8", 2], ["int8", 4]]


def test_an_unfinished_pipeline_is_refused(tmp_path: Path, run: Path) -> None:
    checkpoint = read_checkpoint(run / "float.pt")
    recipe = dataclasses.replace(checkpoint.recipe, name="light-f2srgan: teacher", stages=checkpoint.recipe.stages[:1])
    step = tmp_path / "01-teacher"
    step.mkdir()
    (step / "step.json").write_text('{"step": {"kind": "train"}}')
    with pytest.raises(CheckpointError, match="trained nothing"):
        read_run(tmp_path)
    for name in ("float.pt", "state.pt"):
        write_checkpoint(dataclasses.replace(checkpoint, recipe=recipe), step / name)
    with pytest.raises(CheckpointError, match="1 of 6 steps are finished; go on with `compress light-f2srgan`"):
        read_run(tmp_path)
    (tmp_path / "02-pruned").mkdir()
    (tmp_path / "02-pruned" / "step.json").write_text('{"step": {"kind": "prune"}}')
    with pytest.raises(CheckpointError, match="no training comes after 02-pruned"):
        read_run(tmp_path)


def test_a_network_of_several_scales_becomes_models_that_share_a_saved_network(
    tmp_path: Path, checkout: Path, sets: Path, image_folder: Path
) -> None:
    torch.set_num_threads(1)
    network = {"name": "pcarn-m", "options": {"scale": 4, "scales": [2, 4], "width": 8, "groups": 2}}
    recipe = recipe_from(
        {
            "name": "several",
            "network": network,
            "data": {"description": "six drawings", "licence": "CC0-1.0"},
            "stages": [{"name": "float", **_STAGE, "steps": 1, "scales": [2, 4]}],
        }
    )
    train(recipe, load_training(recipe, image_folder), folder=tmp_path / "several", rewrites=REWRITES)
    for scale in (2, 4):
        more = {"name": f"several-x{scale}", "scale": scale, "checkpoint": "several", "quantised": True}
        more["own_steps"] = scale == 4
        card = _released(tmp_path / "several", checkout, sets, image_folder, is_bank=True, **more)
        assert (card.scale, card.options["scale"]) == (scale, scale)
    entries = read_catalogue(checkout / "bank" / "catalogue.toml")
    assert [(entry.name, entry.scale, entry.checkpoint) for entry in entries if entry.precision == "int8"] == [
        ("several-x2", 2, "several.safetensors"), ("several-x4", 4, "several.safetensors")
    ]  # fmt: skip
    has_copies = [
        any(isinstance(op, Requantise) for op in read_model(checkout / "bank" / f"several-x{scale}.tflite")[0].ops)
        for scale in (2, 4)
    ]
    assert has_copies == [False, True]
    saved, _ = load_network(checkout / "bank" / "several.safetensors")
    assert set(saved.scales) == {2, 4}
    with pytest.raises(SettingError, match="was trained for ×2, 4, not ×3"):
        _released(tmp_path / "several", checkout, sets, image_folder, scale=3)


def test_an_integer_network_has_one_scale(run: Path, checkout: Path, sets: Path, image_folder: Path) -> None:
    with pytest.raises(SettingError, match="is for ×2, not ×3"):
        _released(run, checkout, sets, image_folder, scale=3)


def test_what_fails_leaves_nothing(run: Path, checkout: Path, sets: Path, image_folder: Path) -> None:
    shutil.rmtree(sets / "Mine")
    with pytest.raises(DataError, match="Mine not found"):
        _released(run, checkout, sets, image_folder)
    assert [path.name for path in Shelf(checkout).folder.iterdir()] == ["catalogue.toml"]


def test_an_unfinished_run_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no checkpoint"):
        read_run(tmp_path)
    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "integer.pt").unlink()
    with pytest.raises(CheckpointError, match=r"lacks integer\.pt: its run is not finished"):
        read_run(tmp_path / "copy")


def test_a_shelf_that_would_be_too_large_is_refused(
    run: Path, checkout: Path, sets: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LARGEST_BYTES, "wheel", 5_000)
    with pytest.raises(SettingError, match="5,000 is the most for wheel"):
        _released(run, checkout, sets, image_folder)


def test_readings_and_the_command_are_told_from_the_recipe() -> None:
    jpeg = load_recipe("bank", readings=["jpeg"])
    assert find_readings(jpeg) == ("jpeg",)
    assert find_readings(jpeg.shortened(20)) == ("jpeg",)
    assert find_readings(load_recipe("bank", readings=["warm", "jpeg"])) == ("jpeg", "warm")  # one is of lengths alone
    assert find_readings(load_recipe("bank").for_network("sesr", {"scale": 2})) == ()
    assert find_readings(load_recipe("bank", readings=["sesr-luma"])) == ("sesr-luma",)
    assert find_readings(load_recipe("pocket", readings=["plain", "adam"])) == ("adam", "plain")
    assert recipe_digest(jpeg) != recipe_digest(load_recipe("bank"))


def test_protocols_and_printed_figures_fit_what_a_model_is_for() -> None:
    assert protocols_for("clean", 3, "scsrn", 3) == ("scsrn", "abpn", "classic")
    assert protocols_for("jpeg", 3, "lrsrn", 2)[0] == "lrsrn"
    assert protocols_for("gan", 3, "f2srgan-light", 4) == ("classic", "f2srgan")
    assert paper_figure("jpeg", "lrsrn", 2, "Set5", "lrsrn") == (31.84, "lrsrn-table2")
    assert paper_figure("clean", "lrsrn", 2, "Set5", "lrsrn") == (None, "")
    assert paper_figure("clean", "scsrn", 3, "Set5", "abpn") == (None, "")
