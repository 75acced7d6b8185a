"""Large PNG files decoded band by band, where Pillow would hold the whole image in four bytes a pixel.

    file ──> chunks ──> IDAT, unpacked as it comes ──> rows with their filters ──> a small PNG of a band ──> Pillow
                └──> all other chunks ──> a PNG of one pixel, for what the file says beside its pixels

A row's filter looks at the row above, so each band begins with the last row of the one before, stored as it is. Knows
nothing of photos or colour.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Bytes of a pixel of 8 bits a sample, by colour type.
_PIXEL_BYTES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: Chunks that say what a row means.
_MEANING = (b"PLTE", b"tRNS")
#: Pixels of a band, about.
_BAND_PIXELS = 1 << 20
#: Bytes that are read at once, and the longest chunk that is kept beside the pixels.
_PIECE, _LONGEST = 1 << 18, 1 << 26


@dataclasses.dataclass(frozen=True)
class PngBands:
    """A PNG that can be decoded in bands.

    Attributes:
        skeleton: A PNG of one pixel that says all that the file says beside its pixels.
        width: Columns.
        height: Rows.
    """

    skeleton: bytes
    width: int
    height: int
    _file: IO[bytes]
    _header: bytes
    _meaning: bytes

    def bands(self) -> Iterator[Image.Image]:
        """Yield Pillow's images of full width, one below the other.

        Raises:
            ValueError: The file is cut short or damaged.
        """
        row_bytes = 1 + self.width * _PIXEL_BYTES[self._header[9]]
        step = max(1, _BAND_PIXELS // self.width)
        rows = _FilteredRows(self._file)
        above = b""
        for top in range(0, self.height, step):
            count = min(step, self.height - top)
            filtered = rows.take(count * row_bytes)
            if len(filtered) < count * row_bytes:
                raise ValueError(f"{top} to {top + count} of its {self.height} rows are cut short")
            has_above = int(bool(above))
            header = struct.pack(">II", self.width, count + has_above) + self._header[8:]
            data = zlib.compress(above + filtered, 0)  # stored as it is: this only goes through memory
            small = _SIGNATURE + _chunk(b"IHDR", header) + self._meaning + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
            with Image.open(io.BytesIO(small), formats=("PNG",)) as band:
                band.load()
                made = band.crop((0, has_above, self.width, count + has_above))
            above = b"\0" + np.asarray(made.crop((0, count - 1, self.width, count))).tobytes()
            yield made


def open_png_bands(file: IO[bytes]) -> PngBands | None:
    """Look at the chunks of a PNG.

    Args:
        file: A PNG. It is to stay open until the bands were made.

    Returns:
        What decodes it; None where Pillow has to: interlaced files, animations, and samples of other than 8 bits.

    Source:
        W3C PNG, 3rd edition, §5 (chunks), §9 (filters).
    """
    file.seek(len(_SIGNATURE))
    header, meaning, kept = b"", b"", b""
    for name, length in _chunks(file):
        if name == b"acTL":
            return None
        if name == b"IDAT":
            kept += _chunk(b"IDAT", b"") if not kept.endswith(_chunk(b"IDAT", b"")) else b""
            continue
        if length > _LONGEST:
            continue
        content = file.read(length)
        if name == b"IHDR":
            header = content
            content = struct.pack(">II", 1, 1) + content[8:]
        elif name in _MEANING:
            meaning += _chunk(name, content)
        kept += _chunk(name, content)
    if len(header) != 13 or header[8] != 8 or header[9] not in _PIXEL_BYTES or header[10:] != bytes(3):
        return None
    one = zlib.compress(bytes(1 + _PIXEL_BYTES[header[9]]))
    skeleton = _SIGNATURE + kept.replace(_chunk(b"IDAT", b""), _chunk(b"IDAT", one), 1)
    width, height = struct.unpack_from(">II", header)
    return PngBands(skeleton, width, height, file, header, meaning)


class _FilteredRows:
    """The unpacked content of all IDAT chunks, taken a piece at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._pieces = _pixel_data(file)
        self._inflate = zlib.decompressobj()

    def take(self, count: int) -> bytes:
        """Return so many bytes; fewer where there are no more."""
        made = bytearray()
        while len(made) < count:
            packed = self._inflate.unconsumed_tail or next(self._pieces, b"")
            if not packed and self._inflate.eof:
                break
            found = self._inflate.decompress(packed, count - len(made))
            if not packed and not found:
                break
            made += found
        return bytes(made)


def _pixel_data(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(len(_SIGNATURE))
    for name, length in _chunks(file):
        while name == b"IDAT" and length:
            piece = file.read(min(length, _PIECE))
            if not piece:
                return
            length -= len(piece)
            yield piece


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield name and length of each chunk, with the file at its content."""
    while len(start := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", start)
        place = file.tell()
        yield name, length
        if name == b"IEND":
            return
        file.seek(place + length + 4)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
