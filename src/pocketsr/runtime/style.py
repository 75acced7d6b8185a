"""Which kind of model a photo wants: what shows in it, and what follows from that.

    photo ──> evidence: its file's tables, traces in its pixels ──> style, and why in words

Both steps are pure. Knows nothing of models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pocketsr.errors import SettingError
from pocketsr.image import Photo, channels_agree, find_jpeg_traces
from pocketsr.weights import Style

#: What a user may ask for. ``auto`` and ``photo`` look at the photo, and never take a model that invents texture.
StyleChoice = Literal["auto", "photo", "clean", "jpeg", "jpeg-444", "jpeg-coarse", "gan"]
STYLE_CHOICES: tuple[StyleChoice, ...] = get_args(StyleChoice)

#: How JPEG kept colour: at less resolution than brightness, as most do; whole; or there was none to keep.
Colour = Literal["halved", "whole", "none"]
#: By colour, up to which quality, as libjpeg counts, which kind of model is best; above the last, that for clean ones.
#: Measured (benchmarks/default_choice.py): where the means of two kinds cross, between the crossings at ×2, ×3 and ×4.
#: Grey ones have both: the one for 4:4:4 was trained from quality 60 up, the one for halved colour at 90.
LIMITS: Mapping[Colour, Sequence[tuple[float, Style]]] = {
    "halved": ((72, "jpeg-coarse"), (98, "jpeg")),
    "whole": ((36, "jpeg-coarse"), (91, "jpeg-444")),
    "none": ((60, "jpeg-coarse"), (86, "jpeg-444"), (91, "jpeg")),
}
_COLOUR_WORDS: Mapping[Colour, str] = {
    "halved": ", its colour at half the resolution",
    "whole": ", its colour whole",
    "none": ", without colour",
}
#: What pixels must show less quality by than their file's tables say, to have been stored before.
_APART = 5


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What shows how a photo was stored.

    Attributes:
        file_quality: libjpeg's quality of its file; None where that is no JPEG.
        halves_colour: Whether its file is a JPEG that keeps colour at less resolution than brightness.
        is_grey: Whether it has no colour at all.
        pixel_quality: The quality that its pixels show, of this storing or one before; None where they show none.
        pixels_keep_colour: Whether they show that colour was kept whole; False where they show nothing of it.
        has_grid: Whether they show blocks at all.
    """

    file_quality: float | None = None
    halves_colour: bool = False
    is_grey: bool = False
    pixel_quality: float | None = None
    pixels_keep_colour: bool = False
    has_grid: bool = False

    @property
    def file_colour(self) -> Colour:
        """How the file keeps colour."""
        return "none" if self.is_grey else "halved" if self.halves_colour else "whole"

    @property
    def pixel_colour(self) -> Colour:
        """How the storing that pixels show kept it: halved where nothing is seen of it, or the file halved it since."""
        return "halved" if self.file_colour == "whole" and not self.pixels_keep_colour else self.file_colour


def find_evidence(photo: Photo) -> Evidence:
    """Look for signs of JPEG; pixels are looked at where the file's tables do not settle it.

    A file of high quality may hold pixels that were stored coarsely before.
    """
    found = Evidence(
        file_quality=photo.jpeg_quality,
        halves_colour=photo.jpeg_halves_colour,
        is_grey=photo.is_grey or channels_agree(photo.pixels),
    )
    if found.file_quality is not None and _style_of(found.file_quality, found.file_colour) == "jpeg-coarse":
        return found
    traces = find_jpeg_traces(photo.pixels, with_colour=found.file_colour == "whole")
    return dataclasses.replace(
        found, pixel_quality=traces.quality, pixels_keep_colour=traces.keeps_colour, has_grid=traces.has_grid
    )


def style_for(evidence: Evidence) -> tuple[Style, str]:
    """Return what kind of model suits, and why: of a storing before the file's, if its pixels show one, or of its own.

    >>> style_for(Evidence(file_quality=60, halves_colour=True))
    ('jpeg-coarse', 'its file is JPEG of quality 60')
    >>> style_for(Evidence(file_quality=90))
    ('jpeg-444', 'its file is JPEG of quality 90, its colour whole')
    >>> style_for(Evidence())
    ('clean', 'it shows no sign of JPEG')
    """
    quality, of_file = evidence.pixel_quality, evidence.file_quality
    if quality is not None and (of_file is None or quality < of_file - _APART):
        colour, words = evidence.pixel_colour, f"its pixels were once JPEG of quality {quality:.0f}"
        is_seen = evidence.pixels_keep_colour or evidence.is_grey or evidence.halves_colour
    elif of_file is not None:
        quality, colour, words = of_file, evidence.file_colour, f"its file is JPEG of quality {of_file:.0f}"
        is_seen = True
    elif evidence.has_grid:
        return "clean", "its pixels were once JPEG of a quality that is as good as none"
    else:
        return "clean", "it shows no sign of JPEG"
    style = _style_of(quality, colour)
    if style == "clean":
        return style, f"{words}, which is as good as none"
    return style, words + (_COLOUR_WORDS[colour] if is_seen and style != "jpeg-coarse" else "")


def _style_of(quality: float, colour: Colour) -> Style:
    """Return what suits a photo that was stored so."""
    # Tables are whole numbers, and so that of 90 comes out as 90.02.
    return next((style for up_to, style in LIMITS[colour] if round(quality) <= up_to), "clean")


def choose_style(photo: Photo, asked: StyleChoice) -> tuple[Style, str]:
    """Return what kind of model a photo wants, and why: of those for JPEG, signs decide whichever way it was asked.

    Raises:
        SettingError: There is no such style.
    """
    check_style(asked)
    if asked != "auto" and asked != "photo" and asked != "jpeg":
        return asked, "asked for"
    found, why = style_for(find_evidence(photo))
    if asked != "jpeg":
        return found, why
    return ("jpeg", "asked for") if found in ("jpeg", "clean") else (found, f"JPEG was asked for, and {why}")


def check_style(asked: str) -> None:
    """Refuse a style that there is not.

    Raises:
        SettingError: There is no such style.
    """
    if asked not in STYLE_CHOICES:
        raise SettingError(f"a style is one of {', '.join(STYLE_CHOICES)}, not {asked!r}")
