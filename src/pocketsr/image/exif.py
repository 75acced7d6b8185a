"""The one EXIF tag that changes pixels: orientation.

The tag is read and reset in place, so that every other byte of the block survives, maker notes with their absolute
offsets included. Knows nothing of the other tags.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Value = TypeVar("_Value", bound=np.generic)

_ORIENTATION_TAG = 0x0112
_PREFIX = b"Exif\0\0"


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
