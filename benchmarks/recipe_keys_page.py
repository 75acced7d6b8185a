"""The page of what a recipe may say: every key from the dataclasses, every name from the lists."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pocketsr.data import AUGMENTATIONS
from pocketsr.image import DEGRADATIONS
from pocketsr.networks.discriminators import DISCRIMINATORS
from pocketsr.train.losses import ADVERSARIAL_LOSSES, LOSSES
from pocketsr.train.losses.distillation import FEATURE_LOSSES, OUTPUT_LOSSES
from pocketsr.train.optimiser import OPTIMISERS
from pocketsr.train.recipe import Adversary, DataChoice, Distillation, Recipe, Stage
from pocketsr.train.schedule import SCHEDULES

_HEAD = """\
# What a recipe may say

Written by `make docs` from the code. A recipe is TOML: top-level keys, a table `[data]`, and one `[[stages]]` for each
stage. Unknown keys and wrong values are refused, with the nearest right one. Wherever a name from a list is expected,
`"name"` is short for `{ name = "name" }`, and options stand in `{ name = "name", options = { key = value } }`; a loss
may carry a `weight` beside them.
"""
_TABLES = (
    ("Top level", Recipe),
    ("[data]", DataChoice),
    ("[[stages]]", Stage),
    ("[stages.adversary]", Adversary),
    ("[stages.distillation]", Distillation),
)
_LISTS: tuple[tuple[str, Mapping[str, Callable[..., Any]], int], ...] = (
    ("losses", LOSSES, 0),
    ("adversary: loss", ADVERSARIAL_LOSSES, 0),
    ("adversary: discriminator", DISCRIMINATORS, 0),
    ("distillation: terms of images", OUTPUT_LOSSES, 0),
    ("distillation: terms of features", FEATURE_LOSSES, 2),
    ("optimiser", {name: OPTIMISERS[name] for name in ("SOAP", "Adam", "AdamW")}, 2),
    ("schedule", SCHEDULES, 3),
    ("augmentations", AUGMENTATIONS, 0),
    ("degradation", DEGRADATIONS, 1),
)


def page() -> str:
    """Return the page."""
    lines = [_HEAD]
    for title, kind in _TABLES:
        lines += [f"## `{title}`", "", "| key | default | meaning |", "|---|---|---|", *_keys(kind), ""]
    lines += ["## Names", "", "Every other optimiser of `torch.optim` goes by its class name.", ""]
    for title, makers, given in _LISTS:
        lines += [f"### {title}", "", "| name | options | what it is |", "|---|---|---|"]
        lines += [_row(name, maker, given) for name, maker in makers.items()] + [""]
    return "\n".join(lines)


def _keys(kind: type) -> Iterator[str]:
    meanings = _attributes(kind)
    for field in dataclasses.fields(kind):
        default = field.default_factory() if callable(field.default_factory) else field.default
        shown = "required" if default is dataclasses.MISSING else f"`{_value(default)}`"
        yield f"| `{field.name}` | {shown} | {meanings[field.name]} |"


def _attributes(kind: type) -> dict[str, str]:
    """Return what the docstring's section of attributes says of each."""
    section = (inspect.getdoc(kind) or "").split("Attributes:\n")[1]
    found = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", section, re.MULTILINE)
    return {name: " ".join(words.split()).replace("``", "`") for name, words in found}


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, DataChoice):
        return "see below"
    if value is None or value == "" or value == {}:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row(name: str, maker: Callable[..., Any], given: int) -> str:
    parameters = list(inspect.signature(maker).parameters.values())[given:]
    if name.startswith("Adam"):
        parameters = [one for one in parameters if one.name in ("betas", "eps", "weight_decay", "amsgrad")]
    options = ", ".join(
        f"`{one.name}`" if one.default is inspect.Parameter.empty else f"`{one.name}={_value(one.default)}`"
        for one in parameters
        if one.name != "lr"
    )
    first = (inspect.getdoc(maker) or "").split("\n\n")[0]
    words = "as in torch" if name.startswith("Adam") else " ".join(first.split()).replace("``", "`").replace("|", "\\|")
    return f"| `{name}` | {options or '–'} | {words} |"
