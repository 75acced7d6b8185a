"""Catalogues as text: what ``catalogue`` reads, written whole from entries.

Knows nothing of files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pocketsr.weights.catalogue import Entry, Style

_BUNDLED = "The models that come with pocketsr."
_BANK = "The bank: models that are no part of the package. `pocketsr models` finds them from a checkout."
_ORDER = (
    "name", "file", "network", "scale", "style", "order", "channels", "precision", "sha256", "licence", "data", "card",
    "checkpoint",
)  # fmt: skip
_KEYS = """#
# One [[entries]] table each:
#
#   name        what users type
#   file        beside this file
#   network     name in the list of networks
#   scale       output height over input height
#   style       what input it is for: "clean", "jpeg", "jpeg-444", "jpeg-coarse" or "gan"
#   order       where no model is named, the lowest of a scale and style is taken; 0 never (but luma by video)
#   channels    3 knows colour, 1 luma only
#   precision   "int8" or "float32"
#   sha256      of the file, 64 hexadecimal digits
#   licence     of the weights (SPDX)
#   data        the images it was trained on, in words
#   card        everything else, beside this file
#   checkpoint  saved network in the bank, folded; may be empty
#   scores      figure by name, each name saying data and protocol
#
# Written by benchmarks/release.py.
"""


def catalogue_text(entries: Iterable[Entry], *, bank: Mapping[str, Style] | None = None) -> str:
    r"""Return a catalogue.

    Args:
        entries: Its models, in this order.
        bank: For the catalogue of the package: what the bank has, and what each is for. None writes the bank's own.

    >>> catalogue_text([]).endswith("entries = []\n")
    True
    """
    parts = [f"# {_BANK if bank is None else _BUNDLED}\n{_KEYS}"]
    tables = [_table(entry) for entry in entries]
    if not tables:
        parts.append("entries = []\n")
    if bank:
        parts.append("# What the bank has, to say where it is to be had.\n[bank]")
        parts += [f"{_toml(name)} = {_toml(style)}" for name, style in sorted(bank.items())]
        parts.append("")
    return "\n".join([*parts, *tables])


def _table(entry: Entry) -> str:
    lines = ["[[entries]]", *(f"{key} = {_toml(getattr(entry, key))}" for key in _ORDER)]
    if entry.scores:
        lines += ["[entries.scores]", *(f"{_toml(name)} = {value:.3f}" for name, value in entry.scores.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings and whole numbers are written alike in TOML
