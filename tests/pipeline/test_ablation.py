"""Ablations: every arm trains by the same recipe but for its change, and finished arms are not trained again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pocketsr.cli.ablate import table
from pocketsr.data import Pair
from pocketsr.errors import SettingError
from pocketsr.image import downscale
from pocketsr.pipeline import Ablation, ablation_names, load_ablation, run_ablation
from pocketsr.pipeline.ablation import Arm

TINY: dict[str, Any] = {"steps": 2, "batch": 2, "patch": 8, "precision": "fp32", "warmup_steps": 0}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    highs = [np.random.default_rng(seed).integers(0, 256, (36, 45, 3), dtype=np.uint8) for seed in range(2)]
    return tuple(Pair(low=downscale(high, 3), high=high, name=str(index)) for index, high in enumerate(highs))


@pytest.fixture
def ablation() -> Ablation:
    change = {"network": {"options": {"residual": "none"}}}
    return Ablation(
        name="tiny",
        source="nobody",
        recipe="abpn-x3",
        budget={"network": {"options": {"width": 6, "depth": 1, "expansion": 4}},
                "stages": {"float": TINY, "integer": {**TINY}}},
        columns=("float", "ptq", "integer", "int8"),
        border=1,
        arms=(Arm(name="with", printed={"float": 30.0}), Arm(name="without (none)", change=change)),
    )  # fmt: skip


@pytest.mark.parametrize("name", ablation_names())
def test_every_ablation_that_comes_along_can_be_read_and_says_its_source(name: str) -> None:
    ablation = load_ablation(name)
    assert ablation.name == name
    assert ablation.source
    assert len({str(ablation.recipe_of(arm).to_dict()) for arm in ablation.arms}) == len(ablation.arms)
    budgets = {tuple((stage.steps, stage.batch, stage.patch) for stage in ablation.recipe_of(arm).stages)
               for arm in ablation.arms}  # fmt: skip
    assert len(budgets) == 1, "one budget for all"


def test_the_papers_tables_are_whole() -> None:
    assert [len(load_ablation(name).arms) for name in ("abpn-table2", "scsrn-table1")] == [5, 8]
    for name in ("abpn-table2", "scsrn-table1"):
        ablation = load_ablation(name)
        assert all(set(arm.printed) == set(ablation.columns) for arm in ablation.arms)


def test_every_column_of_every_arm_gets_a_figure_once(
    ablation: Ablation, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    trained: list[str] = []

    def run() -> Any:
        return run_ablation(ablation, pairs, pairs, folder=tmp_path, on_arm=lambda arm, _: trained.append(arm.name))

    first, again = run(), run()
    assert trained == ["with", "without (none)"]
    assert first == again
    assert set(first) == {"with", "without (none)"}
    for figures in first.values():
        assert set(figures) == {"float", "ptq", "integer", "int8"}
        assert figures["integer"] == pytest.approx(figures["int8"], abs=1e-9), "the file is what was trained"
    text = table(ablation, first)
    assert f"| with | {first['with']['float']:.3f} (30.00) |" in text
    with pytest.raises(SettingError, match="trained with other settings"):
        run_ablation(ablation, pairs, pairs, folder=tmp_path, seed=5)


def test_a_stopped_ablation_goes_on(ablation: Ablation, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    asked = iter([False, False, False, False, False, True])
    figures = run_ablation(ablation, pairs, pairs, folder=tmp_path, should_stop=lambda: next(asked, False))
    assert set(figures) == {"with"}
    assert set(run_ablation(ablation, pairs, pairs, folder=tmp_path)) == {"with", "without (none)"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x"\nrecipe = "abpn"\ncolumns = ["nose"]\n[[arms]]\nname = "a"', "column 'nose' is none of"),
        ('name = "x"\nrecipe = "abpn"\ncolumns = []\n[[arms]]\nname = "a"\n[[arms]]\nname = "a"', "different names"),
        ('name = "x"\nrecipe = "abpn"\ncolumns = []\narms = []\nbugdet = 1', "no key 'bugdet'; did you mean 'budget'"),
    ],
)
def test_nonsense_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=words):
        load_ablation(str(tmp_path / "x.toml"))
