"""Small recipes and comparisons that tests of training share."""

from __future__ import annotations

from typing import Any

import torch

from pocketsr.train import Checkpoint, Recipe, recipe_from

_STAGE = {"batch": 2, "patch": 8, "checkpoint_every": 3, "validate_every": 4, "precision": "fp32"}


def recipe(*stages: dict[str, Any], **settings: Any) -> Recipe:
    """Return a recipe for a tiny ABPN ×2 of the given stages; one of eight steps where none is given."""
    return recipe_from(
        {
            "name": "test",
            "network": {"name": "abpn", "options": {"scale": 2, "width": 6, "depth": 1, "expansion": 4}},
            **settings,
            "stages": [{"name": "a", "steps": 8, **_STAGE, **stage} for stage in stages or ({},)],
        }
    )


def equal(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two states hold the same weights and averages, bit for bit."""
    return all(
        torch.equal(getattr(one, kind)[key], getattr(other, kind)[key])
        for kind in ("network", "average")
        for key in one.network
    )


def difference(one: Checkpoint, other: Checkpoint) -> float:
    """Return the largest difference between the weights of two states."""
    return max(float((one.network[key] - other.network[key]).abs().max()) for key in one.network)
