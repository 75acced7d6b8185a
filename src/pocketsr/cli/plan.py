"""Which output file belongs to which input file. Looks at names and folders, opens nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pocketsr.batch.files import Job
from pocketsr.batch.names import Naming, check_inside, target_in
from pocketsr.batch.sources import expand, is_pattern, list_tree
from pocketsr.errors import DataError, PocketsrError, SettingError
from pocketsr.image import FORMATS, list_images, paths
from pocketsr.runtime import Target

__all__ = ["Job", "Plan", "Problem", "is_folder", "make_plan", "single_target", "suffix_of_format"]


class Problem(NamedTuple):
    """A source of which nothing can be made, and why."""

    source: Path
    error: PocketsrError


class Plan(NamedTuple):
    """What to do, in order, and the sources that give nothing to do."""

    jobs: tuple[Job, ...]
    problems: tuple[Problem, ...]


class _Found(NamedTuple):
    """An image, and the folder of a source that it was found in; None where it was named itself."""

    image: Path
    top: Path | None


def make_plan(
    sources: Sequence[Path],
    output: str | None,
    *,
    ending: str | None,
    scale: int | Target,
    is_recursive: bool = False,
    naming: Naming | None = None,
    model: str = "",
) -> Plan:
    """Pair every image with its output.

    Args:
        sources: Image files, folders of images, and patterns of either.
        output: File, or folder for several images; None puts ``name_x3.png`` and so on beside each image.
        ending: Format of the outputs as a file name ending, with or without dot; None keeps that of the input.
        scale: Or size; named in outputs beside their inputs. Such outputs are not taken for inputs when a folder is
            done again.
        is_recursive: Take the folders in a folder, too; they are made again below ``output``.
        naming: What outputs are called; None keeps names, with the scale added where outputs lie beside inputs.
        model: For names that ask for it.

    Raises:
        SettingError: An unknown ending, two images for one output, or a file where a folder is needed.

    >>> make_plan([Path("a.jpg")], None, ending=None, scale=3).jobs[0].target.name
    'a_x3.jpg'
    """
    suffix = None if ending is None else suffix_of_format(ending)
    folder = Path(output) if output is not None and is_folder(output, sources) else None
    if folder is not None and paths.exists(folder) and not paths.is_folder(folder):
        raise SettingError(f"{folder} is a file; several images need a folder for their outputs")
    if output is not None and folder is None:
        if naming is not None:
            raise SettingError(
                f"the output is named already: {output}; leave out --name and --suffix, or name a folder"
            )
        target = single_target(Path(output), suffix)
        return Plan((Job(sources[0], target, target.parent),), ())
    wanted = Target(scale=scale) if isinstance(scale, int) else scale
    if naming is None:
        naming = Naming("{stem}_{size}.{ext}" if folder is None else "{stem}.{ext}")
    elif naming.is_numbered and folder is None:
        raise SettingError(f"numbers in names need a folder of their own: {naming.pattern}; add -o FOLDER")

    def job(found: _Found, number: int) -> Job:
        image = found.image
        ended = image.suffix if suffix is None else suffix
        name = naming.name(image, ending=ended, target=wanted, model=model, number=number)
        root = image.parent if folder is None else folder
        inside = root if folder is None or found.top is None else root / image.parent.relative_to(found.top)
        target = target_in(inside, name)
        check_inside(target, root)
        return Job(image, target, root)

    named, problems = _find(sources, folder, is_recursive=is_recursive)
    jobs: dict[Path, Job] = {}  # by input, so that an image that is named twice is done once
    made = set() if naming.is_numbered else _made(named, job)
    for found in named:
        # Only what was found is left out: who names an output of ours as an input means it.
        if found.image in jobs or (found.top is not None and os.path.abspath(found.image) in made):  # noqa: PTH100
            continue
        try:
            jobs[found.image] = job(found, len(jobs) + 1)
        except PocketsrError as error:
            problems.append(Problem(found.image, error))
    _refuse_shared_targets(jobs.values())
    return Plan(tuple(jobs.values()), tuple(problems))


def is_folder(output: str, sources: Sequence[Path]) -> bool:
    """Whether an output means a folder: it is one, ends in a slash, or there may be more than one image to come.

    >>> is_folder("out/", [Path("a.png")]), is_folder("out.png", [Path("a.png")])
    (True, False)
    """
    separators = tuple(mark for mark in (os.sep, os.altsep) if mark)
    return (
        output.endswith(separators)
        or paths.is_folder(Path(output))
        or len(sources) > 1
        or any(paths.is_folder(source) or is_pattern(source) for source in sources)
    )


def _find(sources: Sequence[Path], folder: Path | None, *, is_recursive: bool) -> tuple[list[_Found], list[Problem]]:
    """Return every image there is to do, in order, and the sources that have none."""
    found: list[_Found] = []
    paths_named, refused = expand(sources)
    problems = [Problem(source, error) for source, error in refused]
    for source in paths_named:
        if not paths.is_folder(source):
            found.append(_Found(source, None))
            continue
        try:
            if is_recursive:
                # Outputs inside their own input are not inputs when the folder is done again.
                tree = list_tree(source, without=folder)
                images = tree.images
                problems += [Problem(closed, error) for closed, error in tree.problems]
            else:
                images = list_images(source)
        except DataError as error:
            problems.append(Problem(source, error))
            continue
        found += [_Found(image, source) for image in images]
    return found, problems


def _made(named: Iterable[_Found], job: Callable[[_Found, int], Job]) -> set[str]:
    """Return the outputs of images that were found in folders: where they lie there, too, they are no inputs."""
    made = set()
    for found in named:
        if found.top is not None:
            try:
                source, target, _ = job(found, 0)
            except PocketsrError:
                continue
            if target != source:  # an image in the place of its own output is refused later, in words
                made.add(os.path.abspath(target))  # noqa: PTH100 - a link is another name, and stays one
    return made


def suffix_of_format(ending: str) -> str:
    """Return a format, as it was asked for, as the ending of a file name.

    Raises:
        SettingError: Nothing is known of it.

    >>> suffix_of_format("PNG")
    '.png'
    """
    suffix = f".{ending.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        raise SettingError(f"unknown format {ending!r}; known: {', '.join(known[1:] for known in FORMATS)}")
    return suffix


def single_target(target: Path, suffix: str | None) -> Path:
    """Return an output that was named, unless its ending is not that of the format.

    Raises:
        SettingError: It is not.
    """
    if suffix is not None and target.suffix.lower() != suffix:
        raise SettingError(f"the output {target} does not end in {suffix}; leave out the format or change the name")
    return target


def _refuse_shared_targets(jobs: Iterable[Job]) -> None:
    first: dict[str, Path] = {}
    for source, target, _ in jobs:
        name = os.path.normcase(target)
        if name in first:
            raise SettingError(f"{first[name]} and {source} would both become {target}; do them one at a time")
        first[name] = source
