"""How large an image is, and how much of it is held while it is in work. Reads a file's header only."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

from pocketsr.image.formats import FORMATS, format_from_content
from pocketsr.image.writing import STREAM_PIXELS
from pocketsr.runtime import Target

#: Formats whose encoders take rows as they are made, so that no more than this is held however large the image.
_STREAMED = ("PNG", "JPEG", "TIFF")


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height as the file's header has them, not turned upright; None where that cannot be told.

    >>> image_size(Path("missing.png")) is None
    True
    """
    try:
        with path.open("rb") as file:
            kind = format_from_content(file.read(16))
            if kind is None:
                return None
            file.seek(0)
            module, reader = kind.reader
            image: Any = getattr(importlib.import_module(module), reader)(file, "")
            width, height = image.size
            return int(width), int(height)
    except Exception:  # whatever a damaged file makes a parser trip over; reading it says it in words
        return None


def pixels_held(source: Path, target: Path, asked: Target) -> int:
    """Return how many pixels are held while an image is in work: the input's, and what is gathered of the output.

    Args:
        source: The input. One whose size cannot be told counts nothing: reading it fails.
        target: Its ending says whether the output is gathered whole.
        asked: The size of the output.
    """
    size = image_size(source)
    if size is None:
        return 0
    given, made = size[0] * size[1], math.prod(asked.size(size[1], size[0]))
    return given + (min(made, STREAM_PIXELS) if FORMATS.get(target.suffix.lower()) in _STREAMED else made)
