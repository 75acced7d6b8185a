"""Plain data becomes frozen dataclasses: unknown keys and wrong types are refused in the user's words.

Knows types, not recipes.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pocketsr.errors import SettingError


def read_table(kind: type, values: Mapping[str, Any], place: str) -> Any:
    """Make the dataclass ``kind`` from a table; ``place`` says in errors where the table stands."""
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


def _read(kind: Any, value: Any, place: str) -> Any:
    """Turn plain data into ``kind``: a dataclass, tuple, mapping, literal, plain type, or one of these or nothing.

    TOML has no word for nothing: ``false`` is, and takes away what a table below had.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [one for one in get_args(kind) if one is not type(None)]
        return None if value is None or value is False else _read(inner, value, place)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, value, place)
    if origin is tuple and isinstance(value, list | tuple):
        return _read_tuple(get_args(kind), value, place)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise SettingError(f"{place}: one of {', '.join(map(str, get_args(kind)))} is needed, not {value!r}")
    if isinstance(value, Mapping) and isinstance(origin, type) and issubclass(dict, origin):
        inner = get_args(kind)[1]
        return {key: item if inner is Any else _read(inner, item, f"{place}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise SettingError(f"{place}: {getattr(kind, '__name__', kind)} is needed, not {value!r}")


def _read_dataclass(kind: type, value: Any, place: str) -> Any:
    """Read a table, or a bare name where a name is all that the dataclass needs."""
    if isinstance(value, str) and _needs_only_a_name(kind):
        return kind(name=value)
    if not isinstance(value, Mapping):
        raise SettingError(f"{place}: a table is needed, not {value!r}")
    return read_table(kind, value, place)


def _needs_only_a_name(kind: Any) -> bool:
    required = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return required == ["name"]


def _read_tuple(inner: tuple[Any, ...], value: list[Any] | tuple[Any, ...], place: str) -> tuple[Any, ...]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_read(inner[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    if len(inner) != len(value):
        raise SettingError(f"{place}: {len(inner)} values are needed, not {len(value)}")
    return tuple(_read(one, item, place) for one, item in zip(inner, value, strict=True))
