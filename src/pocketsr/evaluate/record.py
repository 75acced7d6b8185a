"""The record of an evaluation: one JSON file with every figure, what was judged, how and where.

    Record ── model: JudgedModel        what was judged
           ├─ latency: Latency          how long it took, where that was measured
           ├─ reports: JudgedFolder...  figures by image and protocol, and their means
           └─ metrics: Metric...        which way is better, and the unit

JSON has neither infinity nor NaN: ``null`` stands for them and for a figure that was not asked for. Values, their
checks and their form as JSON; knows nothing of how figures are made or shown.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias

from pocketsr.errors import DataError
from pocketsr.evaluate import fields
from pocketsr.image import replacing

#: What the file says it is, and the newest form this code reads.
KIND = "pocketsr evaluation"
VERSION = 1

#: Figures by protocol name, by metric name.
Figures: TypeAlias = Mapping[str, Mapping[str, float | None]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedModel:
    """What was judged.

    Attributes:
        name: As it was asked for.
        network: Its network's name.
        scale: Factor.
        precision: ``float32``, ``int8``, ``int16x8``, or empty where that is not known.
        parameters: Weights and biases; None where not known.
        gmacs_720p: Multiplications by weights, in 10⁹, for an output of 1280×720; None where not known.
        sha256: Hash of its file; None where there is none.
        data: What it was trained on, in words.
        licence: Of its weights.
    """

    name: str
    network: str = ""
    scale: int
    precision: str = ""
    parameters: int | None = None
    gmacs_720p: float | None = None
    sha256: str | None = None
    data: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise DataError("a record's model needs a name; an empty one came")
        if self.scale < 1:
            raise DataError(f"the scale of model {self.name!r} must be 1 or more, not {self.scale}")
        for name in ("parameters", "gmacs_720p"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise DataError(f"{name} of model {self.name!r} must be 0 or more, or null, not {value}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one image took.

    Attributes:
        median_ms: Median, milliseconds.
        height: Of the input, pixels.
        width: Of the input, pixels.
        threads: Processor threads.
    """

    median_ms: float
    height: int
    width: int
    threads: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median_ms) and self.median_ms > 0) or min(self.height, self.width, self.threads) < 1:
            raise DataError(
                "a latency needs a median of more than 0 ms and a height, width and threads of 1 or more; "
                f"{self.median_ms} ms, {self.height}×{self.width} and {self.threads} came"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """What a figure means.

    Attributes:
        is_higher_better: Otherwise lower is.
        unit: Such as ``dB``; empty for a bare number.
    """

    is_higher_better: bool
    unit: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedFolder:
    """The figures of one folder of ground truth.

    Attributes:
        folder: Its name.
        sha256: Hash of its images.
        scale: Factor.
        means: Figures by protocol, over all images.
        rows: Figures by image name, by protocol.
    """

    folder: str
    sha256: str = ""
    scale: int
    means: Figures
    rows: Mapping[str, Figures]

    def __post_init__(self) -> None:
        for name in (self.folder, *self.rows):
            if name in ("", ".", "..") or "/" in name or "\\" in name:
                raise DataError(f"a folder or image in a record is named without a path; {name!r} came")
        if not self.rows or not self.means:
            raise DataError(f"folder {self.folder!r} of a record needs at least one image and one protocol")
        for image, row in self.rows.items():
            if set(row) != set(self.means) or any(set(row[name]) != set(self.means[name]) for name in row):
                raise DataError(
                    f"{self.folder}/{image}: protocols and metrics must be those of the folder's means, "
                    f"{_names(self.means)}; {_names(row)} came"
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One evaluation of one model.

    Attributes:
        model: What was judged.
        command: The command that did it.
        date: When, ISO 8601.
        processor: On which processor.
        commit: Of pocketsr's source; empty where not known.
        versions: Of the packages that matter.
        latency: How long one image took; None where that was not measured.
        reports: The folders, in the order they were judged.
        metrics: What the figures mean, by their names.
        unavailable: Metrics that could not be computed, with the reason.
        outputs: Folder that holds ``<folder>/<image stem>.png`` and ``<image stem>.truth.png``, relative to the
            record's file; None where outputs were not kept.
    """

    model: JudgedModel
    command: str
    date: str
    processor: str
    commit: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    latency: Latency | None = None
    reports: tuple[JudgedFolder, ...]
    metrics: Mapping[str, Metric]
    unavailable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outputs: str | None = None

    def __post_init__(self) -> None:
        if not self.reports:
            raise DataError(f"the record of {self.model.name!r} has no folder; at least one is needed")
        seen = set()
        for report in self.reports:
            if report.scale != self.model.scale:
                raise DataError(
                    f"folder {report.folder!r} was judged at scale {report.scale}, but {self.model.name!r} upscales by "
                    f"{self.model.scale}; a record has one scale"
                )
            key = report.folder if self.outputs is not None else (report.folder, report.sha256)
            if key in seen:
                raise DataError(f"folder {report.folder!r} comes twice in the record of {self.model.name!r}")
            seen.add(key)
            for name in (metric for figures in report.means.values() for metric in figures):
                if name not in self.metrics:
                    known = ", ".join(self.metrics) or "none"
                    raise DataError(f"a record says what its metrics mean; {name!r} is not among them: {known}")
        if self.outputs is not None and (
            PurePosixPath(self.outputs).is_absolute() or PureWindowsPath(self.outputs).is_absolute()
        ):
            raise DataError(f"outputs must be a folder relative to the record's file, not {self.outputs}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; ``None`` stands for infinity and NaN."""
        values = dataclasses.asdict(self)
        values["reports"] = [{**report, "images": len(report["rows"])} for report in values["reports"]]
        plain: dict[str, Any] = _plain({"kind": KIND, "version": VERSION, **values})
        return plain

    @classmethod
    def from_dict(cls, values: object) -> Record:
        """Make a record of what :meth:`to_dict` gave.

        Raises:
            DataError: It is of another kind or a newer version, or a field is missing, unknown or makes no sense.
        """
        given = fields.table(values, "the record")
        if given.get("kind") != KIND:
            raise DataError(f"the record of an evaluation is needed, of kind {KIND!r}; {given.get('kind')!r} came")
        version = given.get("version")
        if isinstance(version, int) and version > VERSION:
            raise DataError(f"the record has version {version}, newer than {VERSION}; update pocketsr to read it")
        if version != VERSION or isinstance(version, bool):
            raise DataError(f"the record's version must be {VERSION}, not {version!r}")
        rest = {key: value for key, value in given.items() if key not in ("kind", "version")}
        made: Record = _made(cls, rest, "the record")
        return made


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON, whole or not at all; what stood there is replaced.

    Raises:
        ImageFileError: The file cannot be written.
    """
    text = json.dumps(record.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record and check it.

    Raises:
        DataError: The file is missing, is no JSON, or is no record this code can read.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}; a record of `evaluate -o` is needed"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no record of an evaluation: {error}; make one with `evaluate -o`") from error
    try:
        return Record.from_dict(values)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _value(kind: type[Any]) -> Callable[[object, str], Any]:
    return lambda value, where: _made(kind, fields.table(value, where), where)


def _folders(value: object, where: str) -> tuple[JudgedFolder, ...]:
    folders = []
    for number, one in enumerate(fields.of(value, list, where, "a list"), 1):
        table = dict(fields.table(one, f"{where} {number}"))
        images = fields.whole(table.pop("images", None), f"{where} {number}: images")
        folder: JudgedFolder = _made(JudgedFolder, table, f"{where} {number}")
        if images != len(folder.rows):
            raise DataError(f"folder {folder.folder!r} says {images} images and has {len(folder.rows)} rows")
        folders.append(folder)
    return tuple(folders)


_FIGURES = fields.mapping(fields.mapping(fields.optional(fields.number)))
_READERS: Mapping[type[Any], Mapping[str, Callable[[object, str], Any]]] = {
    JudgedModel: {
        "name": fields.text,
        "network": fields.text,
        "scale": fields.whole,
        "precision": fields.text,
        "parameters": fields.optional(fields.whole),
        "gmacs_720p": fields.optional(fields.number),
        "sha256": fields.optional(fields.text),
        "data": fields.text,
        "licence": fields.text,
    },
    Latency: {"median_ms": fields.number, "height": fields.whole, "width": fields.whole, "threads": fields.whole},
    Metric: {"is_higher_better": fields.flag, "unit": fields.text},
    JudgedFolder: {
        "folder": fields.text,
        "sha256": fields.text,
        "scale": fields.whole,
        "means": _FIGURES,
        "rows": fields.mapping(_FIGURES),
    },
    Record: {
        "model": _value(JudgedModel),
        "command": fields.text,
        "date": fields.text,
        "processor": fields.text,
        "commit": fields.text,
        "versions": fields.mapping(fields.text),
        "latency": fields.optional(_value(Latency)),
        "reports": _folders,
        "metrics": fields.mapping(_value(Metric)),
        "unavailable": fields.mapping(fields.text),
        "outputs": fields.optional(fields.text),
    },
}


def _made(kind: type[Any], values: Mapping[str, object], where: str) -> Any:
    """Make one of the dataclasses above; every field must be there, and no other."""
    readers = _READERS[kind]
    if unknown := [name for name in values if name not in readers]:
        raise DataError(f"{where} has an unknown field {unknown[0]!r}; known: {', '.join(readers)}")
    if missing := [name for name in readers if name not in values]:
        raise DataError(f"{where} lacks the field {missing[0]!r}; write the record with `evaluate -o`")
    return kind(**{name: read(values[name], f"{where}: {name}") for name, read in readers.items()})


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON; null stands for it")


def _names(figures: Figures) -> str:
    return "; ".join(f"{name} ({', '.join(metrics)})" for name, metrics in figures.items()) or "none"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
