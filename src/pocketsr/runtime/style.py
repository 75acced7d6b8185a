"""Which kind of model a photo wants: what shows in it, and what follows from that.

    photo ──> evidence: its file's tables, traces in its pixels ──> style, and why in words

Both steps are pure. Knows nothing of models.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from pocketsr.errors import SettingError
from pocketsr.image import Photo, find_jpeg_traces
from pocketsr.weights import Style

#: What a user may ask for. ``auto`` and ``photo`` look at the photo, and never take a model that invents texture.
StyleChoice = Literal["auto", "photo", "clean", "jpeg", "jpeg-444", "jpeg-coarse", "gan"]
STYLE_CHOICES: tuple[StyleChoice, ...] = get_args(StyleChoice)

#: Of this quality and below, a photo goes through the model for JPEG whose blocks show, where its colour was kept at
#: less resolution, and where it was kept whole; of this and below through the other one for such files, in the same
#: order. Measured (benchmarks/default_choice.py).
COARSE_QUALITY, COARSE_444_QUALITY, JPEG_QUALITY, JPEG_444_QUALITY = 72.0, 50.0, 98.0, 92.0
#: What pixels must show less quality by than their file's tables say, to have been stored before.
_APART = 5


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What shows how a photo was stored.

    Attributes:
        file_quality: libjpeg's quality of its file; None where that is no JPEG.
        halves_colour: Whether its file is a JPEG that keeps colour at less resolution than brightness, as most do.
        pixel_quality: That which its pixels show, of this storing or one before; None where they show none.
        pixels_keep_colour: Whether they show that colour was kept whole; False where they show nothing of it.
        has_grid: Whether they show blocks at all.
    """

    file_quality: float | None = None
    halves_colour: bool = False
    pixel_quality: float | None = None
    pixels_keep_colour: bool = False
    has_grid: bool = False


def find_evidence(photo: Photo) -> Evidence:
    """Look for signs of JPEG; pixels are looked at where the file's tables do not settle it.

    A file of high quality may hold pixels that were stored coarsely before.
    """
    of_file = Evidence(file_quality=photo.jpeg_quality, halves_colour=photo.jpeg_halves_colour)
    if photo.jpeg_quality is not None and _style_of(photo.jpeg_quality, of_file.halves_colour) == "jpeg-coarse":
        return of_file
    traces = find_jpeg_traces(photo.pixels)
    return dataclasses.replace(
        of_file,
        pixel_quality=traces.quality,
        pixels_keep_colour=traces.keeps_colour,
        has_grid=traces.has_grid,
    )


def style_for(evidence: Evidence) -> tuple[Style, str]:
    """Return what kind of model suits, and why: of a storing before the file's, if its pixels show one, or of its own.

    >>> style_for(Evidence(file_quality=60, halves_colour=True))
    ('jpeg-coarse', 'its file is JPEG of quality 60, its colour at half the resolution')
    >>> style_for(Evidence(file_quality=90))
    ('jpeg-444', 'its file is JPEG of quality 90, its colour whole')
    >>> style_for(Evidence())
    ('clean', 'it shows no sign of JPEG')
    """
    quality, of_file = evidence.pixel_quality, evidence.file_quality
    if quality is not None and (of_file is None or quality < of_file - _APART):
        # Pixels that show no blocks of colour had it halved, most likely; and what the file halves is whole no more.
        halves_colour = evidence.halves_colour or not evidence.pixels_keep_colour
        words = f"its pixels were once JPEG of quality {quality:.0f}"
    elif of_file is not None:
        quality, halves_colour = of_file, evidence.halves_colour
        words = f"its file is JPEG of quality {quality:.0f}"
    elif evidence.has_grid:
        return "clean", "its pixels were once JPEG of a quality that is as good as none"
    else:
        return "clean", "it shows no sign of JPEG"
    style = _style_of(quality, halves_colour)
    if style == "clean":
        return style, f"{words}, which is as good as none"
    return style, f"{words}, its colour {'at half the resolution' if halves_colour else 'whole'}"


def _style_of(quality: float, halves_colour: bool) -> Style:
    """Return what suits a photo that was stored so."""
    coarse, good = (COARSE_QUALITY, JPEG_QUALITY) if halves_colour else (COARSE_444_QUALITY, JPEG_444_QUALITY)
    quality = round(quality)  # tables are whole numbers, and so that of 90 comes out as 90.02
    if quality <= coarse:
        return "jpeg-coarse"
    if quality > good:
        return "clean"
    return "jpeg" if halves_colour else "jpeg-444"


def choose_style(photo: Photo, asked: StyleChoice) -> tuple[Style, str]:
    """Return what kind of model a photo wants, and why: of those for JPEG, signs decide whichever way it was asked.

    Raises:
        SettingError: There is no such style.
    """
    check_style(asked)
    if asked not in ("auto", "photo", "jpeg"):
        return asked, "asked for"
    found, why = style_for(find_evidence(photo))
    if asked == "jpeg":
        return ("jpeg", "asked for") if found in ("jpeg", "clean") else (found, f"JPEG was asked for, and {why}")
    return found, why


def check_style(asked: str) -> None:
    """Refuse a style that there is not.

    Raises:
        SettingError: There is no such style.
    """
    if asked not in STYLE_CHOICES:
        raise SettingError(f"a style is one of {', '.join(STYLE_CHOICES)}, not {asked!r}")
