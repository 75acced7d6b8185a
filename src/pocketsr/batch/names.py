"""What outputs are called: patterns with fields, and names that stay inside the folder they were meant for.

    '{stem}_x{scale}.{ext}'  +  holiday.jpg  ──>  holiday_x3.jpg  ──>  FOLDER/holiday_x3.jpg, or a refusal

Opens nothing; looks at the file system only to see where links lead.
"""

from __future__ import annotations

import dataclasses
import os
import re
import string
from pathlib import Path

from pocketsr.errors import ImageFileError, SettingError
from pocketsr.image import FORMATS
from pocketsr.runtime import Target

#: What a pattern may hold, and what each stands for.
FIELDS = {
    "stem": "the input's name without its ending",
    "ext": "the ending of the output, without a dot",
    "size": "the size asked for, as x3, x2.5, 1920w or 1920x1080",
    "scale": "the factor, as 3, where a factor is asked for",
    "model": "the name of the model",
    "folder": "the name of the folder the input lies in",
    "number": "the input's number in the batch from 1; {number:04} fills up with noughts",
}
#: Fields that are whole numbers, which may be filled up.
_NUMBERS = ("scale", "number")
_WIDTH = re.compile(r"0?\d{1,2}")


@dataclasses.dataclass(frozen=True)
class Naming:
    """A pattern for the names of outputs.

    Attributes:
        pattern: Text with fields in braces (``FIELDS``); ``/`` makes folders below the output folder.

    Raises:
        SettingError: An unknown field, a pattern that is no pattern, or one that leaves its folder.

    >>> Naming("{stem}_{size}.{ext}").name(Path("in/holiday.JPG"), ending=".png", target=Target(scale=3))
    'holiday_x3.png'
    """

    pattern: str

    def __post_init__(self) -> None:
        wanted = "write names as '{stem}_x{scale}.{ext}'"
        if "\\" in self.pattern or "\0" in self.pattern:
            raise SettingError(
                f"the name {self.pattern!r} has a character that names have not; folders are made by '/'"
            )
        try:
            parts = list(string.Formatter().parse(self.pattern))
        except ValueError as error:
            raise SettingError(f"the name {self.pattern!r} is not a pattern ({error}); {wanted}") from None
        for _, field, width, conversion in parts:
            if field is None:
                continue
            if field not in FIELDS:
                raise SettingError(f"the name {self.pattern!r} has no field {{{field}}}; known: {', '.join(FIELDS)}")
            if conversion or (width and (field not in _NUMBERS or not _WIDTH.fullmatch(width))):
                raise SettingError(
                    f"{{{field}}} in the name {self.pattern!r} takes nothing after it; only {' and '.join(_NUMBERS)} "
                    "take a width, as {number:04}"
                )
        ends_in_field = bool(parts) and parts[-1][1] == "ext"
        if not ends_in_field and Path(self.pattern).suffix.lower() not in FORMATS:
            raise SettingError(f"the name {self.pattern!r} does not end in .{{ext}} or a format such as .png; {wanted}")
        _check_parts(self.pattern)

    @property
    def is_numbered(self) -> bool:
        """Whether names depend on what else is in the batch."""
        return any(field == "number" for _, field, _, _ in string.Formatter().parse(self.pattern))

    def name(self, source: Path, *, ending: str, target: Target, model: str = "", number: int = 0) -> str:
        """Return the name of one output, with ``/`` between folders.

        Args:
            source: The input; only its name is looked at.
            ending: Of the output, with its dot; empty where the input has none.
            target: The size asked for.
            model: Name of the model; what no file name can hold becomes ``_``.
            number: Place in the batch, from 1.

        Raises:
            SettingError: The pattern wants a factor where another size is asked for.
        """
        factor = target.scale
        if factor is None and any(field == "scale" for _, field, _, _ in string.Formatter().parse(self.pattern)):
            raise SettingError(
                f"{{scale}} in the name {self.pattern!r} has no meaning for a size of {target}; use {{size}}"
            )
        values = {
            "stem": source.stem,
            "ext": ending.removeprefix("."),
            "size": str(target),
            "scale": None if factor is None else int(factor) if factor == int(factor) else factor,
            "model": re.sub(r"[^\w.+-]", "_", model),
            "folder": source.absolute().parent.name,
            "number": number,
        }
        name = self.pattern.format_map(values)
        return name if ending else name.removesuffix(".")


def target_in(folder: Path, name: str) -> Path:
    """Return the path of a name below a folder.

    Args:
        folder: Where outputs go.
        name: With ``/`` between folders.

    Raises:
        SettingError: The name is absolute or has a part that is empty, ``.`` or ``..``.
        ImageFileError: A link on the way leads out of the folder.

    >>> target_in(Path("out"), "a/b.png").as_posix()
    'out/a/b.png'
    """
    _check_parts(name)
    target = folder.joinpath(*name.split("/"))
    check_inside(target, folder)
    return target


def check_inside(target: Path, folder: Path) -> None:
    """Refuse a target whose folder, links followed, is not below (or the same as) another.

    Raises:
        ImageFileError: It is not.
    """
    real, root = os.path.realpath(target.parent), os.path.realpath(folder)
    if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
        raise ImageFileError(f"cannot write {target}: its folder leads to {real}, outside {folder}; remove that link")


def _check_parts(name: str) -> None:
    for part in name.split("/"):
        is_odd = os.name == "nt" and any(mark in part for mark in '\\:*?"<>|')
        if part in ("", ".", "..") or "\0" in part or is_odd:
            raise SettingError(
                f"the name {name!r} is not one inside the output folder; leave out '..', a '/' at the start and "
                "characters that names have not"
            )
