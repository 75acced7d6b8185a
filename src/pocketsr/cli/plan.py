"""Which output file belongs to which input file. Looks at names and folders, opens nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pocketsr.errors import DataError, SettingError
from pocketsr.image import FORMATS, list_images, paths
from pocketsr.runtime import Target


class Job(NamedTuple):
    """One image to do."""

    source: Path
    target: Path


class Plan(NamedTuple):
    """What to do, in order, and the folders that hold nothing to do."""

    jobs: tuple[Job, ...]
    problems: tuple[DataError, ...]


def make_plan(sources: Sequence[Path], output: str | None, *, ending: str | None, scale: int | Target) -> Plan:
    """Pair every image with its output.

    Args:
        sources: Image files and folders of images.
        output: File, or folder for several images; None puts ``name_x3.png`` and so on beside each image.
        ending: Format of the outputs as a file name ending, with or without dot; None keeps that of the input.
        scale: Or size; named in outputs beside their inputs. Such outputs are not taken for inputs when a folder is
            done again.

    Raises:
        SettingError: An unknown ending, two images for one output, or a file where a folder is needed.

    >>> make_plan([Path("a.jpg")], None, ending=None, scale=3).jobs[0].target.name
    'a_x3.jpg'
    """
    suffix = None if ending is None else _suffix(ending)
    mark = f"x{scale}" if isinstance(scale, int) else str(scale)
    folder = Path(output) if output is not None and is_folder(output, sources) else None
    if folder is not None and paths.exists(folder) and not paths.is_folder(folder):
        raise SettingError(f"{folder} is a file; several images need a folder for their outputs")
    if output is not None and folder is None:
        return Plan((Job(sources[0], _single(Path(output), suffix)),), ())

    def target(source: Path) -> Path:
        ended = source.suffix if suffix is None else suffix
        return folder / f"{source.stem}{ended}" if folder else source.with_name(f"{source.stem}_{mark}{ended}")

    jobs: dict[Path, Job] = {}  # by input, so that an image that is named twice is done once
    problems = []
    for source in sources:
        if not paths.is_folder(source):
            jobs[source] = Job(source, target(source))
            continue
        try:
            found = list_images(source)
        except DataError as error:
            problems.append(error)
            continue
        made = {target(image) for image in found} if folder is None else set()
        jobs.update({image: Job(image, target(image)) for image in found if image not in made})
    _refuse_shared_targets(jobs.values())
    return Plan(tuple(jobs.values()), tuple(problems))


def is_folder(output: str, sources: Sequence[Path]) -> bool:
    """Whether an output means a folder: it is one, ends in a slash, or there is more than one image to come.

    >>> is_folder("out/", [Path("a.png")]), is_folder("out.png", [Path("a.png")])
    (True, False)
    """
    separators = tuple(mark for mark in (os.sep, os.altsep) if mark)
    return (
        output.endswith(separators)
        or paths.is_folder(Path(output))
        or len(sources) > 1
        or any(map(paths.is_folder, sources))
    )


def _suffix(ending: str) -> str:
    suffix = f".{ending.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        raise SettingError(f"unknown format {ending!r}; known: {', '.join(known[1:] for known in FORMATS)}")
    return suffix


def _single(target: Path, suffix: str | None) -> Path:
    if suffix is not None and target.suffix.lower() != suffix:
        raise SettingError(f"the output {target} does not end in {suffix}; leave out the format or change the name")
    return target


def _refuse_shared_targets(jobs: Iterable[Job]) -> None:
    first: dict[Path, Path] = {}
    for source, target in jobs:
        if target in first:
            raise SettingError(f"{first[target]} and {source} would both become {target}; do them one at a time")
        first[target] = source
