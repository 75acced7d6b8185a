"""TIFF of 16 and 32 bits and of floating point, most of which Pillow does not know, on any page of a file.

To unpack a strip, a TIFF library needs to know how many bytes it holds and not what they mean. So a copy of the file
says that it is twice as wide (four times for 32 bits) and has 8 bits a sample; Pillow undoes the compression, and the
bytes are put together here:

    W × H, 16 bits  ──tags changed──>  2W × H, 8 bits  ──Pillow──>  bytes  ──>  predictor undone  ──>  samples

Writing is in ``tiff_strips``. Knows nothing of photos or colour.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _PLANAR, _PREDICTOR = 256, 257, 258, 262, 284, 317
_TILE_WIDTH, _KIND, _ORIENTATION = 322, 339, 274
_FLOAT = 3
_ORDERS: Mapping[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
#: What a sample is, by bits and kind.
_DTYPES: Mapping[tuple[int, int], np.dtype[Any]] = {
    (16, 1): np.dtype(np.uint16),
    (32, 1): np.dtype(np.uint32),
    (16, _FLOAT): np.dtype(np.float16),
    (32, _FLOAT): np.dtype(np.float32),
    (64, _FLOAT): np.dtype(np.float64),
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
        dtype: What a sample is: uint16, uint32, or floating point of 16, 32 or 64 bits.
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


def count_pages(file: IO[bytes], most: int | None = None) -> int:
    """Return how many pages a TIFF has, at most so many; those behind a damaged place are not found."""
    return len(list(itertools.islice(_directories(file), most)))


def open_deep_tiff(file: IO[bytes], *, page: int = 0) -> DeepTiff | None:
    """Make a picture of a TIFF of more than 8 bits or of floating point readable for Pillow.

    Args:
        file: A TIFF.
        page: Which of its pictures, from 0.

    Returns:
        What to open and how to read it; None where the page holds something else that only Pillow may know, such as
        8 bits, inks or a palette.

    Raises:
        ValueError: The file is damaged.

    Source:
        TIFF 6.0, §2 and §14 (differencing predictor); Adobe TIFF Technical Note 3 (floating point predictor); BigTIFF.
    """
    order, _, _, _ = _form(file)
    fields = dict(_fields(file, _directory(file, page)))

    def value(tag: int, default: int) -> int:
        return _values(file, order, fields[tag])[0] if tag in fields else default

    bits = set(_values(file, order, fields[_BITS])) if _BITS in fields else {1}
    kind = value(_KIND, 1)
    dtype = _DTYPES.get((max(bits), kind))
    if value(_PHOTOMETRIC, 0) not in (1, 2) or len(bits) > 1 or dtype is None:
        return None
    size, width, tile = dtype.itemsize, value(_WIDTH, 0), value(_TILE_WIDTH, 0)
    predictor, has_planes = value(_PREDICTOR, 1), value(_PLANAR, 1) == 2 and fields[_BITS].length > 1
    orientation = value(_ORIENTATION, 1)
    data = page_first(file, page)
    changes = {_WIDTH: width * size, _TILE_WIDTH: tile * size, _BITS: 8, _PREDICTOR: 1, _KIND: 1, _ORIENTATION: 1}
    for tag, number in changes.items():
        if tag in fields:
            _patch(data, order, fields[tag], number)
    return DeepTiff(
        bytes(data), width, dtype, order, predictor, has_planes, tile, orientation if 1 <= orientation <= 8 else 1
    )


def page_size(file: IO[bytes]) -> tuple[int, int, int]:
    """Return width, height and bits a sample of the first page, as its directory has them.

    Raises:
        ValueError: The file is damaged.
    """
    order, *_ = _form(file)
    fields = dict(_fields(file, _directory(file, 0)))
    if not {_WIDTH, _HEIGHT} <= fields.keys():
        raise ValueError("its directory says no size")
    width, height = (_values(file, order, fields[tag])[0] for tag in (_WIDTH, _HEIGHT))
    return width, height, max(_values(file, order, fields[_BITS])) if _BITS in fields else 1


def page_first(file: IO[bytes], page: int) -> bytearray:
    """Return a copy of a TIFF in which a page, counted from 0, is the first.

    Raises:
        ValueError: There is no such page.
    """
    start = _directory(file, page)
    order, word, _, pointer = _form(file)
    file.seek(0)
    data = bytearray(file.read())
    struct.pack_into(order + word, data, pointer, start)
    return data


def _directory(file: IO[bytes], page: int) -> int:
    start = next(itertools.islice(_directories(file), page, None), None)
    if start is None:
        raise ValueError("its directory is cut short")
    return start


def _unpack(file: IO[bytes], code: str, place: int) -> tuple[Any, ...]:
    """Read numbers at a place of a file.

    Raises:
        struct.error: It ends before.
    """
    if place >= 2**62:  # no file is so long, and systems differ in what they say to it
        raise struct.error(f"there is no place {place}")
    file.seek(place)
    return struct.unpack(code, file.read(struct.calcsize(code)))


def _form(file: IO[bytes]) -> tuple[Literal["<", ">"], str, str, int]:
    """Return byte order, the struct codes of a place and of a count of entries, and where the first place is named."""
    file.seek(0)
    order = _ORDERS[file.read(2)]
    (version,) = _unpack(file, f"{order}H", 2)
    return (order, "Q", "Q", 8) if version == 43 else (order, "I", "H", 4)


def _directories(file: IO[bytes]) -> Iterator[int]:
    """Yield where the directories of pages lie; ends at a place that is none, or that was there before."""
    seen: set[int] = set()
    with contextlib.suppress(struct.error, KeyError):
        order, word, counted, pointer = _form(file)
        while True:
            (place,) = _unpack(file, order + word, pointer)
            if place == 0 or place in seen:
                return
            (count,) = _unpack(file, order + counted, place)
            seen.add(place)
            yield place
            pointer = place + struct.calcsize(f"={counted}") + count * (20 if word == "Q" else 12)


def _fields(file: IO[bytes], start: int) -> Iterator[tuple[int, _Field]]:
    order, word, counted, _ = _form(file)
    is_big = word == "Q"
    step = 20 if is_big else 12
    (count,) = _unpack(file, order + counted, start)
    entry = start + (8 if is_big else 2)
    try:
        for place in range(entry, entry + step * min(count, 65535), step):
            tag, kind, number = _unpack(file, f"{order}HH{word}", place)
            code = _CODES.get(kind)
            if code is None:
                continue
            inline = place + (12 if is_big else 8)
            fits = struct.calcsize(f"{order}{code}") * number <= (8 if is_big else 4)
            values = inline if fits else _unpack(file, order + word, inline)[0]
            yield tag, _Field(place, kind, number, values)
    except struct.error as error:
        raise ValueError("its directory is cut short") from error


def _values(file: IO[bytes], order: str, field: _Field) -> tuple[int, ...]:
    # No tag that matters here has more values than an image has channels.
    try:
        values = _unpack(file, f"{order}{min(field.length, 64)}{_CODES[field.kind]}", field.values)
    except (struct.error, OverflowError, OSError) as error:
        raise ValueError("its directory points beyond its end") from error
    if not values:
        raise ValueError("its directory points at nothing")
    return values


def _patch(data: bytearray, order: str, field: _Field, value: int) -> None:
    """Put one number in place of all values of a field."""
    if field.length == 1 and field.kind == 3:  # a short may be too small for a width: there is room for a long
        struct.pack_into(f"{order}H", data, field.entry + 2, 4)
        struct.pack_into(f"{order}I", data, field.values, value)
        return
    struct.pack_into(f"{order}{field.length}{_CODES[field.kind]}", data, field.values, *[value] * field.length)
