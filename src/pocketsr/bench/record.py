"""The record of a measurement: what was measured, on what, with what, and how correct it was meanwhile.

    Record
    ├── command, date, commit, versions, data
    ├── machine: Machine            idle: Idleness
    ├── results: Measured...        a model on a backend
    │            ├── model: MeasuredModel
    │            ├── correctness: Correctness       beside every speed
    │            └── sizes: SizeFigures...  timing: Timing
    ├── roofline: Roofline          what the machine could do at best
    ├── profiles: Profile...        operator by operator
    ├── nodes: NodeTime...          single operators as graphs of their own
    └── predictions: Prediction...  networks as sums of operators

Values and their form as JSON, whose schema is ``schema()``; knows nothing of how figures are made or shown.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.bench.idle import Idleness
from pocketsr.bench.latency import Timing
from pocketsr.bench.machine import Machine
from pocketsr.bench.typed import from_plain, schema_of, to_plain
from pocketsr.errors import DataError
from pocketsr.image import replacing

#: What the file says it is, and the newest form this code reads.
KIND = "pocketsr benchmark"
VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredModel:
    """What was run.

    Attributes:
        name: As it was asked for.
        network: Its network's name; empty where the file does not say.
        scale: Factor.
        precision: ``float32``, ``int8`` or ``int16x8``.
        sha256: Hash of its file.
        data: What it was trained on, in words.
    """

    name: str
    network: str
    scale: int
    precision: str
    sha256: str
    data: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Correctness:
    """How a backend's pixels compare with the reference backend's, on one small image.

    Attributes:
        height: Of the input, pixels.
        width: Of the input, pixels.
        is_identical: Whether all bytes are.
        largest_levels: Largest difference, grey levels of 255.
        different: Part of all values that differ, 0 to 1.
    """

    height: int
    width: int
    is_identical: bool
    largest_levels: int
    different: float

    def __post_init__(self) -> None:
        if self.is_identical != (self.largest_levels == 0) or not 0 <= self.different <= 1:
            raise DataError(f"identical bytes differ by 0 levels, and a part is 0 to 1; {self} came")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SizeFigures:
    """Figures at one size.

    Attributes:
        height: Of the input, pixels.
        width: Of the input, pixels.
        first_run_ms: The first frame of this size, allocations and compilation included, milliseconds.
        timing: Of the frames after that.
        output_megapixels_per_s: Output pixels, 10⁶ a second, at the median.
        frames_per_second: By name of the output (720p, 1080p, 4K), at that throughput.
    """

    height: int
    width: int
    first_run_ms: float | None
    timing: Timing
    output_megapixels_per_s: float
    frames_per_second: Mapping[str, float]

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.output_megapixels_per_s <= 0:
            raise DataError(f"a size needs sides of 1 or more and a throughput above 0; {self} came")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """One model on one backend.

    Attributes:
        model: The model.
        backend: Its name; of a phone's, such as ``adb cpu``.
        threads: Processor threads; 0 where it is no processor.
        load_ms: Opening the file and importing the runtime, milliseconds; None where not known.
        peak_memory_mb: Most resident memory of its process, Python and runtime included, 10⁶ bytes; None where not
            known.
        correctness: Beside the reference backend; None where that cannot run the file.
        sizes: Figures for each size.
        remarks: What a reader should know, such as how much of it a delegate took over.
    """

    model: MeasuredModel
    backend: str
    threads: int
    load_ms: float | None
    peak_memory_mb: float | None
    correctness: Correctness | None
    sizes: tuple[SizeFigures, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sizes:
            raise DataError(f"the measurement of {self.model.name!r} has no size; at least one is needed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peaks:
    """What a machine can do at best, by library kernels.

    Attributes:
        threads: Processor threads.
        float32_gmacs: Multiply-accumulates, 10⁹ a second, in float32.
        float32_by: The kernel that did it.
        int8_gmacs: The same in int8.
        int8_by: The kernel that did it.
        bandwidth_gb: Memory moved, 10⁹ bytes a second, reading and writing both counted.
    """

    threads: int
    float32_gmacs: float
    float32_by: str
    int8_gmacs: float
    int8_by: str
    bandwidth_gb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Achieved:
    """How near a model comes to what the machine can do.

    Attributes:
        model: Its name.
        backend: Its name.
        height: Of the input, pixels.
        width: Of the input, pixels.
        gmacs: Multiply-accumulates, 10⁹.
        moved_mb: Weights and activations read and written once by each operator, 10⁶ bytes.
        compute_ms: The work at the peak, milliseconds.
        memory_ms: The movement at full bandwidth, milliseconds.
        floor_ms: The larger of the two.
        median_ms: What was measured.
        share: Floor over median, 0 to 1, more where operators are joined.
    """

    model: str
    backend: str
    height: int
    width: int
    gmacs: float
    moved_mb: float
    compute_ms: float
    memory_ms: float
    floor_ms: float
    median_ms: float
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roofline:
    """Peaks, and models beside them."""

    peaks: Peaks
    models: tuple[Achieved, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One operator of a profile.

    Attributes:
        name: Of what it makes.
        kind: Its class, such as ``Conv2D``.
        ms: Milliseconds; by truncation a difference, and below 0 where operators are joined or noise is larger.
        gmacs: Multiply-accumulates, 10⁹.
    """

    name: str
    kind: str
    ms: float
    gmacs: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """A model operator by operator.

    Attributes:
        model: Its name.
        backend: Its name.
        method: How times were come by: ``runtime`` by its own clock, ``truncation`` by graphs cut after each operator.
        height: Of the input, pixels.
        width: Of the input, pixels.
        operators: In the order they run.
    """

    model: str
    backend: str
    method: str
    height: int
    width: int
    operators: tuple[OperatorTime, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeTime:
    """One operator as a graph of its own.

    Attributes:
        node: Such as ``conv3x3``.
        backend: Its name.
        precision: ``float32`` or ``int8``.
        timing: Of it alone, or of the few operators that files write it as.
        gmacs: Multiply-accumulates, 10⁹.
        moved_mb: Read and written, 10⁶ bytes.
    """

    node: str
    backend: str
    precision: str
    timing: Timing
    gmacs: float
    moved_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """A network's time as the sum of its operators', and what was measured.

    Attributes:
        model: Name of the network or model.
        backend: Its name.
        precision: ``float32``, ``int8`` or ``int16x8``.
        height: Of the input, pixels.
        width: Of the input, pixels.
        predicted_ms: By the additive model of the device, milliseconds.
        measured_ms: Milliseconds: here the quickest of a few runs, as those that the model was fitted to; elsewhere
            what a paper prints, None where none does.
        fit_error: Median relative error, 0 to 1: here on the operators that the model was fitted to, elsewhere on
            networks that papers measured.
    """

    model: str
    backend: str
    precision: str
    height: int
    width: int
    predicted_ms: float
    measured_ms: float | None
    fit_error: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One run of ``pocketsr bench``.

    Attributes:
        command: As it was given.
        date: When, ISO 8601.
        commit: Of pocketsr's source; empty where not known.
        versions: Of the packages that matter.
        data: What was fed, in words.
        machine: On what.
        idle: How busy that was before; None on a phone.
        results: Models on backends.
        roofline: None where not asked for.
        profiles: Empty where not asked for.
        nodes: Empty where not asked for.
        predictions: Empty where not asked for.
        failed: What could not be measured, with the reason.
    """

    command: str
    date: str
    commit: str
    versions: Mapping[str, str]
    data: str
    machine: Machine
    idle: Idleness | None
    results: tuple[Measured, ...]
    roofline: Roofline | None = None
    profiles: tuple[Profile, ...] = ()
    nodes: tuple[NodeTime, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.results and not self.nodes and not self.predictions:
            raise DataError("a record needs a measurement; none came")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with the kind and version of the form.

        Raises:
            DataError: A figure is infinite or no number.
        """
        return {"kind": KIND, "version": VERSION, **to_plain(self)}

    @classmethod
    def from_dict(cls, values: object) -> Record:
        """Make a record of what :meth:`to_dict` gave.

        Raises:
            DataError: It is of another kind or a newer version, or a field is missing, unknown or makes no sense.
        """
        if not isinstance(values, dict) or values.get("kind") != KIND:
            raise DataError(f"the record of a benchmark is needed, of kind {KIND!r}; make one with `pocketsr bench -o`")
        version = values.get("version")
        if isinstance(version, bool) or version != VERSION:
            raise DataError(f"the record's version must be {VERSION}, not {version!r}; a newer pocketsr may read it")
        rest = {name: value for name, value in values.items() if name not in ("kind", "version")}
        made: Record = from_plain(cls, rest, "the record")
        return made


def schema() -> dict[str, Any]:
    """Return the JSON schema of a record (draft 2020-12).

    >>> schema()["properties"]["version"]
    {'const': 1}
    """
    form = schema_of(Record)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": KIND,
        **form,
        "properties": {"kind": {"const": KIND}, "version": {"const": VERSION}, **form["properties"]},
        "required": ["kind", "version", *form["required"]],
    }


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON, whole or not at all; it is read back before, so that what is written can be read.

    Raises:
        DataError: A figure is infinite or no number.
        ImageFileError: The file cannot be written.
    """
    text = json.dumps(record.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    Record.from_dict(json.loads(text))
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record and check it.

    Raises:
        DataError: The file is missing, is no JSON, or is no record this code can read.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; a record of `bench -o` is needed") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no record of a benchmark: {error}; make one with `bench -o`") from error
    try:
        return Record.from_dict(values)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
