"""Encoded packets of one segment in a file: whole under its name, or not there.

    magic │ (pts, duration, is_key, size, bytes)... │ 0xFF │ foot as JSON

No container keeps every time base of every codec exactly; this does. Knows nothing of codecs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pocketsr.errors import VideoFileError
from pocketsr.image import replacing

_MAGIC = b"pocketsr segment 1\n"
_HEAD = struct.Struct("<qqBI")
_FOOT = 0xFF


@dataclasses.dataclass(frozen=True)
class Stored:
    """One encoded packet.

    Attributes:
        pts: When it is shown, in units of the video's time base.
        duration: How long.
        is_key: Whether decoding may begin here.
        data: Its bytes; empty where only times were read.
    """

    pts: int
    duration: int
    is_key: bool
    data: bytes


def write_segment(path: Path, packets: Iterable[Stored], foot: dict[str, Any]) -> None:
    """Write a segment. ``foot`` may be filled while packets are made: it is written after them.

    Raises:
        ImageFileError: The folder may not be written or the disk is full. Nothing is left behind then.
    """
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC)
        for packet in packets:
            file.write(_HEAD.pack(packet.pts, packet.duration, packet.is_key, len(packet.data)))
            file.write(packet.data)
        file.write(_HEAD.pack(0, 0, _FOOT, 0))
        file.write(json.dumps(foot).encode())
        file.flush()
        os.fsync(file.fileno())  # or a power cut might leave its name and nothing in it


def read_segment(path: Path, *, with_data: bool = True) -> Iterator[Stored]:
    """Read the packets of a segment, in the order in which they are decoded.

    Raises:
        VideoFileError: The file is not whole.
    """
    with path.open("rb") as file:
        _check(file, path)
        while (head := _head(file, path))[2] != _FOOT:
            pts, duration, is_key, size = head
            data = file.read(size) if with_data else b""
            if not with_data:
                file.seek(size, 1)
            elif len(data) < size:
                raise _damaged(path)
            yield Stored(pts, duration, bool(is_key), data)


def read_foot(path: Path) -> dict[str, Any]:
    """Read what was written after the packets.

    Raises:
        VideoFileError: The file is not whole.
    """
    with path.open("rb") as file:
        _check(file, path)
        while (head := _head(file, path))[2] != _FOOT:
            file.seek(head[3], 1)
        try:
            foot: dict[str, Any] = json.loads(file.read())
        except ValueError:
            raise _damaged(path) from None
        return foot


def _check(file: BinaryIO, path: Path) -> None:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise _damaged(path)


def _head(file: BinaryIO, path: Path) -> tuple[int, int, int, int]:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise _damaged(path)
    pts, duration, is_key, size = _HEAD.unpack(head)
    return pts, duration, is_key, size


def _damaged(path: Path) -> VideoFileError:
    return VideoFileError(f"{path} is not a whole segment of an unfinished job; remove its folder and begin again")
