"""Ablations: one recipe, several arms that each change something, one budget for all, one table.

    recipe ─ budget ─┬─ arm 1 ─► train ─► a figure for each column ─┐
                     ├─ arm 2 ─► ...                                ├─► table, the paper's figures beside ours
                     └─ ...                                         ┘

A column is the name of a stage, whose result is judged as a network; ``ptq``, the int8 file of the last float stage
quantised after training; or ``int8``, the file of the last integer stage. Files are run by LiteRT. Every arm starts
from the same seed and sees the same patches.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pocketsr
from pocketsr.compress.integer import PENALTIES, REWRITES
from pocketsr.data import Pair
from pocketsr.errors import SettingError
from pocketsr.evaluate import Upscale, psnr
from pocketsr.pipeline.measure import to_file, write_text
from pocketsr.train import Event, Recipe, read_checkpoint, restore, train, upscale_with
from pocketsr.train.recipe_files import laid_over, read_toml, recipe_from, toml_names
from pocketsr.train.stage_run import STATE_FILE
from pocketsr.train.tables import read_table

PTQ, INT8 = "ptq", "int8"
_ROW = "row.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """One line of the table.

    Attributes:
        name: What the line is called, as in the paper.
        change: What is laid over the recipe for it, as a reading is.
        printed: The paper's figures by column, PSNR in dB.
    """

    name: str
    change: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    printed: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ablation:
    """A comparison of arms.

    Attributes:
        name: Name of the ablation.
        description: One sentence for people.
        source: Whose table it repeats, and how that was measured.
        recipe: Name of the recipe that all arms start from.
        budget: What is laid over it for all arms: the paper's lengths are days of a GPU.
        columns: What is judged: names of stages, ``ptq``, ``int8``.
        border: Pixels left out on each side when images are compared.
        arms: The lines.
    """

    name: str
    description: str = ""
    source: str = ""
    recipe: str
    budget: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    columns: tuple[str, ...]
    border: int = 0
    arms: tuple[Arm, ...]

    def recipe_of(self, arm: Arm) -> Recipe:
        """Return what an arm trains.

        Raises:
            SettingError: A key or value in the budget or the change does not fit the recipe.
        """
        values = laid_over(laid_over(read_toml("recipe", self.recipe), self.budget), arm.change)
        values.pop("readings", None)
        return recipe_from({**values, "name": f"{self.name}: {arm.name}"})


def ablation_names() -> tuple[str, ...]:
    """Return the names of the ablations that come with pocketsr."""
    return toml_names("ablation")


def load_ablation(name_or_path: str) -> Ablation:
    """Read an ablation that comes with pocketsr, or one from a ``.toml`` file.

    Raises:
        UnknownNameError: None has that name.
        SettingError: The file cannot be read, a key or value in it is wrong, or a column is none of its stages.
    """
    values = read_toml("ablation", name_or_path)
    ablation = read_table(Ablation, values, "ablation")
    assert isinstance(ablation, Ablation)
    names = [arm.name for arm in ablation.arms]
    if len(set(names)) != len(names):
        raise SettingError(f"ablation {ablation.name!r}: arms need different names, not {', '.join(names)}")
    for arm in ablation.arms:
        stages = {stage.name for stage in ablation.recipe_of(arm).stages}
        unknown = [column for column in ablation.columns if column not in {*stages, PTQ, INT8}]
        if unknown:
            known = ", ".join([*sorted(stages), PTQ, INT8])
            raise SettingError(f"ablation {ablation.name!r}: column {unknown[0]!r} is none of {known}")
    return ablation


def run_ablation(
    ablation: Ablation,
    pairs: Sequence[Pair],
    valid_pairs: Sequence[Pair],
    *,
    folder: Path,
    steps: int | None = None,
    seed: int | None = None,
    teacher: Path | None = None,
    on_arm: Callable[[Arm, Recipe], None] = lambda _arm, _recipe: None,
    on_event: Callable[[Event], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Mapping[str, Mapping[str, float]]:
    """Train every arm and judge it; arms that the folder holds already are not trained again.

    Args:
        ablation: What to compare.
        pairs: Images to train on.
        valid_pairs: Images to judge on.
        folder: Where each arm's run and figures are kept.
        steps: Cut every stage to at most this many steps.
        seed: Other first weights and patches than the recipe's.
        teacher: File of the network that taught arms learn from.
        on_arm: Called before an arm is trained.
        on_event: Passed on to training.
        should_stop: Passed on to training; what was finished is kept, and the same call goes on.

    Returns:
        Mean PSNR in dB over the images by arm and column; arms that were not finished are left out.

    Raises:
        SettingError: The folder holds runs of other settings.
    """
    figures: dict[str, Mapping[str, float]] = {}
    for arm in ablation.arms:
        recipe = _cut(ablation.recipe_of(arm), steps, seed)
        recipe = recipe if teacher is None else recipe.taught_by(str(teacher))
        run = folder / arm.name.replace(" ", "-").replace("/", "-").lower()
        row = run / _ROW
        if not row.exists():
            on_arm(arm, recipe)
            state = train(
                recipe,
                pairs,
                folder=run,
                resume=(run / STATE_FILE).exists(),
                teacher_folder=folder,
                rewrites=REWRITES,
                penalties=PENALTIES,
                on_event=on_event,
                should_stop=should_stop,
            )
            if not state.is_finished:
                return figures
            judged = _judged(ablation, recipe, run, pairs, valid_pairs)
            write_text(row, json.dumps({"recipe": recipe.to_dict(), "figures": judged}, indent=2))
        kept = json.loads(row.read_text(encoding="utf-8"))
        if recipe_from(kept["recipe"]) != recipe:
            raise SettingError(f"{run} was trained with other settings; choose another folder with -o")
        figures[arm.name] = kept["figures"]
    return figures


def _cut(recipe: Recipe, steps: int | None, seed: int | None) -> Recipe:
    recipe = recipe if steps is None else recipe.shortened(steps)
    return recipe if seed is None else dataclasses.replace(recipe, seed=seed)


def _judged(
    ablation: Ablation, recipe: Recipe, run: Path, pairs: Sequence[Pair], valid_pairs: Sequence[Pair]
) -> dict[str, float]:
    figures = {}
    for column in ablation.columns:
        if column in (PTQ, INT8):
            kind = "float" if column == PTQ else "integer"
            stage = [stage for stage in recipe.stages if stage.arithmetic == kind][-1]
            calibration = [pair.low for pair in pairs[:: max(1, len(pairs) // 50)][:50]]
            network = restore(read_checkpoint(run / f"{stage.name}.pt"), REWRITES)
            file = to_file(network, run / f"{column}.tflite", check=calibration[:2], calibration=calibration)
            upscale: Upscale = pocketsr.load(file)
        else:
            torch_network = restore(read_checkpoint(run / f"{column}.pt"), REWRITES)

            def upscale(image: Any, network: Any = torch_network) -> Any:
                return upscale_with(network, image)

        figures[column] = _psnr(upscale, valid_pairs, ablation.border)
    return figures


def _psnr(upscale: Upscale, pairs: Sequence[Pair], border: int) -> float:
    inside = slice(border, -border or None)
    return fmean(psnr(upscale(pair.low)[inside, inside], pair.high[inside, inside]) for pair in pairs)
