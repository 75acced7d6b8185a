"""What libraries below Python say on the error stream, kept from the user's terminal.

libtiff prints a line for whatever displeases it in a file, and TensorFlow Lite one for every new input size; neither
asks anybody. Their lines are taken out here by their form, and all others passed on. Knows nothing of either.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

#: TensorFlow Lite's "INFO: ..."; libtiff's "TIFFReadDirectory: Warning, ..." and "ZIPDecode: ...", by its functions.
_CHATTER = re.compile(
    rb"INFO: |(tempfile\.tif|MissingRequired|\w*(TIFF|Decode|JPEG|Fax|LZW|ZIP|LZMA|ZSTD|PackBits|Strip|Alloc|Log)\w*): "
)


class _Caught:
    """Who wants silence just now, where the stream led before, and what was said since."""

    lock = threading.Lock()
    listeners = 0
    before = -1
    file: IO[bytes] | None = None


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keep libraries' own lines from the error stream for as long as this lasts.

    The stream is the process's, so that several threads share one silence: the first begins it and the last ends it.
    """
    with _Caught.lock:
        if _Caught.listeners == 0:
            _begin()
        _Caught.listeners += 1
    try:
        yield
    finally:
        with _Caught.lock:
            _Caught.listeners -= 1
            if _Caught.listeners == 0:
                _end()


def _begin() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        _Caught.before = os.dup(2)
    except OSError:  # a process without an error stream has nothing to keep clean
        return
    try:
        _Caught.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever ends the silence
    except OSError:  # nowhere to catch it, as on a full disk: better noise than no picture
        os.close(_Caught.before)
        return
    os.dup2(_Caught.file.fileno(), 2)


def _end() -> None:
    if _Caught.file is None:
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    os.dup2(_Caught.before, 2)
    os.close(_Caught.before)
    _Caught.file.seek(0)
    for line in _Caught.file:
        if not _CHATTER.match(line):
            os.write(2, line)
    _Caught.file.close()
    _Caught.file = None
