"""Model cards: what a model is, what it was trained on and how, and every figure it is known by.

    ---
    head: YAML                 strictly read back: each value is JSON on one line, or a list or mapping of such lines
    ---
    text: Markdown             written from the head, so that the two cannot part

Knows nothing of how figures are made.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pocketsr.errors import ModelFileError

_KEY = re.compile(r"[a-z_][a-z0-9_]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardFile:
    """One file of a model.

    Attributes:
        name: Name in the catalogue.
        file: File beside the card.
        precision: ``"int8"`` or ``"float32"``.
        made_by: How its numbers came about: ``"integer-domain training"``, ``"quantised after training"``,
            ``"float training"``.
        sha256: Of the file.
        bytes: Its size.
    """

    name: str
    file: str
    precision: str
    made_by: str
    sha256: str
    bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """PSNR on one set under one protocol, in dB; None where there is no such file or figure.

    Attributes:
        data: Name of the set.
        images: Images it has.
        protocol: Name of the protocol, as ``pocketsr protocols`` explains it.
        bicubic_db: MATLAB's bicubic on the same inputs.
        float32_db: The float32 file.
        int8_db: The int8 file.
        ptq_db: The float network quantised after training, which is not kept.
        paper_db: What the network's paper prints for the float network.
        paper: Which table that is from.
    """

    data: str
    images: int
    protocol: str
    bicubic_db: float
    float32_db: float | None
    int8_db: float | None
    ptq_db: float | None
    paper_db: float | None
    paper: str

    @property
    def drop_db(self) -> float | None:
        """What is lost from float32 to int8; None where one of them is missing."""
        return None if self.float32_db is None or self.int8_db is None else round(self.float32_db - self.int8_db, 3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speed:
    """How long one image takes: colour, or grey where the model knows luma only.

    Attributes:
        name: Name in the catalogue.
        width: Columns of the input.
        height: Rows of it.
        threads: Processor threads.
        median_ms: Milliseconds, array in, array out.
        processor: On what.
    """

    name: str
    width: int
    height: int
    threads: int
    median_ms: float
    processor: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How the weights came about.

    Attributes:
        recipe: Name of the recipe.
        readings: Readings of it that were laid over it, in order.
        recipe_sha256: Of the recipe as it was run (``recipe_digest``); the curve's file holds that recipe.
        command: What makes such weights again.
        commit: Of the code that wrote the files; empty where not known.
        steps: Of each stage.
        hours: Time its steps took; None where not known.
        hardware: On what.
    """

    recipe: str
    readings: tuple[str, ...]
    recipe_sha256: str
    command: str
    commit: str
    steps: Mapping[str, int]
    hours: float | None
    hardware: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What the weights were trained on.

    Attributes:
        description: In words.
        images: How many; None where not known.
        manifest_sha256: Of the list of every image with origin and licence; empty where there is none.
        licences: Images of each licence, in the list's words.
    """

    description: str
    images: int | None
    manifest_sha256: str
    licences: Mapping[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """Everything known of a model; an int8 file and the float32 file of the same training share one.

    Attributes:
        name: Name in the catalogue.
        summary: One line.
        network: Name of the network.
        options: The keyword options that make it.
        scale: Output height over input height.
        channels: 3 knows colour, 1 luma only.
        style: What input it is for: ``"clean"``, ``"jpeg"``, ``"jpeg-444"``, ``"jpeg-coarse"`` or ``"gan"``.
        parameters: Of the folded network.
        gmacs_720p: Multiplications by weights for an output of 1280×720, in 10⁹; None where they cannot be counted.
        receptive_field: Low-resolution pixels to each side; None looks at the whole image.
        files: Its files.
        training: How it was trained.
        data: On what.
        licence: Of the weights (SPDX).
        scores: PSNR.
        int8_drop_db: The most that int8 loses in any of them; None where there is no int8 file.
        speed: Times; empty where none was taken.
        intended_use: What it is for.
        known_failures: What it does badly.
        curve: File with the recipe as it was run and the learning curve, from the repository's root; may be empty.
    """

    name: str
    summary: str
    network: str
    options: Mapping[str, Any]
    scale: int
    channels: int
    style: str
    parameters: int
    gmacs_720p: float | None
    receptive_field: int | None
    files: tuple[CardFile, ...]
    training: Training
    data: TrainingData
    licence: str
    scores: tuple[Score, ...]
    int8_drop_db: float | None
    speed: tuple[Speed, ...]
    intended_use: tuple[str, ...]
    known_failures: tuple[str, ...]
    curve: str

    def figures(self, precision: str) -> Mapping[str, float]:
        """Return the figures of the file of a precision, by a name that says data and protocol."""
        found = {f"{one.data} {one.protocol} PSNR dB": getattr(one, f"{precision}_db") for one in self.scores}
        return {name: value for name, value in found.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


def head(card: Card) -> str:
    """Return the head of a card, without the lines of ``---``."""
    return "\n".join(line for key, value in card.to_dict().items() for line in _yaml(key, value)) + "\n"


def read_card(path: Path) -> Card:
    """Read the head of a card.

    Raises:
        ModelFileError: The file is missing, or its head lacks a field, has one too many, or a value of another kind.
    """
    try:
        text = path.read_text("utf-8")
        before, found, rest = text.partition("---\n")
        if before or not found or "\n---\n" not in rest:
            raise ValueError("a card begins with a head between two lines of ---")
        card = _made(Card, _values(rest.split("\n---\n", 1)[0]), "the head")
        assert isinstance(card, Card)
        return card
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} is not a model card: {error}") from error


def _yaml(key: str, value: Any) -> Iterator[str]:
    """Yield a value as lines of YAML, which JSON is a part of."""
    if isinstance(value, dict) and value:
        yield f"{key}:"
        for name, inner in value.items():
            yield f"  {name if _KEY.fullmatch(name) else _json(name)}: {_json(inner)}"
    elif isinstance(value, list) and value:
        yield f"{key}:"
        for inner in value:
            yield f"  - {_json(inner)}"
    else:
        yield f"{key}: {_json(value)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _values(text: str) -> dict[str, Any]:
    """Read back what ``_yaml`` wrote, and no more of YAML than that."""
    values: dict[str, Any] = {}
    key = ""
    for number, line in enumerate(text.split("\n"), 2):
        where = f"line {number}"
        if line.startswith("  - ") and key:
            _under(values, key, list, where).append(_parsed(line[4:], where))
        elif line.startswith("  ") and key:
            name, rest = _split(line[2:], where)
            inner = _under(values, key, dict, where)
            if name in inner:
                raise ValueError(f"{where} has {name!r} for the second time")
            inner[name] = _parsed(rest, where)
        else:
            key, rest = _split(line, where)
            if key in values:
                raise ValueError(f"{where} has {key!r} for the second time")
            values[key] = _parsed(rest, where) if rest else None
            key = "" if rest else key
    return values


def _under(values: dict[str, Any], key: str, kind: type[Any], where: str) -> Any:
    if values[key] is None:
        values[key] = kind()
    if not isinstance(values[key], kind):
        raise ValueError(f"{where} mixes a list and a mapping under {key!r}")
    return values[key]


def _split(line: str, where: str) -> tuple[str, str]:
    if line.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} has no key: {error}") from error
        rest = line[end:]
    else:
        name = line.split(":", 1)[0]
        rest = line[len(name) :]
        if not _KEY.fullmatch(name):
            raise ValueError(f"{where} is no 'key: value': {line!r}")
    if not rest.startswith(":"):
        raise ValueError(f"{where} is no 'key: value': {line!r}")
    return name, rest[1:].strip()


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: {text!r} is no JSON value: {error}") from error


def _made(kind: type[Any], values: Any, where: str) -> Any:
    """Make a dataclass of plain values; every field must be there, of its type, and no other."""
    if not isinstance(values, dict):
        raise ValueError(f"{where} needs named values, not {values!r}")
    hints = get_type_hints(kind)
    if unknown := [name for name in values if name not in hints]:
        raise ValueError(f"{where} has an unknown field {unknown[0]!r}")
    if missing := [name for name in hints if name not in values]:
        raise ValueError(f"{where} lacks the field {missing[0]!r}")
    return kind(**{name: _fitted(values[name], hint, f"{where}, {name}") for name, hint in hints.items()})


def _fitted(value: Any, hint: Any, where: str) -> Any:
    """Return a plain value as a type hint wants it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        inner = next(one for one in arguments if one is not type(None))
        return None if value is None else _fitted(value, inner, where)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _made(hint, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_fitted(one, arguments[0], where) for one in value)
    if origin is Mapping and isinstance(value, dict):
        return {name: _fitted(one, arguments[1], where) for name, one in value.items()}
    if hint is float and type(value) in (int, float):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise ValueError(f"{where} is {value!r}, which is not of the kind that is needed there")
