"""What holds for every recipe that comes along, and for every reading of it: it trains, and its result upscales."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from pocketsr.compress.integer import REWRITES
from pocketsr.train import Recipe, check_recipe, load_recipe, readings_of, recipe_from, recipe_names, restore, train
from pocketsr.train.load import load_training, load_validation

ROOT = Path(__file__).resolve().parents[2]
READINGS = [(name, reading) for name in recipe_names() for reading in readings_of(name)]
#: Sides of patches in the tests; discriminators that are made for one size keep theirs.
PATCH = 16


@pytest.fixture(autouse=True)
def learned_losses(monkeypatch: pytest.MonkeyPatch, vgg19_file: Path, lpips_folder: Path) -> None:
    monkeypatch.setenv("POCKETSR_VGG19", str(vgg19_file))
    monkeypatch.setenv("POCKETSR_METRICS", str(lpips_folder))
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    shutil.copy(ROOT / "examples" / "astronaut.png", folder)
    return folder


def small(recipe: Recipe) -> Recipe:
    """Return the recipe with two steps a stage, of few and small patches; what it does stays the same."""
    stages = []
    for stage in recipe.shortened(2).stages:
        is_sized = stage.adversary is not None and "patch" in stage.adversary.discriminator.options
        patch = stage.patch if is_sized else min(stage.patch, PATCH)
        stages.append(dataclasses.replace(stage, batch=2, patch=patch, picture_every=0))
    return dataclasses.replace(recipe, stages=tuple(stages))


def taught(recipe: Recipe, teacher: Path) -> Recipe:
    """Return the recipe with a teacher, where it wants one."""
    return recipe.taught_by(str(teacher)) if any(stage.distillation for stage in recipe.stages) else recipe


@pytest.mark.parametrize("name", recipe_names())
def test_two_steps_of_every_stage(name: str, images: Path, teacher_file: Path, tmp_path: Path) -> None:
    recipe, start = taught(small(load_recipe(name)), teacher_file), None
    pairs = load_training(recipe, images)
    if recipe.starts_from:
        first = small(load_recipe(recipe.starts_from))
        train(first, load_training(first, images), folder=tmp_path / "first", rewrites=REWRITES)
        start = tmp_path / "first" / f"{first.stages[-1].name}.pt"
    valid = [dataclasses.replace(pair, low=pair.low[:32, :32], high=pair.high[: 32 * recipe.scale, : 32 * recipe.scale])
             for pair in load_validation(recipe, images)]  # fmt: skip
    result = train(recipe, pairs, folder=tmp_path / "run", valid_pairs=valid, start=start, rewrites=REWRITES)
    assert result.is_finished
    assert [row["stage"] for row in result.history] == [stage.name for stage in recipe.stages]
    channels = getattr(restore(result, REWRITES), "channels", 3)
    with torch.no_grad():
        output = restore(result, REWRITES)(torch.rand(1, channels, 8, 10))
    assert output.shape == (1, channels, 8 * recipe.scale, 10 * recipe.scale)
    assert output.isfinite().all()


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_what_it_is_and_what_its_weights_may_be_used_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.data.name
    assert recipe.data.description
    assert recipe.data.licence, "weights need a licence"
    assert recipe_from(recipe.to_dict()) == recipe


@pytest.mark.parametrize(("name", "reading"), READINGS)
def test_a_reading_differs_runs_and_says_why(name: str, reading: str, teacher_file: Path) -> None:
    read = load_recipe(name, readings=[reading])
    assert readings_of(name)[reading].strip()
    assert read != load_recipe(name)
    check_recipe(taught(small(read), teacher_file), REWRITES)
