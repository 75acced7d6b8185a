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
StyleChoice = Literal["auto", "photo", "clean", "jpeg", "jpeg-coarse", "gan"]
STYLE_CHOICES: tuple[StyleChoice, ...] = get_args(StyleChoice)

#: Of this quality and below, a photo goes through the model for JPEG whose blocks show; of this and below through the
#: other one for JPEG, where its colour was kept whole, and where it was not. Measured (benchmarks/default_choice.py).
COARSE_QUALITY, JPEG_QUALITY, HALVED_QUALITY = 72.0, 85.0, 98.0


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What shows how a photo was stored.

    Attributes:
        file_quality: libjpeg's quality of its file; None where that is no JPEG.
        halves_colour: Whether its file is a JPEG that keeps colour at less resolution than brightness, as most do.
        pixel_quality: That which its pixels show, of this storing or one before; None where they show none.
        has_grid: Whether they show blocks at all.
    """

    file_quality: float | None = None
    halves_colour: bool = False
    pixel_quality: float | None = None
    has_grid: bool = False


def find_evidence(photo: Photo) -> Evidence:
    """Look for signs of JPEG; pixels are looked at where the file's tables do not settle it.

    A file of high quality may hold pixels that were stored coarsely before.
    """
    of_file = Evidence(file_quality=photo.jpeg_quality, halves_colour=photo.jpeg_halves_colour)
    if _is_within(photo.jpeg_quality, COARSE_QUALITY):
        return of_file
    traces = find_jpeg_traces(photo.pixels)
    return dataclasses.replace(of_file, pixel_quality=traces.quality, has_grid=traces.has_grid)


def style_for(evidence: Evidence) -> tuple[Style, str]:
    """Return what kind of model suits, and why.

    >>> style_for(Evidence(file_quality=60))
    ('jpeg-coarse', 'its file is JPEG of quality 60')
    >>> style_for(Evidence(file_quality=95, halves_colour=True))
    ('jpeg', 'its file is JPEG of quality 95, its colour at half the resolution')
    >>> style_for(Evidence())
    ('clean', 'it shows no sign of JPEG')
    """
    by_file = "" if evidence.file_quality is None else f"its file is JPEG of quality {evidence.file_quality:.0f}"
    by_pixels = (
        "" if evidence.pixel_quality is None else f"its pixels were once JPEG of quality {evidence.pixel_quality:.0f}"
    )
    if _is_within(evidence.file_quality, COARSE_QUALITY):
        return "jpeg-coarse", by_file
    if _is_within(evidence.pixel_quality, COARSE_QUALITY):
        return "jpeg-coarse", by_pixels
    if _is_within(evidence.file_quality, JPEG_QUALITY):
        return "jpeg", by_file
    if evidence.halves_colour and _is_within(evidence.file_quality, HALVED_QUALITY):
        return "jpeg", f"{by_file}, its colour at half the resolution"
    # Pixels do not say how colour was kept: at half the resolution, most likely, unless it is this file's own storing.
    if _is_within(evidence.pixel_quality, JPEG_QUALITY if by_file else HALVED_QUALITY):
        return "jpeg", by_pixels
    if by_file:
        return "clean", f"{by_file}, which is as good as none"
    if evidence.has_grid:
        return "clean", "its pixels were once JPEG of a quality that is as good as none"
    return "clean", "it shows no sign of JPEG"


def _is_within(quality: float | None, limit: float) -> bool:
    """Whether a quality is known, and no better; tables are whole numbers, and so that of 90 comes out as 90.02."""
    return quality is not None and round(quality) <= limit


def choose_style(photo: Photo, asked: StyleChoice) -> tuple[Style, str]:
    """Return what kind of model a photo wants, and why: of the two for JPEG, signs decide whichever way it was asked.

    Raises:
        SettingError: There is no such style.
    """
    check_style(asked)
    if asked in ("clean", "jpeg-coarse", "gan"):
        return asked, "asked for"
    found, why = style_for(find_evidence(photo))
    if asked == "jpeg":
        return ("jpeg-coarse", f"JPEG was asked for, and {why}") if found == "jpeg-coarse" else ("jpeg", "asked for")
    return found, why


def check_style(asked: str) -> None:
    """Refuse a style that there is not.

    Raises:
        SettingError: There is no such style.
    """
    if asked not in STYLE_CHOICES:
        raise SettingError(f"a style is one of {', '.join(STYLE_CHOICES)}, not {asked!r}")
