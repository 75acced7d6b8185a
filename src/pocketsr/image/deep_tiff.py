"""TIFF of 16 bits and of floating point in colour, which Pillow knows in grey only.

To unpack a strip, a TIFF library needs to know how many bytes it holds and not what they mean. So a copy of the file
says that it is twice as wide (four times for 32 bits) and has 8 bits a sample; Pillow undoes the compression, and the
bytes are put together here:

    W × H, 16 bits  ──tags changed──>  2W × H, 8 bits  ──Pillow──>  bytes  ──>  predictor undone  ──>  samples

Writing goes the same way back. Knows nothing of photos or colour.
"""

from __future__ import annotations

import dataclasses
import io
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

_WIDTH, _BITS, _PHOTOMETRIC, _PLANAR, _PREDICTOR, _TILE_WIDTH, _KIND, _ORIENTATION = (
    256,
    258,
    262,
    284,
    317,
    322,
    339,
    274,
)
_FLOAT = 3
_ORDERS: Mapping[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
#: What a sample is, by bits and kind.
_DTYPES: Mapping[tuple[int, int], np.dtype[Any]] = {
    (16, 1): np.dtype(np.uint16),
    (32, _FLOAT): np.dtype(np.float32),
}
#: struct codes of the whole-number types: byte, short, long, and BigTIFF's long8.
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}


class _Field(NamedTuple):
    """One tag of the first directory: where its type and its values lie."""

    entry: int
    kind: int
    length: int
    values: int


@dataclasses.dataclass(frozen=True)
class DeepTiff:
    """A TIFF that was made to look like one of 8 bits.

    Attributes:
        data: The file with its tags changed, for Pillow to open; it is ``itemsize`` times as wide.
        width: Columns of pixels.
        dtype: What a sample is: uint16 or float32.
        order: Byte order, ``"<"`` or ``">"``.
        predictor: 1, 2 or 3, as the standard counts them.
        has_planes: Each channel is stored by itself.
        tile_width: Columns of a tile, 0 where the file has strips.
        orientation: 1 to 8, as EXIF counts; ``data`` says 1.
    """

    data: bytes
    width: int
    dtype: np.dtype[Any]
    order: Literal["<", ">"]
    predictor: int
    has_planes: bool
    tile_width: int
    orientation: int

    def samples(self, stored: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Return the samples ``(H, W, C)`` from the pixels that Pillow found in ``data``."""
        height, width, size = stored.shape[0], self.width, self.dtype.itemsize
        stored = stored.reshape(height, width * size, -1)
        channels = stored.shape[2]
        # Of planes, the bytes of a sample lie side by side; else all channels of a pixel come first.
        group = 1 if self.has_planes else channels
        rows = stored.transpose(0, 2, 1) if self.has_planes else stored.reshape(height, 1, -1)
        tile = self.tile_width * size * group
        blocks = np.split(rows, range(tile, rows.shape[2], tile), axis=2) if tile else [rows]
        made = np.concatenate([self._undo(block, group) for block in blocks], axis=2)
        made = made.reshape(height, -1, width, group)
        return np.ascontiguousarray(made.transpose(0, 2, 3, 1).reshape(height, width, channels))

    def _undo(self, block: npt.NDArray[np.uint8], group: int) -> npt.NDArray[Any]:
        """Return samples ``(H, planes, n)`` from the bytes ``(H, planes, n · size)`` of strips or a column of tiles."""
        size, shape = self.dtype.itemsize, block.shape[:2]
        count = block.shape[2] // size
        if self.predictor == 3:  # bytes of one weight lie together, highest first, as differences to the pixel before
            whole = np.add.accumulate(block.reshape(*shape, -1, group), axis=2, dtype=np.uint8)
            joined = np.ascontiguousarray(whole.reshape(*shape, size, count).transpose(0, 1, 3, 2))
            return joined.view(self.dtype.newbyteorder(">")).reshape(*shape, count).astype(self.dtype)
        samples = np.ascontiguousarray(block).view(self.dtype.newbyteorder(self.order)).astype(self.dtype)
        if self.predictor == 2:
            words = samples.view(f"u{size}").reshape(*shape, -1, group)
            samples = np.add.accumulate(words, axis=2, dtype=words.dtype).view(self.dtype)
        return samples.reshape(*shape, count)


def open_deep_tiff(file: IO[bytes]) -> DeepTiff | None:
    """Make the first picture of a TIFF of 16 bits or of 32-bit floating point readable for Pillow.

    Args:
        file: A TIFF, from its start.

    Returns:
        What to open and how to read it; None where the file holds something else that only Pillow may know, such as
        8 bits, inks, a palette, or half floats.

    Raises:
        ValueError: The file is damaged.

    Source:
        TIFF 6.0, §2 and §14 (differencing predictor); Adobe TIFF Technical Note 3 (floating point predictor); BigTIFF.
    """
    file.seek(0)
    data = bytearray(file.read())
    order, fields = _directory(data)

    def value(tag: int, default: int) -> int:
        return _values(data, order, fields[tag])[0] if tag in fields else default

    bits = set(_values(data, order, fields[_BITS])) if _BITS in fields else {1}
    kind = value(_KIND, 1)
    dtype = _DTYPES.get((max(bits), kind))
    if value(_PHOTOMETRIC, 0) not in (1, 2) or len(bits) > 1 or dtype is None:
        return None
    size, width, tile = dtype.itemsize, value(_WIDTH, 0), value(_TILE_WIDTH, 0)
    predictor, has_planes = value(_PREDICTOR, 1), value(_PLANAR, 1) == 2 and fields[_BITS].length > 1
    orientation = value(_ORIENTATION, 1)
    changes = {_WIDTH: width * size, _TILE_WIDTH: tile * size, _BITS: 8, _PREDICTOR: 1, _KIND: 1, _ORIENTATION: 1}
    for tag, number in changes.items():
        if tag in fields:
            _patch(data, order, fields[tag], number)
    return DeepTiff(
        bytes(data), width, dtype, order, predictor, has_planes, tile, orientation if 1 <= orientation <= 8 else 1
    )


def write_deep_tiff(file: IO[bytes], samples: npt.NDArray[np.uint16], options: Mapping[str, Any]) -> None:
    """Write a TIFF of 16 bits a sample, packed by deflate.

    Args:
        file: Open for writing in binary.
        samples: uint16 ``(H, W)`` grey or ``(H, W, 2 | 3 | 4)``.
        options: What Pillow's ``save`` takes for TIFF.
    """
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width, channels = samples.shape
    as_bytes = np.ascontiguousarray(samples.astype("<u2", copy=False)).view(np.uint8)
    as_bytes = as_bytes.reshape(height, 2 * width, channels)
    buffer = io.BytesIO()
    image = Image.fromarray(as_bytes[:, :, 0] if channels == 1 else as_bytes)
    image.save(buffer, "TIFF", **options)
    data = bytearray(buffer.getvalue())
    order, fields = _directory(data)
    _patch(data, order, fields[_WIDTH], width)
    _patch(data, order, fields[_BITS], 16)
    file.write(data)


def add_directories(data: bytes, directories: Mapping[int, Mapping[int, Any]]) -> bytes:
    """Return a TIFF file with more directories in it, such as EXIF's, each under a tag of the first one.

    libtiff, by which Pillow compresses, cannot write them. The first directory is repeated behind the pixels, with more
    entries; what it points at stays where it is.

    Args:
        data: A little-endian classic TIFF of one picture, as Pillow writes it.
        directories: Tags and values as Pillow has them, by tag of the first directory.
    """
    made = bytearray(data)
    (start,) = struct.unpack_from("<I", made, 4)
    (count,) = struct.unpack_from("<H", made, start)
    entries = [bytes(made[place : place + 12]) for place in range(start + 2, start + 2 + 12 * count, 12)]
    for tag, values in directories.items():
        made += bytes(len(made) % 2)
        inner = TiffImagePlugin.ImageFileDirectory_v2()
        for key, value in values.items():
            if not isinstance(value, dict):  # a directory in a directory in a directory
                inner[key] = value
        entries.append(struct.pack("<HHII", tag, 4, 1, len(made)))
        made += inner.tobytes(len(made))
    made += bytes(len(made) % 2)
    struct.pack_into("<I", made, 4, len(made))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    made += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return bytes(made)


def _directory(data: bytearray) -> tuple[Literal["<", ">"], dict[int, _Field]]:
    """Return the byte order and the fields of the first directory."""
    try:
        order = _ORDERS[bytes(data[:2])]
        return order, dict(_fields(data, order))
    except (struct.error, KeyError) as error:
        raise ValueError("its directory is cut short") from error


def _fields(data: bytearray, order: str) -> Iterator[tuple[int, _Field]]:
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    is_big = version == 43
    word, step = ("Q", 20) if is_big else ("I", 12)
    (start,) = struct.unpack_from(order + word, data, 8 if is_big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", data, start)
    entry = start + (8 if is_big else 2)
    for place in range(entry, entry + step * min(count, 65535), step):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, place)
        code = _CODES.get(kind)
        if code is None:
            continue
        inline = place + (12 if is_big else 8)
        fits = struct.calcsize(f"{order}{code}") * number <= (8 if is_big else 4)
        values = inline if fits else struct.unpack_from(order + word, data, inline)[0]
        yield tag, _Field(place, kind, number, values)


def _values(data: bytearray, order: str, field: _Field) -> tuple[int, ...]:
    if field.values + struct.calcsize(_CODES[field.kind]) > len(data) or field.length < 1:
        raise ValueError("its directory points beyond its end")
    # No tag that matters here has more values than an image has channels.
    return struct.unpack_from(f"{order}{min(field.length, 64)}{_CODES[field.kind]}", data, field.values)


def _patch(data: bytearray, order: str, field: _Field, value: int) -> None:
    """Put one number in place of all values of a field."""
    if field.length == 1 and field.kind == 3:  # a short may be too small for a width: there is room for a long
        struct.pack_into(f"{order}H", data, field.entry + 2, 4)
        struct.pack_into(f"{order}I", data, field.values, value)
        return
    struct.pack_into(f"{order}{field.length}{_CODES[field.kind]}", data, field.values, *[value] * field.length)
