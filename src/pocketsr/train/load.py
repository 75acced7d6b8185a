"""The images that a recipe trains and validates on, made as it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pocketsr.data import Pair, load_pairs, load_scales
from pocketsr.image import has_part
from pocketsr.image.layout import Part
from pocketsr.train.recipe import Recipe


def load_training(recipe: Recipe, folder: Path) -> Mapping[int, Sequence[Pair]]:
    """Read a folder's training images at every scale that the recipe needs.

    Raises:
        DataError: The folder is missing, empty, or its pairs do not match.
        ImageFileError: One of the images cannot be read.
    """
    choice = recipe.data
    return load_scales(
        folder,
        scales=recipe.scales,
        shrink=choice.shrink,
        degradation=choice.degradation,
        fit=choice.fit,
        seed=recipe.seed,
    )


def load_validation(recipe: Recipe, folder: Path) -> Sequence[Pair]:
    """Read a folder's validation part, or all of it where it has no parts, at the recipe's scale.

    Raises:
        DataError: The folder is missing, empty, or its pairs do not match.
        ImageFileError: One of the images cannot be read.
    """
    part: Part = "valid" if has_part(folder, "valid") else "train"
    return load_pairs(folder, scale=recipe.scale, degradation=recipe.data.degradation, part=part, seed=recipe.seed)
