"""PNG and JPEG encoded band by band, for images too large to hold.

Both take their first bytes from Pillow, which knows how to write metadata, and put the pixels in themselves:

    PNG   Pillow's file of one row, height corrected   +  one deflate stream over all bands
    JPEG  Pillow's file of one band, height corrected  +  each further band as one restart interval

The scan of a small JPEG starts with its prediction at zero and ends on a whole byte, which is all that a restart
interval is; the decoded pixels equal those of the file written in one piece. WebP, AVIF and Pillow's TIFF have no such
seam.
Knows nothing of photos, paths or colour.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_Bands = Iterable[npt.NDArray[Any]]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PAETH = 4

#: Rows of a restart interval, if its count of 8×8 blocks, which JPEG keeps in 16 bits, allows.
_JPEG_BAND_ROWS = 64
_JPEG_LARGEST_INTERVAL = 65535
_JPEG_FRAME, _JPEG_SCAN, _JPEG_END = 0xFFC0, 0xFFDA, b"\xff\xd9"


def write_png_bands(file: IO[bytes], bands: _Bands, *, height: int, options: Mapping[str, Any]) -> None:
    """Write a PNG whose rows arrive in bands.

    Args:
        file: Open for writing in binary.
        bands: uint8 or uint16 ``(rows, W)`` grey or ``(rows, W, 2 | 3 | 4)``; as many rows in all as ``height``, at
            least one. They decide between 8 and 16 bits a sample.
        height: Rows of the image.
        options: What Pillow's ``save`` takes for PNG; ``compress_level`` and the metadata are used.

    Source:
        W3C PNG, 3rd edition, §5 (chunks) and §9 (filters). Every row has the Paeth filter, the best single one for
        photographs.
    """
    rest = iter(bands)
    first = next(rest)
    is_deep = first.dtype == np.uint16
    head = (first[:1] >> 8).astype(np.uint8) if is_deep else first[:1]  # Pillow has no colour of 16 bits
    chunks = list(_png_chunks(_pillow_file(head, "PNG", options)))
    at = next(number for number, (name, _) in enumerate(chunks) if name == b"IDAT")
    file.write(_PNG_SIGNATURE)
    for name, data in chunks[:at]:
        if name == b"IHDR":
            data = data[:4] + struct.pack(">IB", height, 16 if is_deep else 8) + data[9:]
        _write_png_chunk(file, name, data)
    deflate = zlib.compressobj(options.get("compress_level", 6), strategy=deflate_strategy(first))
    above = np.zeros((1, first[:1].nbytes), np.uint8)
    for band in map(_as_bytes, _chain(first, rest)):
        if data := deflate.compress(_paeth_filtered(band, above)):
            _write_png_chunk(file, b"IDAT", data)
        above = band[-1:].reshape(1, -1).copy()
    _write_png_chunk(file, b"IDAT", deflate.flush())
    for name, data in chunks[at:]:
        if name != b"IDAT":
            _write_png_chunk(file, name, data)


def write_jpeg_bands(file: IO[bytes], bands: _Bands, *, height: int, options: Mapping[str, Any]) -> None:
    """Write a baseline JPEG whose rows arrive in bands.

    Args:
        file: Open for writing in binary.
        bands: uint8 ``(rows, W)`` grey or ``(rows, W, 3)`` RGB; as many rows in all as ``height``, at least one.
        height: Rows of the image.
        options: What Pillow's ``save`` takes for JPEG. Chroma is kept at full resolution whatever they say, so that a
            block is 8×8 pixels.

    Source:
        ITU-T T.81, §B.2.4.4 (restart interval) and §E.1.4 (restart markers).
    """
    rest = iter(bands)
    first = next(rest)
    blocks_across = -(-first.shape[1] // 8)
    rows = 8 * min(_JPEG_BAND_ROWS // 8, _JPEG_LARGEST_INTERVAL // blocks_across)
    options = {**options, "subsampling": 0, "restart_marker_blocks": rows // 8 * blocks_across}
    for number, band in enumerate(regrouped(_chain(first, rest), rows)):
        head, scan = _split_jpeg(_pillow_file(band, "JPEG", options), height)
        file.write(head if number == 0 else bytes([0xFF, 0xD0 + (number - 1) % 8]))
        file.write(scan)
    file.write(_JPEG_END)


def deflate_strategy(pixels: npt.NDArray[Any]) -> int:
    """Return how zlib is to pack differences of pixels.

    Hardly any piece of a photograph's comes twice, and looking for one costs two thirds of the time; runs and codes are
    what is left, and files are 8 per cent smaller than with level 3 of the usual way. Grey that is stored as colour
    repeats every difference, which only the usual way sees.

    Args:
        pixels: ``(rows, W)`` or ``(rows, W, C)``.
    """
    is_colour = pixels.ndim == 3 and pixels.shape[2] >= 3
    is_grey = is_colour and bool(
        (pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 0] == pixels[:, :, 2]).all()
    )
    return zlib.Z_FILTERED if is_grey else zlib.Z_RLE


def _as_bytes(band: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return samples of 16 bits as pairs of bytes, the high one first, as if a pixel had twice the channels."""
    if band.dtype == np.uint8:
        return band
    channels = 1 if band.ndim == 2 else band.shape[2]
    return np.ascontiguousarray(band.astype(">u2")).view(np.uint8).reshape(*band.shape[:2], 2 * channels)


def regrouped(bands: _Bands, rows: int) -> Iterator[npt.NDArray[Any]]:
    """Yield the same rows in bands of ``rows``, the last with what is left.

    >>> bands = [np.zeros((n, 4), np.uint8) for n in (1, 7, 5)]
    >>> [len(band) for band in regrouped(bands, 4)]
    [4, 4, 4, 1]
    """
    waiting: list[npt.NDArray[Any]] = []
    count = 0
    for band in bands:
        waiting.append(band.copy())  # the giver may fill the same memory again for the next band
        count += len(band)
        if count >= rows:
            joined = np.concatenate(waiting)
            whole = count - count % rows
            for top in range(0, whole, rows):
                yield joined[top : top + rows]
            waiting, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(waiting)


def _chain(first: npt.NDArray[Any], rest: _Bands) -> Iterator[npt.NDArray[Any]]:
    yield first
    yield from rest


def _pillow_file(band: npt.NDArray[Any], name: str, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(band)).save(buffer, name, **options)
    return buffer.getvalue()


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_PNG_SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12


def _write_png_chunk(file: IO[bytes], name: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + name)
    file.write(data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))


def _paeth_filtered(band: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8]) -> bytes:
    """Return the band's rows, each a filter byte and the differences from the Paeth prediction.

    Args:
        band: ``(rows, W)`` or ``(rows, W, C)``.
        above: ``(1, W·C)``, the row before the band, zeros at the top of the image.
    """
    rows = len(band)
    step = 1 if band.ndim == 2 else band.shape[2]
    flat = band.reshape(rows, -1)
    padded = np.zeros((rows + 1, flat.shape[1] + step), np.int16)
    padded[0, step:] = above
    padded[1:, step:] = flat
    left, up, corner = padded[1:, :-step], padded[:-1, step:], padded[:-1, :-step]
    # Distances of the estimate left + up − corner from each of the three.
    to_left, to_up = np.abs(up - corner), np.abs(left - corner)
    to_corner = np.abs(left + up - 2 * corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    filtered = np.full((rows, 1 + flat.shape[1]), _PAETH, np.uint8)
    np.subtract(flat, nearest.astype(np.uint8), out=filtered[:, 1:])
    return filtered.tobytes()


def _split_jpeg(data: bytes, height: int) -> tuple[bytes, bytes]:
    """Return a file's segments up to its scan, with the height corrected, and the scan without the end marker."""
    head = bytearray(data)
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", head, position)
        if marker == _JPEG_FRAME:  # length, precision, height, width
            struct.pack_into(">H", head, position + 5, height)
        position += 2 + length
        if marker == _JPEG_SCAN:
            return bytes(head[:position]), data[position : -len(_JPEG_END)]
