"""The workshop's verbs need torch: one place to import it or say how to get it."""

from __future__ import annotations

import importlib
from typing import Any

from pocketsr.errors import MissingExtraError


def import_torch() -> Any:
    """Return the module torch.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise MissingExtraError.for_extra("torch", "train") from error
