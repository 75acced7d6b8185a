"""What holds for every recipe that comes along: it trains, from its first stage to its last, and its result ships."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_pairs
from pocketsr.train import load_recipe, recipe_names, restore, train

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", recipe_names())
def test_two_steps_of_every_stage(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(ROOT / "examples" / "astronaut.png", images)
    recipe = load_recipe(name).shortened(2)
    pairs = load_pairs(images, scale=recipe.scale)
    result = train(recipe, pairs, folder=tmp_path / "run", valid_pairs=pairs, rewrites=REWRITES)
    assert result.is_finished
    assert [row["stage"] for row in result.history] == [stage.name for stage in recipe.stages]
    assert restore(result, REWRITES)(torch.rand(1, 3, 8, 9)).shape == (1, 3, 8 * recipe.scale, 9 * recipe.scale)
    assert recipe.data.licence, "weights need a licence"
    assert recipe.description
