"""Recipes refuse what they do not understand, in the user's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.recipe import Recipe, load_recipe, recipe_from, recipe_names

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
        (with_stage(loss="l3"), "one of l1, l2, charbonnier"),
        (with_stage(steps="many"), "int is needed"),
        (with_stage(steps=True), "int is needed"),
        (with_stage(batch=0), "batch must be 1 or more"),
        (with_stage(ema_decay=1.0), "below 1"),
        (with_stage(warmup_steps=11), "0 to steps"),
        (with_stage(schedule="step"), "halve_every must be 1 or more"),
        (with_stage(arithmetic="integer"), "precision must be 'fp32'"),
        (with_stage(augmentations=["flip", "rotate"]), r"stages\[0\].augmentations\[1\]"),
        ({**MINIMAL, "stages": []}, "no stages"),
        ({**MINIMAL, "stages": [MINIMAL["stages"][0]] * 2}, "different names"),
        ({"name": "x", "stages": []}, "lacks the key 'network'"),
        ({**MINIMAL, "network": "abpn"}, "a table is needed"),
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
