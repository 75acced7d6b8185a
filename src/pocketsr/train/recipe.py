"""Recipes: everything that decides a training run, as frozen values read from TOML.

Unknown keys fail and the error names the nearest key; nonsense is refused before any image is read.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pocketsr.data import Augmentation
from pocketsr.errors import SettingError, UnknownNameError

Loss = Literal["l1", "l2", "charbonnier"]
Optimiser = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine", "step"]
Precision = Literal["fp32", "bf16"]
Arithmetic = Literal["float", "integer"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkChoice:
    """Which network, and with what options.

    Attributes:
        name: A name from the list of networks.
        options: Keyword options of that network, scale among them.
    """

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataChoice:
    """What to train on.

    Attributes:
        description: The images that the recipe means, in words; ``--data`` says where they are.
        licence: Licence of weights trained on them (SPDX).
        shrink: Sizes (0 < s ≤ 1) at which each image serves as ground truth.
    """

    description: str = ""
    licence: str = ""
    shrink: tuple[float, ...] = (1.0,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training with settings of its own. Stages run in order, each from the last one's result.

    Attributes:
        name: Word for the stage in files and progress.
        steps: Optimiser steps.
        batch: Patches a step.
        patch: Side of a patch in low-resolution pixels.
        arithmetic: ``float`` trains the network as written; ``integer`` folds it and trains the int8 file's arithmetic.
        calibration_images: Images that set the first activation ranges of an integer stage.
        loss: Distance between output and ground truth, both 0..1, averaged over all values.
        charbonnier_epsilon: ε of √(d² + ε²), in units of 0..1.
        optimiser: ``adam`` or ``adamw``.
        learning_rate: Step size at its highest.
        final_learning_rate: Step size at the end of a cosine.
        betas: Adam's averaging factors.
        weight_decay: Decay of weights, for adamw decoupled.
        schedule: ``cosine`` (half a period from highest to final), ``step`` (halved), ``constant``.
        warmup_steps: Steps of linear rise at the start.
        halve_every: Steps between halvings of the ``step`` schedule.
        augmentations: Symmetries drawn for each patch.
        precision: ``bf16`` multiplies in bfloat16 and keeps weights in float32; ``fp32`` does all in float32.
        ema_decay: Factor of the running average of weights that is validated and kept; 0 keeps the last weights.
        gradient_clip: Largest norm of all gradients together; 0 leaves them alone.
        validate_every: Steps between validations; the stage's end is always validated.
        checkpoint_every: Steps between saved states.
    """

    name: str
    steps: int
    batch: int = 16
    patch: int = 64
    arithmetic: Arithmetic = "float"
    calibration_images: int = 100
    loss: Loss = "l1"
    charbonnier_epsilon: float = 1e-3
    optimiser: Optimiser = "adam"
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    warmup_steps: int = 0
    halve_every: int = 0
    augmentations: tuple[Augmentation, ...] = ("flip", "transpose")
    precision: Precision = "bf16"
    ema_decay: float = 0.999
    gradient_clip: float = 0.0
    validate_every: int = 5000
    checkpoint_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patch", "validate_every", "checkpoint_every"):
            _require(getattr(self, name) >= 1, self.name, name, "1 or more", getattr(self, name))
        _require(self.learning_rate > 0, self.name, "learning_rate", "above 0", self.learning_rate)
        _require(0 <= self.ema_decay < 1, self.name, "ema_decay", "at least 0 and below 1", self.ema_decay)
        _require(self.gradient_clip >= 0, self.name, "gradient_clip", "0 or more", self.gradient_clip)
        _require(0 <= self.warmup_steps <= self.steps, self.name, "warmup_steps", "0 to steps", self.warmup_steps)
        if self.schedule == "step":
            _require(
                self.halve_every >= 1, self.name, "halve_every", "1 or more with schedule 'step'", self.halve_every
            )
        if self.arithmetic == "integer":
            _require(
                self.precision == "fp32",
                self.name,
                "precision",
                "'fp32' where arithmetic is integer (bf16 cannot hold the sums)",
                self.precision,
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole training run.

    Attributes:
        name: Name of the recipe.
        description: One sentence for people.
        network: What is trained.
        data: What it is trained on.
        stages: What happens, in order; at least one.
        seed: Decides first weights and patches.
    """

    name: str
    description: str = ""
    network: NetworkChoice
    data: DataChoice = DataChoice()
    stages: tuple[Stage, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.stages:
            raise SettingError(f"recipe {self.name!r} has no stages; it needs at least one [[stages]]")
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise SettingError(f"recipe {self.name!r}: stages need different names, not {', '.join(names)}")

    @property
    def scale(self) -> int:
        """Factor of the network, 3 where the recipe leaves it out."""
        return int(self.network.options.get("scale", 3))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers; ``recipe_from`` reads them back."""
        return dataclasses.asdict(self)

    def shortened(self, steps: int) -> Recipe:
        """Return the same recipe with every stage at most ``steps`` long: for trying things out."""
        stages = tuple(
            dataclasses.replace(stage, steps=min(stage.steps, steps), warmup_steps=min(stage.warmup_steps, steps))
            for stage in self.stages
        )
        return dataclasses.replace(self, stages=stages)


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with pocketsr."""
    folder = resources.files("pocketsr") / "recipes"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe that comes with pocketsr, or one from a ``.toml`` file.

    Raises:
        UnknownNameError: No recipe has that name.
        SettingError: The file cannot be read, or a key or value in it is wrong.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SettingError(f"there is no recipe file {path}")
        text = path.read_text(encoding="utf-8")
    elif name_or_path in recipe_names():
        text = (resources.files("pocketsr") / "recipes" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise UnknownNameError.among("recipe", name_or_path, recipe_names())
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"recipe {name_or_path}: not valid TOML: {error}") from error
    return recipe_from(values)


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain dictionaries, refusing unknown keys and wrong types.

    >>> recipe_from({"name": "x", "network": {"name": "abpn"}, "stages": [{"name": "a", "stepps": 1}]})
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: recipe: stages[0] has no key 'stepps'; did you mean 'steps'?
    """
    recipe = _read(Recipe, values, "recipe")
    assert isinstance(recipe, Recipe)
    return recipe


def _read(kind: Any, value: Any, place: str) -> Any:
    """Turn plain data into ``kind``: a dataclass, tuple, mapping, literal or plain type."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise SettingError(f"{place}: a table is needed, not {value!r}")
        return _read_table(kind, value, place)
    origin = get_origin(kind)
    if origin is tuple and isinstance(value, list | tuple):
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_read(inner[0], item, f"{place}[{i}]") for i, item in enumerate(value))
        if len(inner) == len(value):
            return tuple(_read(one, item, place) for one, item in zip(inner, value, strict=True))
    elif origin is Literal:
        if value in get_args(kind):
            return value
        raise SettingError(f"{place}: one of {', '.join(map(str, get_args(kind)))} is needed, not {value!r}")
    elif isinstance(value, Mapping) and isinstance(origin, type) and issubclass(dict, origin):
        return dict(value)
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise SettingError(f"{place}: {getattr(kind, '__name__', kind)} is needed, not {value!r}")


def _read_table(kind: type, values: Mapping[str, Any], place: str) -> Any:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            help_ = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
            name = place if place == "recipe" else f"recipe: {place}"
            raise SettingError(f"{name} has no key {key!r}; {help_}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise SettingError(f"{place} lacks the key {name!r}")
    inner = "" if place == "recipe" else f"{place}."
    return kind(**{name: _read(hints[name], value, f"{inner}{name}") for name, value in values.items()})


def _require(good: bool, stage: str, name: str, needed: str, came: object) -> None:
    if not good:
        raise SettingError(f"stage {stage!r}: {name} must be {needed}, not {came!r}")
