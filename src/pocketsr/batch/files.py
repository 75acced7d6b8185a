"""One file of a batch, from what is there already to what became of it. An error is an outcome, not an end.

    lock ──> is it finished? ──> work ──> journal
      └ another process has it ──> skipped

Knows nothing of networks: the work is given.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from pocketsr.batch.journal import Journal
from pocketsr.batch.locks import locked
from pocketsr.batch.names import check_inside
from pocketsr.batch.sizes import image_size
from pocketsr.batch.whole import is_whole
from pocketsr.errors import ImageFileError, OutputExistsError, PocketsrError, SettingError
from pocketsr.image.paths import exists, is_folder
from pocketsr.runtime import Target


class Job(NamedTuple):
    """One image to do.

    Attributes:
        source: The input.
        target: The output.
        root: The folder the output may not leave; folders between it and the output are made.
    """

    source: Path
    target: Path
    root: Path


#: What makes an output: called with the job and whether to replace what is there; returns notes for the user.
Work: TypeAlias = Callable[[Job, bool], tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Policy:
    """What happens where an output is there already. Without any of these it is an error.

    Attributes:
        overwrite: Replace it.
        skip_existing: Leave it, whatever it is.
        resume: Leave it if it is finished; do it again if this batch made it and its input or the settings changed.
    """

    overwrite: bool = False
    skip_existing: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        if self.skip_existing and (self.overwrite or self.resume):
            other = "--overwrite" if self.overwrite else "--resume"
            raise SettingError(f"--skip-existing and {other} want different things of the same files; choose one")


class Outcome(NamedTuple):
    """What became of one image.

    Attributes:
        source: The input.
        target: The output.
        seconds: From the look at what is there to the finished file.
        size: Width and height of the output; None unless it was made.
        notes: What reading and writing gave up, in words.
        skipped: Why nothing was done, in words; empty unless so.
        error: Why it failed; None unless so.
    """

    source: Path
    target: Path
    seconds: float = 0.0
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    skipped: str = ""
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether the output was made just now."""
        return self.error is None and not self.skipped


def do_file(job: Job, work: Work, policy: Policy, journal: Journal, *, size: Target) -> Outcome:
    """Do one image, unless it is done or another process is at it.

    Args:
        job: What to do.
        work: How.
        policy: What happens where the output is there.
        journal: Where it is written down; asked only to resume.
        size: What outputs are asked to be, by which a finished one without a line in the journal is known.

    Returns:
        What became of it, an error included. Only what calls off the whole batch is raised.
    """
    start = time.perf_counter()
    try:
        _make_folders(job)
        with locked(job.target) as other:
            if other is not None:
                return Outcome(job.source, job.target, skipped=f"{other} is making it")
            # Asked under the lock: who had it before may just have finished.
            if reason := _finished(job, policy, journal, size):
                return Outcome(job.source, job.target, skipped=reason)
            notes = work(job, policy.overwrite or (policy.resume and journal.knows(job.target)))
            journal.add(job.source, job.target)
    except Exception as error:  # whatever it is, the images after this one are still to be done
        return Outcome(job.source, job.target, time.perf_counter() - start, error=_alone(error, job))
    return Outcome(job.source, job.target, time.perf_counter() - start, image_size(job.target), notes)


def planned(job: Job, policy: Policy, journal: Journal, *, size: Target) -> Outcome:
    """Return what would become of an image, without making anything; errors are those that are seen beforehand."""
    if reason := _finished(job, policy, journal, size):
        return Outcome(job.source, job.target, skipped=reason)
    error: PocketsrError | None = None
    if not exists(job.source):
        error = ImageFileError(f"cannot read {job.source}: there is no such file")
    elif exists(job.target) and job.target.samefile(job.source):
        error = OutputExistsError(f"{job.target} is the input itself; choose another output")
    elif exists(job.target) and not policy.overwrite and not (policy.resume and journal.knows(job.target)):
        error = OutputExistsError(f"{job.target} is there already; add --overwrite to replace it")
    return Outcome(job.source, job.target, error=error)


def _finished(job: Job, policy: Policy, journal: Journal, size: Target) -> str:
    """Return why an output needs no work, in words; empty where it does."""
    if not (policy.skip_existing or policy.resume) or not exists(job.target) or _is_same(job):
        return ""
    if policy.skip_existing:
        return "it is there already"
    if journal.has(job.source, job.target):
        return "it is finished"
    # Made without a journal, or killed between the output and its line: then the file itself has to tell.
    given = image_size(job.source)
    if given is None or journal.knows(job.target):
        return ""
    height, width = size.size(given[1], given[0])
    if is_whole(job.target, (width, height)):
        return "it is there, whole and of the right size"
    return ""


def _alone(error: Exception, job: Job) -> Exception:
    """Return an error to keep: in words, and without the pixels that its tracebacks hold on to."""
    if not isinstance(error, PocketsrError | OSError | MemoryError):
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        error = RuntimeError(
            f"cannot upscale {job.source}: {type(error).__name__} at {place} ({error}); this is a fault of pocketsr, "
            "not of the image"
        )
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _is_same(job: Job) -> bool:
    return exists(job.source) and job.target.samefile(job.source)


def _make_folders(job: Job) -> None:
    """Make the folders below the root that lead to an output. The root itself is not ours to make."""
    check_inside(job.target, job.root)
    folder = job.target.parent
    if is_folder(folder) or folder == job.root or not is_folder(job.root):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another output with -o"
        ) from error
    check_inside(job.target, job.root)  # again, now that it is there
