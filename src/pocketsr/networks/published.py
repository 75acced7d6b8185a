"""Sizes that were published, beside those counted from the layers: ``published.toml``, read."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedSize:
    """One published size of a network.

    Attributes:
        title: Name in tables.
        network: Name in the list of networks.
        options: Keyword options that make this size; scale comes on top.
        parameters: Counted from the folded network's layers, by scale; empty where the size is not pinned down.
        frozen: How many of ``parameters`` are fixed numbers, kept as constants and not as parameters.
        gmacs_720p: Multiplications by weights, in 10⁹, for an output of 1280×720, by scale.
        printed: What the papers print.
        reason: Why that differs from what was counted; empty where it does not.
    """

    title: str
    network: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parameters: Mapping[int, int] = dataclasses.field(default_factory=dict)
    frozen: int = 0
    gmacs_720p: Mapping[int, float] = dataclasses.field(default_factory=dict)
    printed: str = ""
    reason: str = ""


@functools.cache
def published_sizes() -> tuple[PublishedSize, ...]:
    """Return the rows in the order of the file."""
    text = resources.files("pocketsr.networks").joinpath("published.toml").read_text(encoding="utf-8")
    return tuple(_size(row) for row in tomllib.loads(text)["sizes"])


def _size(row: dict[str, Any]) -> PublishedSize:
    for field in ("parameters", "gmacs_720p"):
        row[field] = {int(scale): number for scale, number in row.get(field, {}).items()}
    return PublishedSize(**row)
