"""``pocketsr upscale -``: the bytes of one image come in on stdin, those of the larger one go out on stdout.

They pass through files of a temporary folder, so that large images need no more memory than ever.
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pocketsr.cli.plan import single_target, suffix_of_format
from pocketsr.errors import ImageFileError, PocketsrError, SettingError
from pocketsr.image.formats import format_from_content

#: What "-" is called in messages.
_STDIN, _STDOUT = "standard input", "standard output"


def check_pipe(output: str | None, *, is_many: bool, no_use: Sequence[str]) -> None:
    """Refuse what cannot go through a pipe.

    Args:
        output: As it was given.
        is_many: Whether there is, or may be, more than one image.
        no_use: Options that were given and have no meaning here.

    Raises:
        SettingError: More than one image, a terminal where bytes would go, or such an option.
    """
    if is_many:
        raise SettingError("'-' is one image through a pipe; name one input, and a file or '-' with -o")
    if no_use:
        raise SettingError(f"{no_use[0]} is for files, and '-' is a pipe; leave one of them out")
    if output in (None, "-") and sys.stdout.isatty():
        raise SettingError("the image would go to the terminal as bytes; add '> NAME.png' or -o NAME.png")


def upscale_pipe(
    source: Path | None,
    target: Path | None,
    *,
    ending: str | None,
    work: Callable[[Path, Path], tuple[str, ...]],
) -> tuple[str, ...]:
    """Upscale one image of which one end or both are a pipe.

    Args:
        source: The input; None for stdin.
        target: The output; None for stdout.
        ending: Format of what goes to stdout; None keeps that of the input.
        work: Makes one file from another and returns notes.

    Returns:
        The notes.

    Raises:
        SettingError: An unknown format, a target of another, or a terminal where an image is to come from.
        PocketsrError: Whatever ``work`` raises, in which the temporary files are called by what they stand for.
    """
    asked = None if ending is None else suffix_of_format(ending)
    if target is not None:
        single_target(target, asked)
    with tempfile.TemporaryDirectory(prefix="pocketsr-") as name:
        given = Path(name) / "in" if source is None else source
        if source is None:
            _take_stdin(given)
        made = Path(name) / f"out{asked or _suffix_of(given)}" if target is None else target
        try:
            notes = work(given, made)
        except PocketsrError as error:
            words = str(error).replace(str(Path(name) / "in"), _STDIN).replace(str(made), str(target or _STDOUT))
            raise type(error)(words) from error
        if target is None:
            _give_stdout(made)
    return notes


def _take_stdin(file: Path) -> None:
    if sys.stdin is None:
        raise SettingError("'-' reads an image from a pipe, and stdin is closed; name a file")
    if sys.stdin.isatty():
        raise SettingError("'-' reads an image from a pipe, and stdin is the terminal; add '< photo.jpg'")
    try:
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        reason = error.strerror or error
        raise ImageFileError(
            f"cannot keep what comes from {_STDIN} in {file.parent}: {reason}; name another folder in TMPDIR"
        ) from error


def _give_stdout(file: Path) -> None:
    try:
        with file.open("rb") as copy:
            shutil.copyfileobj(copy, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader went away; the command ends quietly
        raise ImageFileError(f"cannot write {_STDOUT}: {error.strerror or error}; check where it leads") from error


def _suffix_of(file: Path) -> str:
    """Return the usual ending of a file's format; one that cannot be read is refused later, in words."""
    try:
        with file.open("rb") as opened:
            kind = format_from_content(opened.read(16))
    except OSError:
        kind = None
    return ".png" if kind is None else kind.suffixes[0]
