"""What a batch has finished, one line a file, so that a batch that was killed goes on where it stopped.

    OUTPUT FOLDER/.pocketsr-journal.jsonl   {"target": "a.png", "bytes": 123, "source": [456, 789], "settings": "9f…"}

A line is written after the output stands under its name, so whatever is in the journal is whole. A line that was cut
short is no line. What the lines say is held against the files: an output of another size, or an input or settings that
changed since, is not done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from pocketsr.image import paths

#: Name of the journal in a folder of outputs; hidden, and no image.
FILE_NAME = ".pocketsr-journal.jsonl"


class Journal:
    """The journal of one folder. Threads share it; processes add to the same file a line at a time."""

    def __init__(self, folder: Path, settings: str) -> None:
        """Look at the journal of a folder; there need not be one.

        Args:
            folder: Where outputs go; targets are named from here.
            settings: What the outputs depend on beside their inputs, in any form that can be compared.
        """
        self.path = folder / FILE_NAME
        self._settings = settings
        self._lock = threading.Lock()
        self._read_bytes = 0
        self._is_ours = not paths.exists(self.path)
        self._lines: dict[str, dict[str, object]] = {}

    def has(self, source: Path, target: Path) -> bool:
        """Whether an output is there as it was finished, from this input as it is now and with these settings."""
        with self._lock:
            self._read()
            line = self._lines.get(self._name(target))
        return line is not None and line == self._line(source, target)

    def knows(self, target: Path) -> bool:
        """Whether an output was finished once, whatever became of it and its input since."""
        with self._lock:
            self._read()
            return self._name(target) in self._lines

    def add(self, source: Path, target: Path) -> None:
        """Write down that an output is finished. A disk that takes no line costs only the time to do it again."""
        line = self._line(source, target)
        if line is None:
            return
        with self._lock, contextlib.suppress(OSError):
            number = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
            try:
                # One write a line, so that lines of several processes do not mix; it begins with a new line in case
                # the one before was cut short.
                os.write(number, b"\n" + json.dumps(line).encode() + b"\n")
            finally:
                os.close(number)

    def remove(self) -> None:
        """Remove the file if this batch began it: the batch is whole and needs none. Others keep theirs."""
        if not self._is_ours:
            return
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        """Read what the file has more than last time: other processes add to it, too."""
        try:
            size = self.path.stat().st_size
            if size < self._read_bytes:  # it is another file
                self._lines, self._read_bytes = {}, 0
            if size == self._read_bytes:
                return
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                content = file.read()
        except OSError:
            self._lines, self._read_bytes = {}, 0
            return
        whole, mark, _ = content.rpartition(b"\n")  # what is after the last one may still be being written
        self._read_bytes += len(whole) + len(mark)
        for text in whole.split(b"\n"):
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict) and isinstance(line.get("target"), str):
                    self._lines[line["target"]] = line

    def _line(self, source: Path, target: Path) -> dict[str, object] | None:
        try:
            given, made = source.stat(), target.stat()
        except OSError:
            return None
        return {
            "target": self._name(target),
            "bytes": made.st_size,
            "source": [given.st_size, given.st_mtime_ns],
            "settings": self._settings,
        }

    def _name(self, target: Path) -> str:
        return os.path.relpath(target, self.path.parent)


class Journals:
    """The journals of a batch: one for each folder that outputs go to."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Begin with none.

        Args:
            settings: What the outputs depend on beside their inputs: model, format, quality and so on.
        """
        text = json.dumps({key: str(value) for key, value in settings.items()}, sort_keys=True)
        self._settings = hashlib.sha256(text.encode()).hexdigest()[:20]
        self._journals: dict[Path, Journal] = {}
        self._lock = threading.Lock()

    def of(self, folder: Path) -> Journal:
        """Return the journal of a folder."""
        with self._lock:
            if folder not in self._journals:
                self._journals[folder] = Journal(folder, self._settings)
            return self._journals[folder]

    def remove(self) -> None:
        """Remove those that this batch began."""
        for journal in self._journals.values():
            journal.remove()
