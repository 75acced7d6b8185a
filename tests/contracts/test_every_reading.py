"""What holds for every reading of every recipe: it can be built and trained, and its rates are sane.

``test_every_recipe`` runs each recipe as it is, files and all; here steps are taken without files, since states with
discriminators are large.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from pocketsr.choice import Choice
from pocketsr.compress.integer import REWRITES
from pocketsr.data import PatchSampler
from pocketsr.networks import build
from pocketsr.train import (
    Processes,
    Recipe,
    Stage,
    load_recipe,
    network_for,
    readings_of,
    recipe_from,
    recipe_names,
    train,
)
from pocketsr.train.load import load_training
from pocketsr.train.schedule import rate_of
from pocketsr.train.stage_run import make_learner

ROOT = Path(__file__).resolve().parents[2]
#: Each recipe as it is ("") and by each reading.
EVERY = [(name, reading) for name in recipe_names() for reading in ("", *readings_of(name))]


def read(name: str, reading: str) -> Recipe:
    return load_recipe(name, readings=[reading] if reading else [])


def small(recipe: Recipe) -> Recipe:
    """The same in small: two steps a stage, of two patches as small as VGG and the discriminators can see."""

    def shrunk(stage: Stage) -> Stage:
        patch, adversary = (16, stage.adversary) if stage.adversary else (8, None)
        if adversary is not None and "patch" in adversary.discriminator.options:
            judge = Choice(name=adversary.discriminator.name, options={"patch": patch * recipe.scale})
            adversary = dataclasses.replace(adversary, discriminator=judge)
        return dataclasses.replace(stage, batch=2, patch=patch, adversary=adversary)

    return dataclasses.replace(recipe, stages=tuple(map(shrunk, recipe.shortened(2).stages)))


def taught(recipe: Recipe, teacher: Path) -> Recipe:
    """Return the recipe with a teacher, where it wants one."""
    return recipe.taught_by(str(teacher)) if any(stage.distillation for stage in recipe.stages) else recipe


#: Readings that are more than other numbers of steps or patches.
DIFFERENT = [
    (name, reading) for name, reading in EVERY if reading and small(read(name, reading)) != small(load_recipe(name))
]


@pytest.fixture(scope="module", autouse=True)
def _alone_on_one_thread_with_learned_losses(vgg19_file: Path, lpips_folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCKETSR_VGG19", str(vgg19_file))
        patch.setenv("POCKETSR_METRICS", str(lpips_folder))
        patch.setattr(os, "fsync", lambda _: None)  # no power fails here
        torch.set_num_threads(1)
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    with Image.open(ROOT / "examples" / "astronaut.png") as photo:
        photo.convert("RGB").crop((60, 20, 160, 100)).save(folder / "face.png")
    return folder


@pytest.mark.parametrize(("name", "reading"), EVERY)
def test_it_survives_its_dictionary_and_builds_its_network(name: str, reading: str) -> None:
    recipe = read(name, reading)
    assert recipe_from(recipe.to_dict()) == recipe
    network = build(recipe.network.name, recipe.network.options)
    assert network.scale == recipe.scale, "recipes say the scale: defaults differ between networks"
    for stage in recipe.stages:
        assert set(stage.scales) <= set(getattr(network, "scales", ()))


@pytest.mark.parametrize(("name", "reading"), EVERY)
def test_its_rates_stay_above_zero_and_within_the_peak(name: str, reading: str) -> None:
    for stage in read(name, reading).stages:
        rate = rate_of(stage)
        rates = [rate(step) for step in (*range(0, stage.steps, max(1, stage.steps // 200)), stage.steps - 1)]
        assert 0 < min(rates) <= max(rates) <= stage.learning_rate * (1 + 1e-9)
        assert max(rates) > 0.9 * stage.learning_rate, "the peak is reached"


@pytest.mark.parametrize(("name", "reading"), EVERY)
def test_what_it_starts_from_trains_the_same_network_in_float(name: str, reading: str) -> None:
    recipe = read(name, reading)
    if recipe.starts_from:
        before = load_recipe(recipe.starts_from)
        assert before.network.name == recipe.network.name
        assert all(stage.arithmetic == "float" for stage in before.stages)
    assert recipe.starts_from != name or reading, "a recipe that begins with itself never begins"


@pytest.mark.parametrize("name", recipe_names())
def test_it_says_where_it_comes_from(name: str) -> None:
    text = (ROOT / "src" / "pocketsr" / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# Source: ")


@pytest.mark.parametrize(("name", "reading"), DIFFERENT)
def test_two_steps_of_every_stage_change_the_network(name: str, reading: str, images: Path, teacher_file: Path) -> None:
    recipe = taught(small(read(name, reading)), teacher_file)
    pairs = load_training(recipe, images)
    for index, stage in enumerate(recipe.stages):
        network = network_for(recipe, index, REWRITES)
        learner = make_learner(recipe, index, network, Processes())
        sampler = PatchSampler(
            {scale: pairs[scale] for scale in stage.scales or (recipe.scale,)},
            patch=stage.patch,
            batch=stage.batch,
            seed=0,
            augmentations=stage.augmentations,
            fixed_crops=stage.fixed_crops,
            degradation=recipe.data.degradation if recipe.data.degrade_patches else None,
        )
        before = [parameter.detach().clone() for parameter in network.parameters()]
        for step in range(stage.steps):
            losses = learner.learn(sampler.batch_at(step), step)
            assert all(loss.isfinite() for loss in losses.values())
        assert any(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_sesr_x4_begins_with_x2_and_a_fresh_last_layer(images: Path, tmp_path: Path) -> None:
    first, second = small(load_recipe("sesr")), small(read("sesr", "x4"))
    train(first, load_training(first, images), folder=tmp_path / "x2", rewrites=REWRITES)
    notes: list[str] = []
    result = train(
        second,
        load_training(second, images),
        folder=tmp_path / "x4",
        start=tmp_path / "x2" / "float.pt",
        rewrites=REWRITES,
        on_note=notes.append,
    )
    assert result.is_finished
    (note,) = notes
    assert "tail" in note
    assert "body" not in note
