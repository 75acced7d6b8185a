"""The images of ``pocketsr upscale``, one after the other or several at once, and what is said of them.

plan ──> sweep ──> [ read, enlarge, write ] ──> report, in order
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pocketsr.batch import (
    Job,
    Journals,
    Outcome,
    Policy,
    SharedUpscaler,
    do_file,
    pixels_held,
    planned,
    run_in_order,
    sweep,
)
from pocketsr.cli.plan import Plan
from pocketsr.cli.upscale_progress import ProgressBar
from pocketsr.cli.upscale_report import Report
from pocketsr.errors import ImageFileError
from pocketsr.runtime import Progress, Target, Upscaler

#: Makes one file: called with upscalers, input, output, whether to replace it, and what to call after each tile.
Enlarge: TypeAlias = Callable[[Sequence[Upscaler], Path, Path, bool, Progress | None], tuple[str, ...]]


class Batch:
    """The images of one call."""

    def __init__(
        self,
        plan: Plan,
        upscalers: Sequence[Upscaler],
        enlarge: Enlarge,
        policy: Policy,
        *,
        size: Target,
        settings: Mapping[str, object],
        workers: int,
        most_pixels: int,
        is_json: bool,
        is_quiet: bool,
    ) -> None:
        """Settle how it is done.

        Args:
            plan: What to do.
            upscalers: Models that are ready.
            enlarge: How one file is made.
            policy: What happens where outputs are there.
            size: What outputs are asked to be.
            settings: What outputs depend on beside their inputs and names; a batch that is resumed with others is
                done again.
            workers: Images in work at the same time.
            most_pixels: Images are begun while those in work hold no more pixels than this.
            is_json: Print lines of JSON.
            is_quiet: Print no notes and draw no bar.
        """
        self._plan, self._upscalers, self._enlarge, self._policy = plan, upscalers, enlarge, policy
        self._size = size
        self._journals = Journals(settings)
        self._workers, self._most_pixels = workers, most_pixels
        self._is_json, self._is_quiet = is_json, is_quiet

    def plan_only(self) -> bool:
        """Print what would be written; return whether something would fail."""
        report = self._report(is_dry=True)
        for job in self._plan.jobs:
            report.show(planned(job, self._policy, self._journals.of(job.root), size=self._size))
        report.summarise(len(self._plan.jobs))
        return report.has_failed

    def run(self) -> bool:
        """Do the images and print what became of them; return whether something failed."""
        jobs = self._plan.jobs
        for folder in {folder for job in jobs for folder in (job.root, job.target.parent)}:
            sweep(folder)
        report = self._report()
        is_shown = not self._is_quiet and sys.stderr.isatty()
        with ProgressBar(jobs, is_shown=is_shown) as bar, contextlib.closing(self._outcomes(bar)) as outcomes:
            for outcome in outcomes:
                bar.image_done(outcome)
                if sys.stdout.isatty() or outcome.notes or not outcome.is_done:  # otherwise nothing is printed here
                    bar.wipe()
                report.show(outcome)
                bar.draw()
        report.summarise(len(jobs))
        if not report.has_failed and not self._policy.resume:
            self._journals.remove()
        return report.has_failed

    def _report(self, *, is_dry: bool = False) -> Report:
        report = Report(is_json=self._is_json, is_quiet=self._is_quiet, is_dry=is_dry)
        for source, error in self._plan.problems:
            report.show_problem(source, error)
        return report

    def _outcomes(self, bar: ProgressBar) -> Generator[Outcome, None, None]:
        """Yield outcomes in the order of the images. One image, or one at a time, needs no threads."""
        jobs = self._plan.jobs
        if min(self._workers, len(jobs)) <= 1:
            for job in jobs:
                yield self._do(job, self._upscalers, bar, bar.draw)
            return
        with SharedUpscaler(self._upscalers) as shared:

            def work(job: Job) -> Outcome:
                with shared.for_one_image() as upscalers:
                    return self._do(job, upscalers, bar, shared.check)

            yield from run_in_order(
                jobs,
                work,
                workers=self._workers,
                limit=self._most_pixels,
                cost=lambda job: pixels_held(job.source, job.target, self._size),
                on_wait=bar.draw,
                on_stop=shared.stop,
            )

    def _do(self, job: Job, upscalers: Sequence[Upscaler], bar: ProgressBar, after_tile: Callable[[], None]) -> Outcome:
        """Do one image; ``after_tile`` may call it off."""

        def on_progress(done: int, total: int) -> None:
            bar.tile_done(job, done, total)
            after_tile()

        def work(job: Job, replace: bool) -> tuple[str, ...]:
            return self._enlarge(upscalers, job.source, job.target, replace, on_progress)

        return do_file(job, work, self._policy, self._journals.of(job.root), size=self._size)


def make_folder(folder: Path) -> None:
    """Make the folder of the outputs.

    Raises:
        ImageFileError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another with -o"
        ) from error
