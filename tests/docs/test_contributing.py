"""CONTRIBUTING's guide to a new network works as it is written."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from pocketsr import networks
from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_pairs
from pocketsr.image import downscale, list_images, read_image
from pocketsr.lower import write_checked
from pocketsr.networks import NetworkEntry
from pocketsr.spec import ModelSpec
from pocketsr.train import load_recipe, restore, to_levels, train

ROOT = Path(__file__).resolve().parents[2]


def block(name: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    marked = text.split(f"<!-- {name} -->")[1].split(f"<!-- end {name} -->")[0]
    return marked.split("```")[1].split("\n", 1)[1]


def test_the_guide_s_network_trains_and_ships(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    (tmp_path / "tiny.py").write_text(block("network"))
    spec = importlib.util.spec_from_file_location("tiny", tmp_path / "tiny.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entry = eval(block("entry"), {"NetworkEntry": NetworkEntry, "Tiny": module.Tiny})
    assert sum(p.numel() for p in entry.make(scale=3).parameters()) == entry.parameters[3]
    monkeypatch.setattr(networks, "NETWORKS", {**networks.NETWORKS, "tiny": entry})
    (tmp_path / "tiny.toml").write_text(block("recipe"))
    recipe = load_recipe(str(tmp_path / "tiny.toml")).shortened(3)
    recipe = load_recipe_with_small_patches(recipe)
    result = train(recipe, load_pairs(image_folder, scale=3), folder=tmp_path / "run", rewrites=REWRITES)
    network = restore(result, REWRITES)
    graph = network.graph()
    images = [downscale(read_image(file).pixels, 3) for file in list_images(image_folder)]
    parity = write_checked(
        graph,
        ModelSpec(name="tiny", network="tiny", scale=3, precision="int8", receptive_field=2),
        tmp_path / "tiny.tflite",
        forward=lambda image: to_levels(network, image),
        images=images,
    )
    assert parity.different == 0


def load_recipe_with_small_patches(recipe):
    """The test's images are small; nothing else of the guide's recipe changes."""
    import dataclasses

    stages = tuple(dataclasses.replace(stage, patch=16, batch=2) for stage in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)
