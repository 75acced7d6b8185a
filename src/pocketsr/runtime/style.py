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
StyleChoice = Literal["auto", "photo", "clean", "jpeg", "gan"]
STYLE_CHOICES: tuple[StyleChoice, ...] = get_args(StyleChoice)

#: Of this quality and below, a photo goes through the model for JPEG. Measured (benchmarks/default_choice.py).
JPEG_QUALITY = 90.0


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What shows how a photo was stored.

    Attributes:
        file_quality: libjpeg's quality of its file; None where that is no JPEG.
        pixel_quality: That which its pixels show, of this storing or one before; None where they show none.
        has_grid: Whether they show blocks at all.
    """

    file_quality: float | None = None
    pixel_quality: float | None = None
    has_grid: bool = False


def find_evidence(photo: Photo) -> Evidence:
    """Look for signs of JPEG; pixels are looked at where the file's tables do not settle it.

    A file of high quality may hold pixels that were stored coarsely before.
    """
    if _is_coarse(photo.jpeg_quality):
        return Evidence(file_quality=photo.jpeg_quality)
    traces = find_jpeg_traces(photo.pixels)
    return Evidence(file_quality=photo.jpeg_quality, pixel_quality=traces.quality, has_grid=traces.has_grid)


def style_for(evidence: Evidence) -> tuple[Style, str]:
    """Return what kind of model suits, and why.

    >>> style_for(Evidence(file_quality=75))
    ('jpeg', 'its file is JPEG of quality 75')
    >>> style_for(Evidence())
    ('clean', 'it shows no sign of JPEG')
    """
    if _is_coarse(evidence.file_quality):
        return "jpeg", f"its file is JPEG of quality {evidence.file_quality:.0f}"
    if evidence.pixel_quality is not None and evidence.pixel_quality <= JPEG_QUALITY:
        return "jpeg", f"its pixels were once JPEG of quality {evidence.pixel_quality:.0f}"
    if evidence.file_quality is not None:
        return "clean", f"its file is JPEG of quality {evidence.file_quality:.0f}, which is as good as none"
    if evidence.has_grid:
        return "clean", "its pixels were once JPEG of a quality that is as good as none"
    return "clean", "it shows no sign of JPEG"


def _is_coarse(file_quality: float | None) -> bool:
    """Whether a file's tables settle it; they are whole numbers, and so quality 90 comes out as 90.02."""
    return file_quality is not None and round(file_quality) <= JPEG_QUALITY


def choose_style(photo: Photo, asked: StyleChoice) -> tuple[Style, str]:
    """Return what kind of model a photo wants, and why.

    Raises:
        SettingError: There is no such style.
    """
    check_style(asked)
    if asked == "auto" or asked == "photo":
        return style_for(find_evidence(photo))
    return asked, "asked for"


def check_style(asked: str) -> None:
    """Refuse a style that there is not.

    Raises:
        SettingError: There is no such style.
    """
    if asked not in STYLE_CHOICES:
        raise SettingError(f"a style is one of {', '.join(STYLE_CHOICES)}, not {asked!r}")
