"""What of a video could not be had, counted and in words. Knows nothing of how it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction

#: Pictures at the end of a whole file that a decoder may swallow.
_SWALLOWED = 2


@dataclasses.dataclass
class Damage:
    """What of an input could not be had.

    Attributes:
        packets: Packets of the video that could not be decoded.
        corrupt: Pictures that the decoder marked as damaged. They are kept.
        missing: Pictures that the file promises and does not have; None where it promises nothing.
        words: What reading said where it ended early.
        moved: Pictures whose time was missing or not after the one before, and was put after it.
    """

    packets: int = 0
    corrupt: int = 0
    missing: int | None = None
    words: str = ""
    moved: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """All of it in words for the user; empty where the input was whole."""
        notes = []
        if self.packets:
            notes.append(f"{self.packets} packets of the video could not be decoded")
        if self.corrupt:
            notes.append(f"{self.corrupt} pictures are damaged and were kept")
        if self.words:
            notes.append(f"reading ended early: {self.words}")
        if self.missing:
            notes.append(f"{self.missing} pictures that the file promises are missing")
        return tuple(notes)

    def count_missing(
        self, count: int, promised: int, metadata: Mapping[str, str], last_s: float | None, rate: Fraction
    ) -> None:
        """Compare what came with what the container promises.

        Args:
            count: Pictures that came.
            promised: Pictures that the container says there are; 0 where it does not.
            metadata: Of the stream: Matroska says there how long it is.
            last_s: When the last picture is shown, seconds.
            rate: Pictures a second.
        """
        if not promised:
            seconds = _tagged_seconds(metadata)
            if seconds is None or last_s is None:
                return
            promised = count + max(0, round((seconds - last_s) * rate) - 1)
        missing = promised - count
        if missing > _SWALLOWED or (missing > 0 and (self.packets or self.words)):
            self.missing = missing


def _tagged_seconds(metadata: Mapping[str, str]) -> float | None:
    """Return how long Matroska says a stream is."""
    for name, value in metadata.items():
        if name.upper().startswith("DURATION"):
            try:
                hours, minutes, seconds = value.split(":")
                return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            except ValueError:
                return None
    return None
