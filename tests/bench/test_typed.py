from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from pocketsr.bench.typed import from_plain, schema_of, to_plain
from pocketsr.errors import DataError


@dataclasses.dataclass(frozen=True)
class Inner:
    words: tuple[str, ...]
    share: float | None


@dataclasses.dataclass(frozen=True)
class Outer:
    count: int
    is_good: bool
    inner: Inner
    table: Mapping[str, float]
    rest: tuple[Inner, ...] = ()


GOOD = Outer(3, True, Inner(("a", "b"), None), {"x": 1.5}, (Inner((), 2.0),))
PLAIN: dict[str, Any] = to_plain(GOOD)


def test_what_was_written_is_read_back() -> None:
    assert from_plain(Outer, json.loads(json.dumps(PLAIN)), "it") == GOOD


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("count", 1.5, "it: count must be a whole number, not 1.5"),
        ("count", True, "it: count must be a whole number, not True"),
        ("is_good", 1, "it: is_good must be true or false, not 1"),
        ("inner", [], "it: inner must be a table of fields, not list"),
        ("inner", {"words": "ab", "share": 1}, "it: inner: words must be a list, not str"),
        ("inner", {"words": ["a", 2], "share": 1}, "it: inner: words 2 must be text, not 2"),
        ("inner", {"words": []}, "it: inner lacks the field 'share'"),
        ("inner", {"words": [], "share": 1, "more": 1}, "it: inner has an unknown field 'more'; known: words, share"),
        ("table", {"x": "1"}, "it: table: x must be a number, not '1'"),
        ("table", {"x": math.inf}, "it: table: x must be a finite number"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        from_plain(Outer, {**PLAIN, field: value}, "it")


@pytest.mark.parametrize("figure", [math.inf, math.nan])
def test_no_record_holds_what_json_cannot(figure: float) -> None:
    with pytest.raises(DataError, match="finite"):
        to_plain(Inner((), figure))


def test_the_schema_says_what_the_reader_checks() -> None:
    schema = schema_of(Outer)
    assert schema["required"] == ["count", "is_good", "inner", "table", "rest"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["inner"]["properties"]["share"] == {"type": ["number", "null"]}
    assert schema["properties"]["table"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert schema["properties"]["rest"]["items"]["properties"]["words"] == {
        "type": "array",
        "items": {"type": "string"},
    }
