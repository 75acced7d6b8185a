"""Pipelines: every kind of step, rows measured on files, going on after a stop, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pocketsr.data import Pair
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.graph.tflite import read_model
from pocketsr.image import downscale
from pocketsr.networks import build
from pocketsr.networks.saved import load_network, save_network
from pocketsr.pipeline import Around, Pipeline, Ruler, load_pipeline, pipeline_names, run_pipeline, write_report
from pocketsr.train.tables import read_table

pytest.importorskip("torch_pruning", reason="pipelines prune: pip install 'pocketsr[prune]'")

TINY: dict[str, Any] = {"steps": 2, "batch": 2, "patch": 8, "precision": "fp32"}
NETWORK = {"name": "abpn", "options": {"scale": 2, "width": 8, "depth": 1, "expansion": 4}}
TRAIN = {"name": "student", "kind": "train", "network": NETWORK, "stage": {"name": "a", **TINY}}
INTEGER = {"name": "int8", "kind": "train", "stage": {"name": "b", "arithmetic": "integer", **TINY}}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    highs = [np.random.default_rng(seed).integers(0, 256, (40, 36, 3), dtype=np.uint8) for seed in range(2)]
    return tuple(Pair(low=downscale(high, 2), high=high, name=str(index)) for index, high in enumerate(highs))


def pipeline(*steps: dict[str, Any]) -> Pipeline:
    made = read_table(Pipeline, {"name": "tiny", "steps": list(steps)}, "pipeline")
    assert isinstance(made, Pipeline)
    return made


def around(pairs: tuple[Pair, ...], folder: Path, **more: Any) -> Around:
    return Around(pairs={2: pairs}, ruler=Ruler(pairs=pairs, height=8, width=8, runs=1), folder=folder, **more)


@pytest.mark.parametrize("name", pipeline_names())
def test_every_pipeline_that_comes_along_ends_in_an_int8_file(name: str) -> None:
    chosen = load_pipeline(name)
    assert chosen.name == name
    assert chosen.description
    assert chosen.source
    assert chosen.steps[-1].kind == "lower"
    assert any(step.stage and step.stage.arithmetic == "integer" for step in chosen.steps)


def test_every_kind_of_step(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    pruned = {"name": "pruned", "kind": "prune", "rounds": 2, "prune": {"ratio": 0.4}, "stage": {"name": "c", **TINY}}
    chosen = pipeline(
        TRAIN,
        {"name": "folded", "kind": "fold"},
        pruned,
        {"name": "chain", "kind": "equivalent"},
        INTEGER,
        {"name": "file", "kind": "lower"},
    )
    here = around(pairs, tmp_path)
    rows = run_pipeline(chosen, here)
    by_name = {step.name: row for step, row in rows}
    assert [step.name for step, _ in rows] == [step.name for step in chosen.steps]
    assert by_name["pruned"].parameters < by_name["folded"].parameters == by_name["student"].parameters
    assert by_name["pruned"].gmacs < by_name["student"].gmacs
    assert (by_name["student"].precision, by_name["file"].precision) == ("float32", "int8")
    assert by_name["int8"].psnr_db == by_name["file"].psnr_db
    graph, _ = read_model(tmp_path / "06-file" / "tiny.tflite")
    assert not any(type(op).__name__ == "Add" for op in graph.ops), "the skip was folded"
    report = write_report(chosen, rows, here.ruler, tmp_path).read_text(encoding="utf-8")
    assert all(f"| {step.name} |" in report for step in chosen.steps)
    assert (tmp_path / "report.png").stat().st_size > 1000
    assert len(json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["rows"]) == 6


def test_a_stopped_pipeline_goes_on_to_the_same_rows(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    chosen = pipeline(
        TRAIN, {"name": "ptq", "kind": "quantise", "calibration": "mse"}, {"name": "file", "kind": "lower"}
    )
    whole = run_pipeline(chosen, around(pairs, tmp_path / "whole"))
    asked = iter([True])
    parts = tmp_path / "parts"
    assert run_pipeline(chosen, around(pairs, parts, should_stop=lambda: next(asked, False))) == []
    taken: list[str] = []
    resumed = run_pipeline(chosen, around(pairs, parts), on_step=lambda step: taken.append(step.name))
    assert [row.psnr_db for _, row in resumed] == [row.psnr_db for _, row in whole]
    again = run_pipeline(chosen, around(pairs, parts), on_step=lambda _: taken.append("again"))
    assert "again" not in taken
    untimed = [[(step, dataclasses.replace(row, latency_ms=None)) for step, row in rows] for rows in (again, resumed)]
    assert untimed[0] == untimed[1]
    assert all(row.latency_ms is not None for _, row in again)  # a finished pipeline is timed anew
    other = pipeline({**TRAIN, "stage": {"name": "a", **TINY, "batch": 4}}, *({"name": "file", "kind": "lower"},))
    with pytest.raises(SettingError, match="holds another step"):
        run_pipeline(other, around(pairs, parts))


def test_a_student_learns_from_an_earlier_step(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    stage = {"name": "b", **TINY, "distillation": {"teacher": "@student"}}
    network = {"name": "lrsrn", "options": {"scale": 2, "width": 4, "depth": 1, "expansion": 4}}
    chosen = pipeline(TRAIN, {"name": "small", "kind": "train", "network": network, "stage": stage})
    rows = run_pipeline(chosen, around(pairs, tmp_path))
    assert rows[1][1].parameters < rows[0][1].parameters
    saved, facts = load_network(tmp_path / "02-small" / "network.safetensors")
    assert facts["name"] == "lrsrn"
    assert saved.scale == 2


def test_a_pipeline_begins_with_a_saved_network(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    network, file = build("abpn", NETWORK["options"]), tmp_path / "given.safetensors"
    save_network(network, file, name="abpn", options=NETWORK["options"])
    chosen = pipeline({"name": "folded", "kind": "fold"}, {"name": "file", "kind": "lower"})
    rows = run_pipeline(chosen, around(pairs, tmp_path / "run"), start=file)
    assert rows[0][1].parameters == rows[1][1].parameters == sum(p.numel() for p in network.folded().parameters())
    assert rows[0][1].psnr_db == rows[1][1].psnr_db


@pytest.mark.parametrize(
    ("steps", "kind", "words"),
    [
        ([{"name": "x", "kind": "train"}], SettingError, "'x' trains: it needs a table `stage`"),
        ([{"name": "x", "kind": "prune"}], SettingError, "'x' prunes: it needs a table `prune`"),
        ([], SettingError, "steps need names"),
        ([TRAIN, TRAIN], SettingError, "steps need names, each another"),
        (
            [{**TRAIN, "stage": {"name": "a", "steps": 1, "distillation": {"teacher": "@studnet"}}}],
            UnknownNameError,
            "earlier step 'studnet'",
        ),
    ],
)
def test_nonsense_is_refused_when_it_is_read(steps: list[Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        pipeline(*steps)


def test_steps_that_do_not_fit_are_refused(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'folded' is the first: it needs a `network`"):
        run_pipeline(pipeline({"name": "folded", "kind": "fold"}), around(pairs, tmp_path / "a"))
    late = pipeline(TRAIN, INTEGER, {"name": "folded", "kind": "fold"})
    with pytest.raises(SettingError, match="'folded' needs a float network; put it before the integer stage"):
        run_pipeline(late, around(pairs, tmp_path / "b"))
