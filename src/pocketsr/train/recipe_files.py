"""Recipes as TOML: those that come with pocketsr, a user's own, and the readings that a recipe offers.

Where a paper and its public code disagree, the recipe follows one of them and offers the other as a named reading::

    [readings.paper]
    why = "the paper halves every 200 epochs; the released weights were trained by the code's schedule"
    stages.scratch = { steps = 1_000_000 }

A reading's tables are laid over the recipe's own; its stages are found by name. Another name with options replaces a
choice; another name alone keeps the options.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.recipe import Recipe
from pocketsr.train.tables import read_table


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with pocketsr."""
    return toml_names("recipe")


def load_recipe(name_or_path: str, *, readings: Sequence[str] = ()) -> Recipe:
    """Read a recipe that comes with pocketsr, or one from a ``.toml`` file.

    Args:
        name_or_path: Its name or file.
        readings: Names of readings to lay over it, in order.

    Raises:
        UnknownNameError: No recipe, or no reading of it, has that name.
        SettingError: The file cannot be read, or a key or value in it is wrong.
    """
    values = read_toml("recipe", name_or_path)
    offered = values.pop("readings", {})
    for reading in readings:
        if reading not in offered:
            raise UnknownNameError.among("reading", reading, offered)
        values = laid_over(values, {key: value for key, value in offered[reading].items() if key != "why"})
    return recipe_from(values)


def readings_of(name_or_path: str) -> Mapping[str, str]:
    """Return the readings that a recipe offers, and why each is there."""
    offered = read_toml("recipe", name_or_path).get("readings", {})
    return {name: str(reading.get("why", "")) for name, reading in offered.items()}


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain dictionaries, refusing unknown keys and wrong types.

    >>> recipe_from({"name": "x", "network": {"name": "abpn"}, "stages": [{"name": "a", "stepps": 1}]})
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: recipe: stages[0] has no key 'stepps'; did you mean 'steps'?
    """
    recipe = read_table(Recipe, values, "recipe")
    assert isinstance(recipe, Recipe)
    return recipe


def toml_names(kind: str) -> tuple[str, ...]:
    """Return the names of the files of a kind that come with pocketsr: ``recipe``, ``ablation`` or ``pipeline``."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _files_of(kind)))


def read_toml(kind: str, name_or_path: str) -> dict[str, Any]:
    """Read one that comes with pocketsr, or a ``.toml`` file, as plain dictionaries.

    Raises:
        UnknownNameError: None has that name.
        SettingError: The file is missing or not TOML.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SettingError(f"there is no {kind} file {path}")
        text = path.read_text(encoding="utf-8")
    else:
        found = {file.name.removesuffix(".toml"): file for file in _files_of(kind)}
        if name_or_path not in found:
            raise UnknownNameError.among(kind, name_or_path, found)
        text = found[name_or_path].read_text(encoding="utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{kind} {name_or_path}: not valid TOML: {error}") from error


def _files_of(kind: str) -> list[Traversable]:
    """Return the TOML files of a kind: recipes stand in the folder itself, the others in folders inside it."""
    folder = resources.files("pocketsr") / "recipes"
    folder = folder if kind == "recipe" else folder / f"{kind}s"
    return [file for file in folder.iterdir() if file.name.endswith(".toml")]


def laid_over(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another: tables merge, stages merge by name, all else is replaced."""
    result = dict(values)
    for key, value in over.items():
        below = values.get(key)
        if isinstance(below, str) and isinstance(value, Mapping):
            below = {"name": below}  # what a bare name is short for
        is_other = isinstance(value, Mapping) and isinstance(below, Mapping) and _names_another(value, below)
        if key == "stages" and isinstance(value, Mapping):
            result[key] = _stages_laid_over(values.get(key, []), value)
        elif isinstance(value, Mapping) and isinstance(below, Mapping) and not is_other:
            result[key] = laid_over(below, value)
        else:
            result[key] = value
    return result


def _names_another(value: Mapping[str, Any], below: Mapping[str, Any]) -> bool:
    """Whether one choice is of another thing than the other, and says its options itself."""
    return "name" in value and value["name"] != below.get("name") and "options" in below and "options" in value


def _stages_laid_over(stages: Sequence[Mapping[str, Any]], over: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [str(stage.get("name")) for stage in stages]
    for name in over:
        if name not in names:
            raise UnknownNameError.among("stage", name, names)
    return [laid_over(stage, over.get(name, {})) for name, stage in zip(names, stages, strict=True)]
