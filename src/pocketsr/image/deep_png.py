"""PNG of 16 bits a sample, all of them: Pillow decodes colour of 16 bits to 8.

PNG's filters work byte by byte, each predicted from that of the same place in the pixel before. So the bytes of one
place in all pixels are an image of their own, grey and of 8 bits, filtered by the same rule:

    RGB of 16 bits  =  R high | R low | G high | G low | B high | B low     six grey images, which Pillow undoes in C

That holds for interlaced files too, whose seven passes are filtered one by one. Knows nothing of photos or colour.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Channels by colour type; a palette (3) has no 16 bits.
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
#: First column and row, and steps between columns and rows, of the passes of an interlaced file (W3C PNG, §8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def read_deep_png(file: IO[bytes]) -> npt.NDArray[np.uint16]:
    """Return the samples of a PNG of 16 bits.

    Args:
        file: A PNG whose header says 16 bits, from its start.

    Returns:
        uint16 ``(H, W, C)``: 1 channel of grey, 2 with alpha, 3 of colour, 4 with alpha. One colour that is marked as
        transparent (tRNS) becomes an alpha channel.

    Raises:
        ValueError: The file is cut short or damaged.

    Source:
        W3C PNG, 3rd edition, §9 (filters), §8 (interlace), §11.3.1.1 (tRNS).
    """
    header, data, key = b"", bytearray(), b""
    for name, content in _chunks(file):
        match name:
            case b"IHDR":
                header = content
            case b"IDAT":
                data += content
            case b"tRNS":
                key = content
            case _:
                pass
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if bits != 16 or kind not in _CHANNELS:
        raise ValueError(f"{bits} bits of colour type {kind} where 16 bits were announced")
    channels = _CHANNELS[kind]
    passes = [
        (-(-(height - top) // down), -(-(width - left) // across))
        for left, top, across, down in (_ADAM7 if interlaced else ((0, 0, 1, 1),))
    ]
    passes = [(rows, columns) for rows, columns in passes if rows > 0 and columns > 0]
    length = sum(rows * (1 + 2 * channels * columns) for rows, columns in passes)
    # What comes beyond the announced size is not unpacked: a small file can hold any amount.
    filtered = np.frombuffer(zlib.decompressobj().decompress(bytes(data), length), np.uint8)
    if len(filtered) < length:
        raise ValueError(f"{len(filtered)} bytes of pixels where {length} were announced")
    del data
    samples = np.empty((height, width, channels), np.uint16)
    as_bytes = samples.view(np.uint8).reshape(height, width, channels, 2)
    # Where the high byte of a sample lies in the memory of this machine.
    high = 1 if samples.dtype.newbyteorder("<") == samples.dtype else 0
    for place in range(2 * channels):
        plane = _decode_plane(filtered, place, 2 * channels, passes, width, height, interlaced)
        as_bytes[:, :, place // 2, high if place % 2 == 0 else 1 - high] = plane
    if key and kind in (0, 2):
        transparent = (samples == np.frombuffer(key, ">u2")[:channels]).all(axis=2)
        samples = np.dstack([samples, np.where(transparent, 0, 65535).astype(np.uint16)])
    return samples


def _decode_plane(
    filtered: npt.NDArray[np.uint8],
    place: int,
    step: int,
    passes: list[tuple[int, int]],
    width: int,
    height: int,
    interlaced: int,
) -> npt.NDArray[np.uint8]:
    """Undo the filters of one byte of every pixel, by way of a grey PNG that Pillow reads."""
    deflate = zlib.compressobj(0)  # stored as it is: this only goes through memory
    packed, position = [], 0
    for rows, columns in passes:
        count = rows * (1 + step * columns)
        lines = filtered[position : position + count].reshape(rows, -1)
        plane = np.empty((rows, 1 + columns), np.uint8)
        plane[:, 0] = lines[:, 0]  # the filter of the row
        plane[:, 1:] = lines[:, 1 + place :: step]
        packed.append(deflate.compress(plane.tobytes()))
        position += count
    packed.append(deflate.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"IDAT", b"".join(packed)), (b"IEND", b"")]
    grey = SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    with Image.open(io.BytesIO(grey), formats=("PNG",)) as image:
        return np.asarray(image)


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    file.seek(len(SIGNATURE))
    while len(start := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", start)
        content = file.read(length)
        if len(content) < length:
            raise ValueError(f"the {name!r} chunk is cut short")
        file.seek(4, io.SEEK_CUR)
        yield name, content
        if name == b"IEND":
            return
