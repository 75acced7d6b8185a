"""Fields of a JSON file, checked as they are read, so that a wrong file fails with the field's name.

A reader takes a value and the words for where it stands, and returns the value or refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from pocketsr.errors import DataError

_T = TypeVar("_T")


def text(value: object, where: str) -> str:
    """Return text."""
    return of(value, str, where, "text")


def flag(value: object, where: str) -> bool:
    """Return true or false."""
    return of(value, bool, where, "true or false")


def whole(value: object, where: str) -> int:
    """Return a whole number."""
    if isinstance(value, bool):
        raise DataError(f"{where} must be a whole number, not {value!r}")
    return of(value, int, where, "a whole number")


def number(value: object, where: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{where} must be a number, not {value!r}")
    return float(value)


def optional(read: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    """Return a reader that lets ``null`` pass."""
    return lambda value, where: None if value is None else read(value, where)


def mapping(read: Callable[[object, str], Any]) -> Callable[[object, str], dict[str, Any]]:
    """Return a reader of tables whose values all are read by one reader."""
    return lambda value, where: {key: read(inner, f"{where}: {key}") for key, inner in table(value, where).items()}


def table(value: object, where: str) -> dict[str, Any]:
    """Return a table by field name."""
    return of(value, dict, where, "a table of fields")


def of(value: object, kind: type[_T], where: str, words: str) -> _T:
    """Return a value of a kind, which the words name."""
    if not isinstance(value, kind):
        raise DataError(f"{where} must be {words}, not {type(value).__name__}")
    return value
