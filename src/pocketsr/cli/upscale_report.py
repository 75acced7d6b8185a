"""What ``pocketsr upscale`` says: paths, or lines of JSON, on stdout; words on stderr; a count at the end."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from pocketsr.batch import Outcome
from pocketsr.cli import show_error

#: From so many images on, errors have left the screen by the end, and are said again.
_SAID_AGAIN = 20


class Report:
    """Counts outcomes and prints them in the order they come."""

    def __init__(self, *, is_json: bool, is_quiet: bool, is_dry: bool = False) -> None:
        """Begin the clock.

        Args:
            is_json: One line of JSON for each image and one for the whole, on stdout, in place of all words.
            is_quiet: No notes and no words on what was skipped.
            is_dry: Nothing is made: outcomes are what would be.
        """
        self._is_json, self._is_quiet, self._is_dry = is_json, is_quiet, is_dry
        self._start = time.perf_counter()
        self._failures: list[str] = []
        self._done = self._skipped = 0
        self._megapixels = 0.0

    @property
    def has_failed(self) -> bool:
        """Whether anything failed."""
        return bool(self._failures)

    def show(self, outcome: Outcome) -> None:
        """Print what became of one image, and count it."""
        source, target = outcome.source, outcome.target
        if outcome.error is not None:
            self.show_problem(source, _in_words(outcome.error, source), target)
            return
        if outcome.skipped:
            self._skipped += 1
            if self._is_json:
                _print_json({"source": str(source), "target": str(target), "skipped": outcome.skipped})
            elif not self._is_quiet:
                click.echo(f"skipped: {target}: {outcome.skipped}", err=True)
            return
        self._done += 1
        width, height = outcome.size or (None, None)
        self._megapixels += (width or 0) * (height or 0) / 1e6
        if self._is_json:
            line: dict[str, object] = {"source": str(source), "target": str(target)}
            if self._is_dry:
                line["planned"] = True
            else:
                seconds = round(outcome.seconds, 3)
                line |= {"width": width, "height": height, "seconds": seconds, "notes": outcome.notes}
            _print_json(line)
            return
        click.echo(target)
        for note in () if self._is_quiet else outcome.notes:
            click.echo(f"note: {target}: {note}", err=True)

    def show_problem(self, source: Path, error: BaseException, target: Path | None = None) -> None:
        """Print why an image, or a source of images, failed."""
        words = " ".join(str(error).split()) or type(error).__name__
        self._failures.append(words)
        if self._is_json:
            _print_json({"source": str(source), "target": None if target is None else str(target), "error": words})
        else:
            show_error(error)

    def summarise(self, count: int) -> None:
        """Print the counts where there is anything to tell apart.

        Args:
            count: Images there were to do.
        """
        seconds = time.perf_counter() - self._start
        if self._is_json:
            summary = {"done": self._done, "skipped": self._skipped, "failed": len(self._failures)}
            speed = {
                "seconds": round(seconds, 3),
                "megapixels": round(self._megapixels, 3),
                "megapixels_per_second": round(self._megapixels / seconds, 3) if seconds else None,
            }
            _print_json({"summary": summary | ({} if self._is_dry else speed)})
            return
        if count <= 1 or not (self._failures or (self._skipped and not self._is_quiet)):
            return
        if count >= _SAID_AGAIN:
            for words in self._failures:
                click.echo(f"failed: {words}", err=True)
        counts = ((len(self._failures), "failed"), (self._skipped, "skipped"))
        click.echo(", ".join([f"{n} {word}" for n, word in counts if n] + [f"{self._done} done"]), err=True)


def _in_words(error: BaseException, source: Path) -> BaseException:
    if isinstance(error, MemoryError):
        return MemoryError(f"not enough memory to upscale {source}; --tile 256, -j 1 or PNG output needs less")
    return error


def _print_json(line: dict[str, object]) -> None:
    # ASCII, so that a name that is not in the stream's encoding does not spoil the line.
    click.echo(json.dumps(line))
