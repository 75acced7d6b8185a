"""Which evaluations stand beside each other: by scale, on the same data, with figures that mean the same.

    files ── load_runs ──> Run... ── compare ──> Comparison (one scale) ── sets, protocols, metrics

Knows records, not how they are shown.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.record import JudgedFolder, Metric, Record, read_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One record, with the name it has in a report.

    Attributes:
        label: The model's name, with what tells it apart where several share one.
        record: The record.
        outputs: Folder of saved outputs; None where none were kept.
    """

    label: str
    record: Record
    outputs: Path | None = None

    def on(self, data: DataSet) -> JudgedFolder | None:
        """Return the figures on a set; None where it was not judged on it."""
        for report in self.record.reports:
            if (report.folder, report.sha256) == (data.folder, data.sha256):
                return report
        return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
    """A folder of ground truth that at least one run was judged on.

    Attributes:
        label: Its name, with the hash where another folder of the name holds other images.
        folder: Its name.
        sha256: Hash of its images.
        images: Their names, in order.
    """

    label: str
    folder: str
    sha256: str
    images: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs of one scale.

    Attributes:
        scale: Factor.
        runs: In the order they were named; the first is what the others are compared with.
        sets: In the order they were judged.
        protocols: Those that any run was judged by.
        metrics: What the figures mean.
    """

    scale: int
    runs: tuple[Run, ...]
    sets: tuple[DataSet, ...]
    protocols: tuple[str, ...]
    metrics: Mapping[str, Metric]

    def figures(self, run: Run, data: DataSet, protocol: str) -> Mapping[str, float | None]:
        """Return the means of a run on a set under a protocol, by metric; empty where it was not judged so."""
        report = run.on(data)
        return {} if report is None else report.means.get(protocol, {})

    def per_image(self, run: Run, data: DataSet, protocol: str, metric: str) -> Mapping[str, float | None]:
        """Return a figure of every image, by image name; empty where the run was not judged so."""
        report = run.on(data)
        if report is None or metric not in report.means.get(protocol, {}):
            return {}
        return {image: row[protocol][metric] for image, row in report.rows.items()}


def load_runs(paths: Sequence[Path]) -> tuple[Run, ...]:
    """Read records and name them apart.

    Raises:
        SettingError: None is named, or one is named twice.
        DataError: One cannot be read.
    """
    if not paths:
        raise SettingError("at least one record of an evaluation is needed; `pocketsr evaluate -o` makes them")
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise SettingError(f"{twice[0]} is named twice; name each record once")
    records = [read_record(path) for path in paths]
    outputs = [
        None if record.outputs is None else path.parent / record.outputs
        for path, record in zip(paths, records, strict=True)
    ]
    labels = _labels(paths, records)
    return tuple(
        Run(label=label, record=record, outputs=folder)
        for label, record, folder in zip(labels, records, outputs, strict=True)
    )


def compare(runs: Sequence[Run]) -> tuple[Comparison, ...]:
    """Group runs by scale, smallest first.

    Raises:
        DataError: Two runs disagree on which way a metric is better, or on which images a set holds.
    """
    scales = sorted({run.record.model.scale for run in runs})
    return tuple(_comparison(scale, [run for run in runs if run.record.model.scale == scale]) for scale in scales)


def _comparison(scale: int, runs: Sequence[Run]) -> Comparison:
    metrics: dict[str, Metric] = {}
    for run in runs:
        for name, metric in run.record.metrics.items():
            if metrics.setdefault(name, metric) != metric:
                raise DataError(
                    f"{run.label}: {name} means something else than in the records before it; compare apart"
                )
    reports = [report for run in runs for report in run.record.reports]
    protocols = dict.fromkeys(name for report in reports for name in report.means)
    used = {name for report in reports for figures in report.means.values() for name in figures}
    return Comparison(
        scale=scale,
        runs=tuple(runs),
        sets=_sets(runs),
        protocols=tuple(protocols),
        metrics={name: metric for name, metric in metrics.items() if name in used},
    )


def _sets(runs: Sequence[Run]) -> tuple[DataSet, ...]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for run in runs:
        for report in run.record.reports:
            images = found.setdefault((report.folder, report.sha256), tuple(report.rows))
            if set(images) != set(report.rows):
                raise DataError(
                    f"{run.label}: {report.folder} has the data hash of a record before it, but other images "
                    f"({len(report.rows)} against {len(images)}); one of the records is damaged"
                )
    namesakes = Counter(folder for folder, _ in found)
    return tuple(
        DataSet(
            label=folder if namesakes[folder] == 1 else f"{folder} ({sha256[:8] or 'no hash'})",
            folder=folder,
            sha256=sha256,
            images=images,
        )
        for (folder, sha256), images in found.items()
    )


def _labels(paths: Sequence[Path], records: Sequence[Record]) -> list[str]:
    """Take the shortest names that differ at one scale: the model's, with its precision, or with its file's name."""
    wide = [
        [record.model.name for record in records],
        [" ".join(filter(None, (record.model.name, record.model.precision))) for record in records],
        [f"{record.model.name} ({path.stem})" for path, record in zip(paths, records, strict=True)],
        [f"{record.model.name} ({path})" for path, record in zip(paths, records, strict=True)],
    ]
    labels = []
    for number, record in enumerate(records):
        for names in wide:
            rivals = [
                name
                for other, name in enumerate(names)
                if other != number and records[other].model.scale == record.model.scale
            ]
            if names[number] not in rivals:
                break
        labels.append(names[number])
    return labels
