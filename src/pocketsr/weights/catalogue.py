"""The catalogue: which models come with pocketsr, under which names.

Reads ``catalogue.toml`` beside it. Knows nothing of what is inside a model file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.spec import Precision

#: What is used where no model is named.
DEFAULT_MODEL = "abpn-x3"

_FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        name: What users type, such as ``"abpn-x3"``.
        file: Model file, beside the catalogue.
        scale: Output height over input height.
        precision: Arithmetic of the file, ``"float32"`` or ``"int8"``.
        sha256: Of the model file, in hexadecimal.
        licence: Licence of the weights (SPDX).
        data: The images it was trained on, in words.
        scores: Figure by name, each name saying data and protocol.
        card: What it is good for and what not: a Markdown file beside the catalogue.
        folder: Where the catalogue lies.
    """

    name: str
    file: str
    scale: int
    precision: Precision
    sha256: str
    licence: str
    data: str
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    card: str = ""
    folder: Path = dataclasses.field(default=_FOLDER, repr=False)

    @property
    def path(self) -> Path:
        """Where the model file lies."""
        return self.folder / self.file

    def verify(self) -> None:
        """Compare the model file with ``sha256``; done whenever a model is opened by its name (0.1 ms for 170 KB).

        Raises:
            ModelFileError: The file is missing or has other bytes.
        """
        if not self.path.is_file():
            raise ModelFileError(f"the file of model {self.name!r} is missing: {self.path}; install pocketsr again")
        try:
            came = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelFileError(f"{self.path} cannot be read: {error.strerror}; install pocketsr again") from error
        if came != self.sha256:
            raise ModelFileError(
                f"{self.path} was changed: it has SHA-256 {came}, the catalogue says {self.sha256}; "
                "install pocketsr again"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "folder"}
        return {**values, "scores": dict(self.scores), "path": str(self.path)}


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return every model that comes with pocketsr, in the order of the catalogue.

    >>> all(entry.scale >= 2 for entry in entries())
    True
    """
    return read_catalogue(_FOLDER / "catalogue.toml")


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """Read a catalogue; its model files lie beside it.

    Raises:
        ModelFileError: The file is not a catalogue, or names a model twice.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))["entries"]
        made = tuple(Entry(**table, folder=path.parent) for table in tables)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not a catalogue of models: {error}") from error
    if len({entry.name for entry in made}) != len(made):
        raise ModelFileError(f"{path} has two models of one name")
    return made


def find(name: str) -> Entry:
    """Return the model of that name.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
    """
    for entry in entries():
        if entry.name == name:
            return entry
    raise UnknownNameError.among("model", name, (entry.name for entry in entries()))


def find_float(path: Path) -> Entry | None:
    """Return the float32 form of a model of the catalogue: the entry of its name with ``-float``.

    Args:
        path: The file of the model.

    Returns:
        None where the file is none of the catalogue's, is in float32 itself, or has no such form.

    >>> find_float(find("abpn-x3").path).name
    'abpn-x3-float'
    """
    name = next((entry.name for entry in entries() if entry.path == path), None)
    return next((entry for entry in entries() if name is not None and entry.name == f"{name}-float"), None)


def find_scales() -> tuple[Entry, ...]:
    """Return the default model of every scale that the catalogue has, the default of all first.

    >>> find_scales()[0].name
    'abpn-x3'
    """
    firsts: dict[int, Entry] = {}
    for entry in (find(DEFAULT_MODEL), *entries()):
        firsts.setdefault(entry.scale, entry)
    return tuple(firsts.values())


def find_scale(scale: int) -> Entry:
    """Return the default model for a scale: the first of the catalogue that has it.

    Raises:
        UnknownNameError: No model has that scale.
    """
    for entry in entries():
        if entry.scale == scale:
            return entry
    known = sorted({str(entry.scale) for entry in entries()})
    raise UnknownNameError(
        f"no model of the catalogue has scale {scale}; scales there are: {', '.join(known) or 'none'}"
    )
