"""EXIF data kept true: the orientation that is applied to pixels, the size that changes, the thumbnail that is old.

Tags are read and set in place, so that every other byte of the block survives, maker notes with their absolute offsets
included. Knows nothing of the other tags.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Fields = dict[int, tuple[int, int]]
_Value = TypeVar("_Value", bound=np.generic)

_ORIENTATION_TAG = 0x0112
_PREFIX = b"Exif\0\0"
_SIZE_TAGS = ((0x0100, 0x0101), (0xA002, 0xA003))  # of the main picture: (width, height)
_RESOLUTION_TAGS = (0x011A, 0x011B)
_DIRECTORY_TAG = 0x8769
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SHORT, _LONG, _RATIONAL = 3, 4, 5


def split_orientation(block: bytes) -> tuple[int, bytes]:
    r"""Take the orientation out of an EXIF block.

    Args:
        block: As a file holds it, with or without the leading ``Exif\0\0`` of JPEG files.

    Returns:
        The orientation, 1 to 8 (1, upright, where the block does not say or is damaged), and the block without prefix
        with the orientation set to 1.

    Source:
        CIPA DC-008 (Exif 2.32), §4.6.4 A; TIFF 6.0, §2, for the layout of a directory.

    >>> one_tag = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    >>> orientation, upright = split_orientation(b"Exif\0\0" + one_tag)
    >>> orientation, split_orientation(upright)[0], len(upright) == len(one_tag)
    (6, 1, True)
    """
    block = block.removeprefix(_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1, block
    try:
        (directory,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, directory)
        for position in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", block, position)
            if tag == _ORIENTATION_TAG:
                # SHORT by the standard; some writers use LONG.
                value = f"{order}I" if kind == 4 else f"{order}H"
                (orientation,) = struct.unpack_from(value, block, position + 8)
                if not 1 <= orientation <= 8:
                    return 1, block
                upright = bytearray(block)
                struct.pack_into(value, upright, position + 8, 1)
                return orientation, bytes(upright)
    except struct.error:  # the block ends before what it announces
        pass
    return 1, block


def resize_exif(block: bytes, *, width: int, height: int, factors: tuple[float, float]) -> bytes:
    """Make an EXIF block say the size of an enlarged picture, and forget the thumbnail of the old one.

    Args:
        block: Without prefix.
        width: New columns.
        height: New rows.
        factors: New size over old, horizontal and vertical: pixels per inch grow with it.

    Returns:
        The block; as it was where it is damaged.

    Source:
        CIPA DC-008 (Exif 2.32), §4.5 (thumbnails), §4.6.3 B (resolution), §4.6.5 C (size).
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return block
    made = bytearray(block)
    try:
        (first,) = struct.unpack_from(f"{order}I", made, 4)
        fields = _fields(made, order, first)
        _drop_thumbnail(made, order, first)
        inner: _Fields = {}
        if _DIRECTORY_TAG in fields:
            (start,) = struct.unpack_from(f"{order}I", made, fields[_DIRECTORY_TAG][0] + 8)
            inner = _fields(made, order, start)
        for found in (fields, inner):
            for tags in _SIZE_TAGS:
                for tag, size in zip(tags, (width, height), strict=True):
                    if tag in found:
                        struct.pack_into(f"{order}HII", made, found[tag][0] + 2, _LONG, 1, size)
        for tag, factor in zip(_RESOLUTION_TAGS, factors, strict=True):
            place, kind = fields.get(tag, (0, 0))
            if kind == _RATIONAL:
                (place,) = struct.unpack_from(f"{order}I", made, place + 8)
                above, below = struct.unpack_from(f"{order}II", made, place)
                if below and 0 < above / below * factor < 4e6:
                    struct.pack_into(f"{order}II", made, place, round(above / below * factor * 1000), 1000)
    except struct.error:  # the block ends before what it announces
        return block
    return bytes(made)


def _fields(block: bytearray, order: str, directory: int) -> _Fields:
    """Return where each tag's entry of 12 bytes lies, and its type."""
    (entries,) = struct.unpack_from(f"{order}H", block, directory)
    found = {}
    for position in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", block, position)
        found[tag] = (position, kind)
    return found


def _drop_thumbnail(block: bytearray, order: str, first: int) -> None:
    """Unlink the second directory, and take its picture away: cut it off where it is last, else black it out."""
    (entries,) = struct.unpack_from(f"{order}H", block, first)
    link = first + 2 + 12 * entries
    (second,) = struct.unpack_from(f"{order}I", block, link)
    if not second:
        return
    struct.pack_into(f"{order}I", block, link, 0)
    fields = _fields(block, order, second)
    if _THUMBNAIL_START in fields and _THUMBNAIL_LENGTH in fields:
        (start,) = struct.unpack_from(f"{order}I", block, fields[_THUMBNAIL_START][0] + 8)
        (length,) = struct.unpack_from(f"{order}I", block, fields[_THUMBNAIL_LENGTH][0] + 8)
        stop = min(start + length, len(block))
        if start >= 8 and stop == len(block):
            del block[start:]
        elif start >= 8:
            block[start:stop] = bytes(max(0, stop - start))


def turn_upright(image: npt.NDArray[_Value], orientation: int) -> npt.NDArray[_Value]:
    """Turn and mirror an image as its EXIF orientation asks.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` as stored.
        orientation: 1 to 8.

    Returns:
        The upright image, contiguous; 5 to 8 swap height and width.

    >>> turn_upright(np.array([[1, 2, 3]]), 6).tolist()  # a phone held upright
    [[1], [2], [3]]
    """
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    # What is left after the swap: 2 and 6 mirror left and right, 4 and 8 mirror top and bottom, 3 and 7 do both.
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
