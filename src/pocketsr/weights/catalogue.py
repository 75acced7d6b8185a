"""The catalogues: which models there are, under which names, and which is taken where none is named.

    catalogue.toml here        the bundled ones, and the names of those in the bank
    bank/catalogue.toml        the bank: in a checkout, or in the folder POCKETSR_BANK

Knows nothing of what is inside a model file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.spec import Precision

#: What kind of input a model is for: without compression faults; JPEG of good quality; the same with colour at full
#: resolution; JPEG whose blocks show; to look sharp, texture invented.
Style = Literal["clean", "jpeg", "jpeg-444", "jpeg-coarse", "gan"]
STYLES: tuple[Style, ...] = get_args(Style)

#: What ``load`` opens where no model is named, and whose scale is taken where none is.
DEFAULT_MODEL = "pocket-x3"

#: Environment variable that names the folder of the bank.
BANK_VARIABLE = "POCKETSR_BANK"

#: What TOML has to give for a field by the field's type; text for all others.
_KINDS = {"int": int, "Mapping[str, float]": dict}
_PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_FOLDER = Path(__file__).parent
_FILE = "catalogue.toml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of a catalogue.

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
        network: Name of its network.
        style: What kind of input it is for.
        channels: 3 knows colour, 1 luma only.
        order: Where no model is named, the lowest of a scale and style is taken; 0 never, but for
            models of luma, which video takes whatever theirs is.
        checkpoint: Saved network (``.safetensors``, folded) in the bank, to train or export on from; may be empty.
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
    network: str = ""
    style: Style = "clean"
    channels: int = 3
    order: int = 0
    checkpoint: str = ""
    folder: Path = dataclasses.field(default=_FOLDER, repr=False)

    @property
    def path(self) -> Path:
        """Where the model file lies."""
        return self.folder / self.file

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with the package, not with the bank."""
        return self.folder == _FOLDER

    def verify(self) -> None:
        """Compare the model file with ``sha256``; done whenever a model is opened by its name (0.1 ms for 170 KB).

        Raises:
            ModelFileError: The file is missing or has other bytes.
        """
        advice = "install pocketsr again" if self.is_bundled else "get the bank again"
        if not self.path.is_file():
            raise ModelFileError(f"the file of model {self.name!r} is missing: {self.path}; {advice}")
        try:
            came = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelFileError(f"{self.path} cannot be read: {error.strerror}; {advice}") from error
        if came != self.sha256:
            raise ModelFileError(
                f"{self.path} was changed: it has SHA-256 {came}, the catalogue says {self.sha256}; {advice}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "folder"}
        return {**values, "scores": dict(self.scores), "path": str(self.path)}


def entries() -> tuple[Entry, ...]:
    """Return every model there is: those that come with pocketsr, then those of the bank where it is at hand.

    Raises:
        ModelFileError: A catalogue cannot be read, or both have a model of one name.

    >>> all(entry.scale >= 2 for entry in entries())
    True
    """
    folder = bank_folder()
    made = bundled() + (() if folder is None else _banked(folder))
    if len({entry.name for entry in made}) != len(made):
        raise ModelFileError(f"a model of {folder} has the name of one that comes with pocketsr; rename it there")
    return made


@functools.cache
def bundled() -> tuple[Entry, ...]:
    """Return the models that come with pocketsr, in the order of their catalogue."""
    return read_catalogue(_FOLDER / _FILE)


def bank_folder() -> Path | None:
    """Return the folder of the bank; None where it is not at hand.

    Raises:
        ModelFileError: ``POCKETSR_BANK`` names a folder without a catalogue.
    """
    if named := os.environ.get(BANK_VARIABLE):
        folder = Path(named)
        if not (folder / _FILE).is_file():
            raise ModelFileError(f"{BANK_VARIABLE} is {named!r}, which has no {_FILE}; name the repository's bank/")
        return folder
    root = _FOLDER.parents[2]
    is_checkout = (root / "pyproject.toml").is_file() and (root / "bank" / _FILE).is_file()
    return root / "bank" if is_checkout else None


def bank_names() -> Mapping[str, Style]:
    """Return the names of the models in the bank, and what each is for: known where the bank is not at hand, too."""
    return read_names(_FOLDER / _FILE)


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """Read a catalogue; its model files lie beside it.

    Raises:
        ModelFileError: The file is not a catalogue, names a model twice, or a style that there is not.
    """
    made = tuple(_entry(table, path) for table in _tables(path)["entries"])
    if len({entry.name for entry in made}) != len(made):
        raise ModelFileError(f"{path} has two models of one name")
    return made


def find(name: str) -> Entry:
    """Return the model of that name.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
        ModelFileError: It is in the bank, which is not at hand.
    """
    for entry in bundled():
        if entry.name == name:
            return entry
    for entry in entries():
        if entry.name == name:
            return entry
    if name in bank_names():
        raise ModelFileError(f"model {name!r} {_where_the_bank_is()}")
    raise UnknownNameError.among("model", name, {*(entry.name for entry in entries()), *bank_names()})


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
    if name is None:
        return None
    forms = (entry for entry in entries() if entry.name == f"{name}-float" and entry.precision == "float32")
    return next(forms, None)


def defaults(style: Style = "clean", *, channels: int | None = None) -> Mapping[int, Entry]:
    """Return the model that is taken for each scale where none is named.

    Args:
        style: What kind of input it is for.
        channels: 1 looks among those that know luma only, which video is quicker with, whatever their order; there may
            be none. None looks among all that have an order.

    Returns:
        Entry by scale, for the scales that have one; the default of all scales first.

    Raises:
        ModelFileError: Only the bank has such models, and it is not at hand.

    >>> defaults()[3].scale
    3
    """
    known = [entry for entry in entries() if entry.style == style and entry.order > 0]
    if channels is not None:
        known = [entry for entry in entries() if entry.style == style and entry.channels == channels]
    if (
        not known
        and channels is None
        and any(kind == style for kind in bank_names().values())
        and bank_folder() is None
    ):
        named = next(name for name, kind in bank_names().items() if kind == style)
        raise ModelFileError(f"a model of style {style!r}, such as {named!r}, {_where_the_bank_is()}")
    usual = find(DEFAULT_MODEL)
    known.sort(
        key=lambda entry: (entry.scale != usual.scale, entry.scale, entry.order, entry.precision != usual.precision)
    )
    found: dict[int, Entry] = {}
    for entry in known:
        found.setdefault(entry.scale, entry)
    return found


def _where_the_bank_is() -> str:
    return (
        "is in the bank, which is no part of the package: clone pocketsr's repository and set "
        f"{BANK_VARIABLE} to its folder bank/, or run pocketsr from there"
    )


@functools.cache
def _banked(folder: Path) -> tuple[Entry, ...]:
    return read_catalogue(folder / _FILE)


@functools.cache
def read_names(path: Path) -> Mapping[str, Style]:
    """Return what the package's catalogue says of the bank: names, and what each is for."""
    return {str(name): style for name, style in _tables(path).get("bank", {}).items()}


def _entry(table: Mapping[str, Any], path: Path) -> Entry:
    try:
        entry = Entry(**table, folder=path.parent)
    except TypeError as error:
        raise ModelFileError(f"{path} is not a catalogue of models: {error}") from error
    for field in dataclasses.fields(Entry):
        value, kind = getattr(entry, field.name), _KINDS.get(str(field.type), str)
        if field.name != "folder" and type(value) is not kind:
            raise ModelFileError(f"{path}: {field.name} of {entry.name!r} is {value!r}; it has to be {kind.__name__}")
    if entry.precision not in _PRECISIONS:
        known = ", ".join(_PRECISIONS)
        raise ModelFileError(f"{path}: {entry.name} is of precision {entry.precision!r}; known: {known}")
    if entry.style not in STYLES:
        raise ModelFileError(f"{path}: {entry.name} is of style {entry.style!r}; known: {', '.join(STYLES)}")
    return entry


def _tables(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        if not isinstance(values["entries"], list):
            raise TypeError("its entries are no list of tables")
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not a catalogue of models: {error}") from error
    return values
