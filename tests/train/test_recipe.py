"""Recipes refuse what they do not understand, in the user's words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.recipe import Recipe
from pocketsr.train.recipe_files import load_recipe, readings_of, recipe_from, recipe_names

MINIMAL = {"name": "x", "network": {"name": "abpn"}, "stages": [{"name": "a", "steps": 10}]}


def with_stage(**settings: object) -> dict[str, object]:
    return {**MINIMAL, "stages": [{"name": "a", "steps": 10, **settings}]}


def test_a_recipe_survives_its_own_dictionary() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe_from(recipe.to_dict()) == recipe
        assert recipe.name == name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (with_stage(lerning_rate=1), "did you mean 'learning_rate'"),
        ({**MINIMAL, "netwrk": {}}, "did you mean 'network'"),
        (with_stage(losses="l1"), r"stages\[0\].losses: "),
        (with_stage(losses=[3]), r"stages\[0\].losses\[0\]: a table is needed"),
        (with_stage(losses=[]), "one term or more, or an adversary"),
        (with_stage(losses=[{"name": "l1", "wait": 1}]), "did you mean 'weight'"),
        (with_stage(precision="fp16"), "one of fp32, bf16"),
        (with_stage(adversary={"loss": "bce"}), "lacks the key 'discriminator'"),
        (with_stage(batch=6, accumulate=4), "a divisor of the batch of 6"),
        (with_stage(weight_limit=-1), "weight_limit must be 0 or more"),
        (with_stage(steps="many"), "int is needed"),
        (with_stage(steps=True), "int is needed"),
        (with_stage(batch=0), "batch must be 1 or more"),
        (with_stage(ema_decay=1.0), "below 1"),
        (with_stage(warmup_steps=11), "0 to steps"),
        (with_stage(arithmetic="integer"), "precision must be 'fp32'"),
        (with_stage(learning_rate_factors={"tail.*": "slow"}), r"learning_rate_factors.tail\.\*: float is needed"),
        ({**MINIMAL, "stages": []}, "no stages"),
        ({**MINIMAL, "stages": [MINIMAL["stages"][0]] * 2}, "different names"),
        ({"name": "x", "stages": []}, "lacks the key 'network'"),
        ({**MINIMAL, "network": 3}, "a table is needed"),
        ({**MINIMAL, "seed": -1}, "the seed must be 0 or more"),
        ({**MINIMAL, "seed": 10**20}, r"below 2\^63"),
        (with_stage(calibration_images=0), "calibration_images must be 1 or more"),
    ],
)
def test_nonsense_is_refused_with_a_hint(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        recipe_from(values)


def test_whole_numbers_stand_for_fractions() -> None:
    assert recipe_from(with_stage(learning_rate=1)).stages[0].learning_rate == 1.0


def test_a_recipe_is_read_from_a_file_or_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[network]\nname = "abpn"\n[[stages]]\nname = "a"\nsteps = 3\n')
    assert load_recipe(str(file)).stages[0].steps == 3
    with pytest.raises(UnknownNameError, match="abpn-x3"):
        load_recipe("abpn-x9")
    with pytest.raises(SettingError, match="no recipe file"):
        load_recipe(str(tmp_path / "none.toml"))
    file.write_text("name = ")
    with pytest.raises(SettingError, match="not valid TOML"):
        load_recipe(str(file))


def test_shortening_keeps_everything_but_the_length() -> None:
    recipe = load_recipe("abpn-x3")
    short = recipe.shortened(20)
    assert isinstance(short, Recipe)
    assert {stage.steps for stage in short.stages} == {20}
    assert all(stage.warmup_steps <= 20 for stage in short.stages)
    assert short.network == recipe.network


def test_a_bare_name_stands_for_a_choice_without_options() -> None:
    stage = recipe_from(with_stage(losses=["l1", {"name": "tv", "weight": 0.5}], optimiser="SGD")).stages[0]
    assert [(term.name, term.weight) for term in stage.losses] == [("l1", 1.0), ("tv", 0.5)]
    assert (stage.optimiser.name, dict(stage.optimiser.options)) == ("SGD", {})


READINGS = """
name = "mine"
network = "abpn"
[[stages]]
name = "a"
steps = 3
schedule = { name = "step", options = { every = 10, factor = 0.5 } }
[[stages]]
name = "b"
steps = 4
[readings.long]
why = "the paper trains longer"
stages.b = { steps = 400 }
stages.a.schedule.options = { every = 20 }
[readings.wide]
network = { options = { width = 32 } }
[readings.cosine]
stages.a.schedule = { name = "cosine", options = { final = 1e-5 } }
[readings.wrong]
stages.c = { steps = 1 }
"""


def test_a_reading_is_laid_over_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(READINGS)
    assert readings_of(str(file)) == {"long": "the paper trains longer", "wide": "", "cosine": "", "wrong": ""}
    plain, both = load_recipe(str(file)), load_recipe(str(file), readings=["long", "wide"])
    assert [stage.steps for stage in plain.stages] == [3, 4]
    assert [stage.steps for stage in both.stages] == [3, 400]
    assert both.stages[0].schedule.options == {"every": 20, "factor": 0.5}
    assert both.network.options == {"width": 32}
    another = load_recipe(str(file), readings=["cosine"]).stages[0].schedule
    assert (another.name, another.options) == ("cosine", {"final": 1e-5})  # step's options are no options of cosine
    with pytest.raises(UnknownNameError, match="reading 'lon'; did you mean 'long'"):
        load_recipe(str(file), readings=["lon"])
    with pytest.raises(UnknownNameError, match="unknown stage 'c'"):
        load_recipe(str(file), readings=["wrong"])


def test_a_reading_takes_a_part_away_with_false() -> None:
    taught, alone = load_recipe("pocket-kd"), load_recipe("pocket-kd", readings=["alone"])
    assert all(stage.distillation for stage in taught.stages)
    bare = [dataclasses.replace(stage, distillation=None) for stage in taught.stages]
    assert alone == dataclasses.replace(taught, stages=tuple(bare))
    with pytest.raises(SettingError, match="a table is needed, not True"):
        recipe_from(with_stage(distillation=True))


def test_only_recipes_for_any_network_take_another() -> None:
    one = recipe_from(MINIMAL)
    with pytest.raises(SettingError, match="trains abpn, not fsrcnn"):
        one.for_network("fsrcnn", {})
    assert one.for_network("abpn", {"scale": 2}).scale == 2
    any_ = recipe_from({**MINIMAL, "any_network": True})
    assert any_.for_network("fsrcnn", {"scale": 4}).network.name == "fsrcnn"


def test_scales_are_all_that_images_are_needed_for() -> None:
    assert recipe_from(with_stage(scales=[4, 2])).scales == (2, 3, 4)
