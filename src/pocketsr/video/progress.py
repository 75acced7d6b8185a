"""How far a video is and how fast it goes. Values only; knows nothing of screens."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a running job stands.

    Attributes:
        frames: Pictures done, those of an earlier run included.
        expected: Pictures in all, as far as the file knows.
        seconds: Wall time so far.
        video_s: Seconds of video done in this run.
        new_frames: Pictures done in this run.
    """

    frames: int
    expected: int | None
    seconds: float
    video_s: float
    new_frames: int

    @property
    def frames_per_second(self) -> float:
        """Pictures a second of wall time.

        >>> Progress(frames=50, expected=100, seconds=5.0, video_s=2.0, new_frames=50).frames_per_second
        10.0
        """
        return self.new_frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def speed(self) -> float:
        """Seconds of video in a second of wall time: 1 is real time."""
        return self.video_s / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds of wall time that are left; None where that is not known."""
        if self.expected is None or self.frames_per_second == 0:
            return None
        return max(0, self.expected - self.frames) / self.frames_per_second

    def to_json(self) -> dict[str, Any]:
        """Return it all as plain values."""
        left = self.left_s
        return {
            "frames": self.frames,
            "expected": self.expected,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.frames_per_second, 3),
            "speed": round(self.speed, 4),
            "left_s": None if left is None else round(left, 1),
        }
