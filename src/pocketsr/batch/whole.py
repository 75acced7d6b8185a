"""Whether an image file is whole, without taking its word for it."""

from __future__ import annotations

from pathlib import Path

from pocketsr.batch.sizes import image_size
from pocketsr.errors import PocketsrError
from pocketsr.image import read_image
from pocketsr.image.writing import STREAM_PIXELS

#: How files of the formats that are written in pieces end, by how they begin.
_ENDS = {b"\x89PNG": b"\0\0\0\0IEND\xae\x42\x60\x82", b"\xff\xd8\xff": b"\xff\xd9"}


def is_whole(path: Path, size: tuple[int, int]) -> bool:
    """Whether an image has a size, lying or standing, and is all there.

    It is decoded to its end. Of one that may be too large to hold, made in pieces as it was, only the end is looked
    for: it is written last.

    Args:
        path: The image.
        size: Its width and height, in either order: the orientation may be said in the file or be applied.
    """
    made = image_size(path)
    if made is None or sorted(made) != sorted(size):
        return False
    try:
        if made[0] * made[1] > STREAM_PIXELS:
            with path.open("rb") as file:
                start = file.read(4)
                for mark, end in _ENDS.items():
                    if start.startswith(mark):
                        file.seek(-len(end), 2)
                        return file.read() == end
        read_image(path, max_pixels=None)
    except (PocketsrError, OSError):
        return False
    return True
