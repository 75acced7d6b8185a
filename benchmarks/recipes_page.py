"""The page of all recipes, from the recipes themselves."""

from __future__ import annotations

import record

from pocketsr.choice import Choice
from pocketsr.networks import NETWORKS
from pocketsr.train import Recipe, Stage, load_recipe, readings_of, recipe_names

_FOLDER = record.ROOT / "src" / "pocketsr" / "recipes"
_HEAD = """\
# Recipes

Written by `make docs` from `src/pocketsr/recipes`. How to run one: [Train](../guides/train.md).

A recipe is a paper's training as data. Its numbers are the paper's or the authors' code's, epochs counted in steps.
Where paper and code part, the recipe follows the one that made the published weights where that can be known, and
offers the other as a *reading* (`--reading NAME`). What is not the paper's: everything trains in bfloat16 with
float32 weights but integer stages, which are float32, and quantisation-aware stages train the int8 file's own
arithmetic instead of fake quantisation. Learning rates, weights and limits mean what they mean in the paper; where a
loss lives on 0..255 there and on 0..1 here, the optimiser's epsilon and the weights of terms are converted (the files
say so).

**Licences.** DIV2K, Flickr2K, ImageNet and the 91 images may be used for academic research only, and whether weights
trained on them may be used otherwise is disputed. Recipes that name them mark their weights
`LicenseRef-academic-only`: no licence of SPDX's list but a warning, which goes into every file made from them.
Trained with `--data` on images of your own the word is wrong: copy the recipe and set `[data]`. The weights that come
with pocketsr are listed by `pocketsr models`, each with its licence.

**Left out.** ETDS and SPAN: ETDS trains its image stream by a loss of its own with weights held still at first, and
of SPAN's training nothing certain was gathered; `common` trains both.
"""


def page() -> str:
    """Return the page."""
    lines = [_HEAD, "| recipe | network | data | stages | readings |", "|---|---|---|---|---|"]
    recipes = [load_recipe(name) for name in recipe_names()]
    for recipe in recipes:
        stages = ", ".join(f"{stage.name} {_short(stage.steps)}" for stage in recipe.stages)
        scales = ", ".join(f"×{scale}" for scale in recipe.scales)
        cells = [
            f"[{recipe.name}](#{recipe.name})",
            f"{recipe.network.name} {scales}",
            recipe.data.name or "our own",
            stages,
            ", ".join(readings_of(recipe.name)) or "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + [line for recipe in recipes for line in _section(recipe)]) + "\n"


def _section(recipe: Recipe) -> list[str]:
    options = {key: value for key, value in recipe.network.options.items() if key not in ("scale", "scales")}
    begins = f" Starts from [{recipe.starts_from}](#{recipe.starts_from})." if recipe.starts_from else ""
    degraded = ", ".join(map(_words, recipe.data.degradation)) + (
        " of each patch" if recipe.data.degrade_patches else ""
    )
    lines = ["", f"## {recipe.name}", "", recipe.description + begins, ""]
    lines += [f"- Network: `{recipe.network.name}`{_options(options)}; {NETWORKS[recipe.network.name].source}."]
    lines += [f"- Data: {recipe.data.description}; {degraded}; weights {recipe.data.licence}."]
    lines += [f"- Source: {_source(recipe.name)}", ""]
    lines += ["| stage | steps | batch × patch | loss | optimiser | learning rate | patches are | |", "|" + "---|" * 8]
    lines += ["| " + " | ".join(_cells(stage)) + " |" for stage in recipe.stages]
    readings = readings_of(recipe.name)
    if readings:
        lines.append("")
    return lines + [f"- `--reading {name}`: {' '.join(why.split())}" for name, why in readings.items()]


def _cells(stage: Stage) -> list[str]:
    losses = [f"{_times(term.weight)}{_words(term)}" for term in stage.losses]
    if stage.adversary is not None:
        adversary = stage.adversary
        losses.append(f"{_times(adversary.weight)}{_words(adversary.loss)} against {_words(adversary.discriminator)}")
    warmup = f", warm-up {_short(stage.warmup_steps)}" if stage.warmup_steps else ""
    also = [
        ("integer arithmetic", stage.arithmetic == "integer"),
        ("scales " + ", ".join(map(str, stage.scales)), stage.scales),
        (f"gradients clipped at {stage.gradient_clip:g}", stage.gradient_clip),
        (f"weights within ±{stage.weight_limit:g}", stage.weight_limit),
        (f"RepConv within ±{stage.rep_weight_limit:g}", stage.rep_weight_limit),
        (f"{stage.fixed_crops:,} fixed crops", stage.fixed_crops),
        *((f"`{pattern}` at {factor:g} of the rate", True) for pattern, factor in stage.learning_rate_factors.items()),
        (f"averaged, {stage.ema_decay:g}", stage.ema_decay),
        ("best kept", stage.result == "best"),
    ]
    return [
        stage.name,
        f"{stage.steps:,}",
        f"{stage.batch} × {stage.patch}²",
        " + ".join(losses),
        _words(stage.optimiser),
        f"{stage.learning_rate:g}, {_words(stage.schedule)}{warmup}",
        ", ".join(map(_words, stage.augmentations)) or "as they are",
        "; ".join(words for words, is_so in also if is_so),
    ]


def _source(name: str) -> str:
    """Return the comment that the file opens with."""
    lines = (_FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment).removeprefix("Source: ")


def _words(choice: Choice) -> str:
    return f"{choice.name}{_options(choice.options)}"


def _options(options: object) -> str:
    assert isinstance(options, dict)
    return f" ({', '.join(f'{key} {_value(value)}' for key, value in options.items())})" if options else ""


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "/".join(map(_value, value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _times(weight: float) -> str:
    return "" if weight == 1 else f"{weight:g} · "


def _short(steps: int) -> str:
    return f"{steps / 1e6:.3g} M" if steps >= 1_000_000 else f"{steps / 1000:.3g} k" if steps >= 1000 else str(steps)
