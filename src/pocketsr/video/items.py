"""What travels through the stages: a decoded picture with its time, or a packet that is copied as it is."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture of the video.

    Attributes:
        frame: PyAV's ``VideoFrame``. Its own time is not used: one frame may be shown twice. None between
            the stages where it is that of the picture before.
        pts: When it is shown, in units of the stream's time base.
        duration: How long, likewise; 0 where that is not known.
        is_key: Whether decoding may begin here.
    """

    frame: Any
    pts: int
    duration: int
    is_key: bool = False


@dataclasses.dataclass(frozen=True)
class Copied:
    """A packet of another stream.

    Attributes:
        packet: PyAV's ``Packet``, in the input's time base.
        index: Index of its stream in the input.
    """

    packet: Any
    index: int


Item: TypeAlias = Picture | Copied
