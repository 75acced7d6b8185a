"""How large an image is, and how much of it is held while it is in work. Reads a file's header only."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import IO, Any, NamedTuple

from pocketsr.image.deep_tiff import count_pages, page_size
from pocketsr.image.formats import FORMATS, Format, format_from_content, format_from_suffix
from pocketsr.image.writing import STREAM_PIXELS
from pocketsr.runtime import Target

#: Formats whose encoders take rows as they are made, so that no more than this is held however large the image.
_STREAMED = ("PNG", "JPEG", "TIFF")
#: What a pixel of more than 8 bits counts: samples are twice as long, and unpacking them takes as much again.
_DEEP = 3
#: Bytes for a pixel of the input: four in the decoder and three in the photo.
_GIVEN_BYTES = 7
#: Bytes for a pixel of the output where all of it is gathered, encoder included: measured, and rounded up.
_MADE_BYTES = {"PNG": 6, "JPEG": 6, "BMP": 6, "TIFF": 6, "WEBP": 30, "GIF": 35}
_MOST_MADE_BYTES = 45


class _Header(NamedTuple):
    """What a file says: columns, rows, whether samples have more than 8 bits, pictures, and if these are pages."""

    width: int
    height: int
    is_deep: bool
    pictures: int
    has_pages: bool = False


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height as the file's header has them, not turned upright; None where that cannot be told.

    >>> image_size(Path("missing.png")) is None
    True
    """
    header = _header(path, count=False)
    return None if header is None else (header.width, header.height)


def pixels_held(source: Path, target: Path, asked: Target) -> int:
    """Return how many pixels are held while an image is in work: the input's, and what is gathered of the output.

    Args:
        source: The input. One whose size cannot be told counts nothing: reading it fails. A pixel of 16 bits counts
            three times.
        target: Its ending says whether the output is gathered whole, and whether it is of several pictures.
        asked: The size of the output.
    """
    header = _header(source, count=True)
    if header is None:
        return 0
    given, made = header.width * header.height, math.prod(asked.size(header.height, header.width))
    kind, pictures = _kind_and_pictures(header, target)
    if pictures > 1:
        given *= pictures
        made *= 1 if kind == "TIFF" else pictures
    elif kind in _STREAMED:
        made = min(made, STREAM_PIXELS)
    return (given + made) * (_DEEP if header.is_deep else 1)


def bytes_held(source: Path, target: Path, asked: Target) -> int:
    """Return the memory that an image takes by itself while it is in work, tiles not counted: an estimate from above.

    Args:
        source: As ``pixels_held``.
        target: As ``pixels_held``.
        asked: As ``pixels_held``.
    """
    header = _header(source, count=True)
    if header is None:
        return 0
    given, made = header.width * header.height, math.prod(asked.size(header.height, header.width))
    kind, pictures = _kind_and_pictures(header, target)
    between = made // 4 if made > 9 * given else 0  # what goes into the last of several models
    if kind in _STREAMED and pictures == 1:
        is_gathered = made < STREAM_PIXELS and kind != "TIFF" and not (header.is_deep and kind == "PNG")
        made = made if is_gathered else 0
    elif pictures > 1:
        given *= pictures
        made *= 1 if kind == "TIFF" else pictures
    given_bytes = _GIVEN_BYTES * (_DEEP if header.is_deep else 1)
    return (given + between) * given_bytes + made * _MADE_BYTES.get(kind, _MOST_MADE_BYTES)


def _kind_and_pictures(header: _Header, target: Path) -> tuple[str, int]:
    """Return the output's format, and how many pictures are read: only the first where it holds one.

    Those of an animation are all gathered, too; pages are written one by one.
    """
    kind = FORMATS.get(target.suffix.lower(), "")
    takes_all = kind == "TIFF" if header.has_pages else bool(kind) and format_from_suffix(target).has_many
    return kind, header.pictures if takes_all else 1


def _header(path: Path, *, count: bool) -> _Header | None:
    try:
        with path.open("rb") as file:
            kind = format_from_content(file.read(16))
            if kind is None:
                return None
            return _tiff_header(file) if kind.name == "TIFF" else _pillow_header(file, kind, count=count)
    except Exception:  # whatever a damaged file makes a parser trip over; reading it says it in words
        return None


def _tiff_header(file: IO[bytes]) -> _Header:
    width, height, bits = page_size(file)
    return _Header(width, height, bits > 8, count_pages(file, 1000), has_pages=True)


def _pillow_header(file: IO[bytes], kind: Format, *, count: bool) -> _Header:
    file.seek(0)
    module, reader = kind.reader
    image: Any = getattr(importlib.import_module(module), reader)(file, "")
    width, height = image.size
    stored = str(image.tile[0][3]) if getattr(image, "tile", None) else ""
    pictures = int(getattr(image, "n_frames", 1)) if count and kind.has_many else 1
    return _Header(int(width), int(height), "16" in stored and kind.name == "PNG", pictures)
