"""The process around a verb: streams that may be closed or of another encoding, and the wish that it end."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Exit code of a process that a signal ended is this and the signal's number, as shells have it.
_SIGNALLED = 128


def prepare_streams() -> None:
    """Make every standard stream one that can be written to, whatever started this process.

    A closed one becomes the null device: its number would otherwise go to the next file that is opened, and what a
    runtime below Python has to say would be written into an image. Names of files that are not in the stream's
    encoding are printed byte for byte where that is possible, and with question marks where not.
    """
    if os.name == "posix":
        for number in (0, 1, 2):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    # Python has None for a stream that was closed when it began.
    sys.stdout = sys.stdout or _null()
    sys.stderr = sys.stderr or _null()
    if isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "replace")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let termination and a terminal that goes away end the process as an exception, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():  # handlers are the main thread's
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is signal.SIG_DFL:  # nohup ignores SIGHUP; so do we then
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or termination) into a wish to stop; a second one stops at once."""
    wishes: list[int] = []

    def remember(number: int, _: types.FrameType | None) -> None:
        wishes.append(number)
        signal.signal(number, before[number])

    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: types.FrameType | None) -> None:
    raise SystemExit(_SIGNALLED + number)


def _null() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open until the process ends
