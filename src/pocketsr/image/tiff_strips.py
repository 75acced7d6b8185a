"""TIFF written band by band, of 8 or 16 bits, of one page or many, however large.

    header | strips of page 1 | directory 1 | strips of page 2 | directory 2 ...

Every strip is packed by deflate as it comes, after the horizontal differences that make photographs smaller; only the
places of strips are held. Files that may come to more than 4 GB are BigTIFF. Pillow encodes the tags; what it cannot do
is write colour of 16 bits, EXIF beside compression, or an image in pieces. Knows nothing of photos, paths or colour.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy.typing as npt
from PIL import TiffImagePlugin

from pocketsr.image.encoding import tiff_exif
from pocketsr.image.streaming import deflate_strategy, regrouped

#: Bytes of a strip before it is packed, about: large beside its entry in the table, small beside the memory there is.
_STRIP_BYTES = 1 << 20
#: Bytes that the tags of a page may come to, beyond any metadata there is.
_ROOM_FOR_TAGS = 1 << 26
_LEVEL = 3
_CLASSIC, _BIG = b"II*\0" + bytes(4), b"II+\0" + struct.pack("<HHQ", 8, 0, 0)

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR, _EXTRA = 273, 277, 278, 279, 284, 317, 338
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _PROFILE = 282, 283, 296, 34675
_SHORT, _LONG, _LONG8 = 3, 4, 16
_DEFLATE, _DIFFERENCES, _INCH, _STRAIGHT_ALPHA = 8, 2, 2, 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class TiffPage:
    """One picture of a file.

    Attributes:
        bands: uint8 or uint16 ``(rows, W)`` grey or ``(rows, W, 2 | 3 | 4)``, from top to bottom; of one type.
        height: Rows in all.
        width: Columns.
        options: What Pillow's ``save`` takes for TIFF; ``dpi``, ``icc_profile``, ``tiffinfo`` and ``exif`` are used.
    """

    bands: Iterable[npt.NDArray[Any]]
    height: int
    width: int
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def write_tiff(file: IO[bytes], pages: Iterable[TiffPage], *, most_pixels: int) -> None:
    """Write a TIFF whose rows arrive in bands.

    Args:
        file: Open for writing in binary, at its start, and one that can go back.
        pages: At least one.
        most_pixels: Pixels of all pages, which decide whether it has to be a BigTIFF.

    Source:
        TIFF 6.0, §2 (structure), §14 (differencing predictor); Adobe Photoshop TIFF Technical Notes (deflate); BigTIFF.
    """
    # Of 16 bits and four channels, and none of it made smaller: what is sure to fit does not need the newer form.
    is_big = most_pixels * 8 * 1.01 + _ROOM_FOR_TAGS > 2**32
    file.write(_BIG if is_big else _CLASSIC)
    pointer = 8 if is_big else 4
    for page in pages:
        pointer = _write_page(file, page, pointer, is_big=is_big)


def write_tiff_bands(
    file: IO[bytes], bands: Iterable[npt.NDArray[Any]], *, height: int, width: int, options: Mapping[str, Any]
) -> None:
    """Write a TIFF of one page.

    >>> import numpy as np
    >>> made = io.BytesIO()
    >>> write_tiff_bands(made, [np.zeros((2, 3, 3), np.uint16)], height=2, width=3, options={})
    >>> made.getvalue()[:3]
    b'II*'
    """
    page = TiffPage(bands=bands, height=height, width=width, options=options)
    write_tiff(file, [page], most_pixels=height * width)


def _write_page(file: IO[bytes], page: TiffPage, pointer: int, *, is_big: bool) -> int:
    """Write strips and directory, let what comes before point at the directory, and return where the next is named."""
    word = "<Q" if is_big else "<I"
    offsets, lengths = [], []
    shape: tuple[int, ...] = ()
    bits = 8
    rest = iter(page.bands)
    first = next(rest)
    rows = max(1, _STRIP_BYTES // first[0].nbytes)
    for strip in regrouped(itertools.chain((first,), rest), rows):
        shape, bits = strip.shape, 8 * strip.itemsize
        deflate = zlib.compressobj(_LEVEL, strategy=deflate_strategy(strip))
        packed = deflate.compress(_differences(strip).tobytes()) + deflate.flush()
        offsets.append(file.tell())
        lengths.append(len(packed))
        file.write(packed)
    channels = 1 if len(shape) == 2 else shape[2]
    directory = _directory(page, channels, bits, rows, lengths, is_big=is_big)
    file.write(bytes(file.tell() % 2))
    start = file.tell()
    made = bytearray(directory.tobytes(start))
    following = _put_offsets(made, start, offsets, is_big=is_big)
    file.write(made)
    file.seek(pointer)
    file.write(struct.pack(word, start))
    file.seek(0, io.SEEK_END)
    return start + following


def _differences(strip: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return every sample less that of the pixel before it, around the corner of its type, little end first."""
    made = strip.copy()
    made[:, 1:] -= strip[:, :-1]
    return made.astype(made.dtype.newbyteorder("<"), copy=False)


def _directory(
    page: TiffPage, channels: int, bits: int, rows: int, lengths: list[int], *, is_big: bool
) -> TiffImagePlugin.ImageFileDirectory_v2:
    options = page.options
    directory = TiffImagePlugin.ImageFileDirectory_v2(_BIG if is_big else _CLASSIC)
    tags, inner = tiff_exif(options.get("exif", b""))
    for tag, value in {**tags, **options.get("tiffinfo", {})}.items():
        directory[tag] = value
    for tag, values in inner.items():
        # A directory in a directory in a directory is left out.
        directory.tagtype[tag] = _LONG
        directory[tag] = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if profile := options.get("icc_profile"):
        directory[_PROFILE] = profile
    if dpi := options.get("dpi"):
        directory[_RESOLUTION_UNIT] = _INCH
        directory[_X_RESOLUTION], directory[_Y_RESOLUTION] = dpi
    place = _LONG8 if is_big else _LONG
    numbers: dict[int, tuple[int, tuple[int, ...]]] = {
        _WIDTH: (_LONG, (page.width,)),
        _HEIGHT: (_LONG, (page.height,)),
        _BITS: (_SHORT, (bits,) * channels),
        _COMPRESSION: (_SHORT, (_DEFLATE,)),
        _PHOTOMETRIC: (_SHORT, (1 if channels < 3 else 2,)),
        _OFFSETS: (place, (0,) * len(lengths)),
        _CHANNELS: (_SHORT, (channels,)),
        _ROWS: (_LONG, (rows,)),
        _COUNTS: (place, tuple(lengths)),
        _PLANAR: (_SHORT, (1,)),
        _PREDICTOR: (_SHORT, (_DIFFERENCES,)),
    }
    if channels in (2, 4):
        numbers[_EXTRA] = (_SHORT, (_STRAIGHT_ALPHA,))
    for tag, (kind, found) in numbers.items():
        directory.tagtype[tag] = kind
        directory[tag] = found
    return directory


def _put_offsets(made: bytearray, start: int, offsets: list[int], *, is_big: bool) -> int:
    """Write where strips lie, which Pillow takes to lie behind the directory; return where the next one is named."""
    word, head, step, code = ("Q", 8, 20, "<Q") if is_big else ("I", 2, 12, "<H")
    count: int = struct.unpack_from(code, made)[0]
    values = f"<{len(offsets)}{word}"
    for entry in range(head, head + step * count, step):
        if struct.unpack_from("<H", made, entry)[0] == _OFFSETS:
            place = entry + (12 if is_big else 8)
            if len(offsets) > 1:
                place = struct.unpack_from("<" + word, made, place)[0] - start
            struct.pack_into(values, made, place, *offsets)
    return head + step * count
