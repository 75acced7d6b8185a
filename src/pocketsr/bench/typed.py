"""Frozen dataclasses as JSON, and the JSON schema of that form, from their annotations alone.

Known are ``str``, ``bool``, ``int``, ``float``, ``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]`` and dataclasses of
these. Every field must be there and no other may; JSON has neither infinity nor NaN, so neither passes. Knows nothing
of what the fields mean.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from pocketsr.errors import DataError

_WORDS: Mapping[type, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_SCHEMAS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def to_plain(value: Any) -> Any:
    """Return a value of the known kinds as what ``json`` writes.

    Raises:
        DataError: A number is infinite or none.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"a record holds finite numbers, not {value}; leave the field out as null")
    return value


def from_plain(kind: Any, value: object, where: str) -> Any:
    """Make a value of an annotated kind from plain JSON.

    Args:
        kind: The annotation, such as a dataclass.
        value: What ``json`` read.
        where: Words for where it stands, for the error.

    Raises:
        DataError: A field is missing, unknown or of another kind, or the dataclass refuses its value.

    >>> from_plain(tuple[int, ...], [1, 2.5], "sizes")
    Traceback (most recent call last):
        ...
    pocketsr.errors.DataError: sizes 2 must be a whole number, not 2.5
    """
    optional = _without_none(kind)
    if optional is not kind:
        return None if value is None else from_plain(optional, value, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, _table(value, where), where)
    origin = typing.get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise DataError(f"{where} must be a list, not {type(value).__name__}")
        inner = typing.get_args(kind)[0]
        return tuple(from_plain(inner, one, f"{where} {number}") for number, one in enumerate(value, 1))
    if origin is collections.abc.Mapping:
        inner = typing.get_args(kind)[1]
        return {key: from_plain(inner, one, f"{where}: {key}") for key, one in _table(value, where).items()}
    return _scalar(kind, value, where)


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of an annotated kind.

    >>> schema_of(float | None)
    {'type': ['number', 'null']}
    """
    optional = _without_none(kind)
    if optional is not kind:
        inner = schema_of(optional)
        return {**inner, "type": [inner["type"], "null"]}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return {
            "type": "object",
            "properties": {name: schema_of(hints[name]) for name in names},
            "required": names,
            "additionalProperties": False,
        }
    origin = typing.get_origin(kind)
    if origin is tuple:
        return {"type": "array", "items": schema_of(typing.get_args(kind)[0])}
    if origin is collections.abc.Mapping:
        return {"type": "object", "additionalProperties": schema_of(typing.get_args(kind)[1])}
    return {"type": _SCHEMAS[kind]}


def _dataclass(kind: Any, values: Mapping[str, object], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    if unknown := [name for name in values if name not in names]:
        raise DataError(f"{where} has an unknown field {unknown[0]!r}; known: {', '.join(names)}")
    if missing := [name for name in names if name not in values]:
        raise DataError(f"{where} lacks the field {missing[0]!r}; write the record with `pocketsr bench -o`")
    return kind(**{name: from_plain(hints[name], values[name], f"{where}: {name}") for name in names})


def _scalar(kind: type, value: object, where: str) -> Any:
    good = isinstance(value, int | float if kind is float else kind)
    if isinstance(value, bool) != (kind is bool) or not good:
        raise DataError(f"{where} must be {_WORDS[kind]}, not {value!r}")
    if kind is float:
        number = float(typing.cast(float, value))
        if not math.isfinite(number):
            raise DataError(f"{where} must be a finite number, not {value!r}")
        return number
    return value


def _table(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{where} must be a table of fields, not {type(value).__name__}")
    return value


def _without_none(kind: Any) -> Any:
    """Return X of ``X | None``; any other kind as it is."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next(one for one in typing.get_args(kind) if one is not type(None))
    return kind
