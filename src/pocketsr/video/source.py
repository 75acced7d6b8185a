"""Video in: pictures with their exact times, and the packets of every other stream, in the order of the file.

    container ──demux──┬─ video ──decode──> Picture
                       └─ others ─────────> Copied

A file that is cut off or damaged gives what can be decoded; what could not is counted. Knows nothing of networks or of
outputs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from pocketsr.errors import SettingError, VideoFileError
from pocketsr.video.damage import Damage
from pocketsr.video.formats import is_sequence, pixel_format
from pocketsr.video.items import Copied, Item, Picture
from pocketsr.video.pyav import load_av, words_of
from pocketsr.video.settings import Raw

#: Seconds beyond the wanted end for which packets of other streams are still looked for: streams of a file lie this
#: near each other.
_INTERLEAVE_S = 5.0
#: Attempts to read on after damage before the rest is given up.
_MOST_READ_ERRORS = 16
#: H.264 and others number field orders; 0 is unknown and 1 progressive.
_PROGRESSIVE = (0, 1)


class Source:
    """One video that is read.

    Attributes:
        damage: Grows while items are read.
        time_base: Seconds of a unit of the video's times.
        rate: Pictures a second, on average or as good as it is known.
        frames_before: Pictures that an earlier run has read.
    """

    def __init__(
        self,
        path: str,
        *,
        rate: Fraction | None = None,
        raw: Raw | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        frames: int | None = None,
    ) -> None:
        """Open a video.

        Args:
            path: File, numbered images such as ``frames/%05d.png``, or ``-`` for standard input.
            rate: Pictures a second of numbered images and raw pictures; None means 25.
            raw: What raw pictures are; None for anything with a container.
            start_s: Seconds from the file's beginning at which to begin.
            duration_s: Seconds to read; None reads to the end.
            frames: Pictures to read at most; None reads all.

        Raises:
            VideoFileError: It cannot be opened, has no video, or is interlaced.
            SettingError: A negative time, or a start in a pipe.
        """
        if start_s < 0 or (duration_s is not None and duration_s <= 0) or (frames is not None and frames < 1):
            raise SettingError("--start needs 0 s or more, --duration more than 0 s and --frames 1 or more")
        if start_s and path == "-":
            raise SettingError("a pipe cannot begin at a later time; give --start to what writes it")
        self._av = load_av()
        self.path, self.damage, self.frames_before = path, Damage(), 0
        self.container = self._open(path, rate, raw)
        pictures = [stream for stream in self.container.streams.video if not _is_cover(stream)]
        if not pictures:
            raise VideoFileError(f"{path} has no video; {len(self.container.streams)} other streams came")
        self.video: Any = pictures[0]
        if self.video.codec_context is None:
            raise VideoFileError(f"{path}: there is no decoder for its video here; convert it first")
        if self.video.codec_context.field_order not in _PROGRESSIVE:
            raise VideoFileError(_INTERLACED.format(path))
        self.video.codec_context.thread_type = "AUTO"
        self.time_base: Fraction = self.video.time_base
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        self._start_s, self._duration_s, self._most = start_s, duration_s, frames
        self._origin_s = (self.container.start_time or 0) / 1_000_000
        self._is_cut = False

    def _open(self, path: str, rate: Fraction | None, raw: Raw | None) -> Any:
        options, form = {}, None
        if raw is not None:
            form = "rawvideo"
            options = {"video_size": f"{raw.width}x{raw.height}", "framerate": str(rate or 25)}
            options["pixel_format"] = pixel_format(raw.pixel_format).name
        elif path != "-" and is_sequence(path):
            form, options = "image2", {"framerate": str(rate or 25), "start_number_range": "100000"}
        elif rate is not None:
            raise SettingError("--rate is for numbered images and raw pictures; a video has its own times")
        if path != "-" and form != "image2" and not Path(path).is_file():
            raise VideoFileError(
                f"cannot read {path}: {'a folder' if Path(path).is_dir() else 'there is no such file'}"
            )
        try:
            file = sys.stdin.buffer if path == "-" else path
            return self._av.open(file, "r", format=form, container_options=options, metadata_errors="replace")
        except (self._av.error.FFmpegError, OSError) as error:
            raise VideoFileError(f"cannot read {path}: {words_of(error)}; is it a whole video file?") from error

    @property
    def others(self) -> list[Any]:
        """Every stream but the video that is enlarged."""
        return [stream for stream in self.container.streams if stream.index != self.video.index]

    @property
    def duration_s(self) -> float | None:
        """Seconds that will be read, as far as the file knows; None for a pipe."""
        whole = None
        if self.video.duration:
            whole = float(self.video.duration * self.time_base)
        elif self.container.duration:
            whole = self.container.duration / 1_000_000
        if self._most is not None:
            counted = float(self._most / self.rate)
            whole = counted if whole is None else min(whole, self._start_s + counted)
        if whole is None:
            return self._duration_s
        return max(0.0, min(whole - self._start_s, self._duration_s or whole))

    @property
    def expected_frames(self) -> int | None:
        """Pictures that will be read, as far as the file knows."""
        if self._most is None and self._duration_s is None and not self._start_s and self.video.frames:
            return int(self.video.frames)
        seconds = self.duration_s
        return None if seconds is None else round(seconds * self.rate)

    def shift(self, time_base: Fraction) -> int:
        """Return what is taken off times of a time base, so that the start asked for becomes the file's beginning."""
        return round(self._start_s / time_base)

    def items(self, copied: frozenset[int] = frozenset(), *, resume_at: int | None = None) -> Iterator[Item]:
        """Read pictures and packets in the order of the file.

        Args:
            copied: Indices of the streams whose packets are wanted.
            resume_at: Begin with the picture of this time (in the output); None with the first.

        Yields:
            Pictures in the order of their times, which start at what ``--start`` leaves of them, and packets.

        Raises:
            VideoFileError: The video is interlaced, or ``resume_at`` is not found again.
        """
        first = self._bound(self._start_s) if self._start_s else None
        if resume_at is not None:
            first = resume_at + self.shift(self.time_base)
        last = None if self._duration_s is None else self._bound(self._start_s + self._duration_s)
        if first is not None:
            self._seek(first)
        held: deque[Any] = deque()  # packets whose place before or after the last picture is not known yet
        waiting: Picture | None = None  # how long a picture is shown is known from the next
        count, is_over = 0, False
        for packet in self._packets(copied):
            if packet.stream.index != self.video.index:
                if not (packet.size or packet.dts is not None):
                    continue
                if self._most is not None and not is_over:
                    held.append(packet)
                elif self._is_wanted(packet):
                    yield self._shifted(packet)
                continue
            if is_over:
                if not copied or self._is_past(packet):
                    break
                continue
            for frame in self._decoded(packet):
                pts = self._time_of(frame, None if waiting is None else waiting.pts)
                if first is not None and pts < first:
                    continue
                if resume_at is not None and count == 0 and pts != first:
                    raise self._is_gone(resume_at)
                if waiting is not None:
                    yield self._placed(waiting, pts)
                    waiting = None if count == self._most else waiting
                if (last is not None and pts >= last) or count == self._most:
                    waiting, is_over = None, True
                    self._end_at(pts)
                    break
                self._check_progressive(frame, is_first=count == 0)
                count += 1
                waiting = Picture(frame, pts, frame.duration or 0, bool(frame.key_frame))
            while held and waiting is not None and self._time_s(held[0]) < float(waiting.pts * self.time_base):
                yield self._shifted(held.popleft())
            if is_over and not copied:
                break
            if is_over:
                yield from (self._shifted(packet) for packet in held if self._is_wanted(packet))
                held.clear()
        if resume_at is not None and count == 0:
            raise self._is_gone(resume_at)
        if waiting is not None:
            yield self._placed(waiting, None)
            yield from (self._shifted(packet) for packet in held if self._is_wanted(packet))
            if not self._start_s and self._most is None and last is None:
                last_s = float(waiting.pts * self.time_base)
                self.damage.count_missing(
                    self.frames_before + count, self.video.frames or 0, self.video.metadata, last_s, self.rate
                )

    def _is_gone(self, pts: int) -> VideoFileError:
        return VideoFileError(f"{self.path} has no picture at {pts} any more; remove the unfinished job")

    def copied_items(self, copied: frozenset[int], *, end_pts: int | None = None) -> Iterator[Copied]:
        """Read only the packets of other streams, up to the time of the output at which its pictures end."""
        if not copied:
            return
        if self._most is not None and end_pts is not None:
            self._end_at(end_pts + self.shift(self.time_base))
        if self._start_s:
            self._seek(self._bound(self._start_s))
        for packet in self._packets(copied, with_video=False):
            if (packet.size or packet.dts is not None) and self._is_wanted(packet):
                yield self._shifted(packet)

    def _placed(self, picture: Picture, next_pts: int | None) -> Picture:
        """Return a picture in the output's time, shown until the next one; the last one until the video's end."""
        duration = picture.duration
        if next_pts is not None:
            gap = next_pts - picture.pts
            duration = duration if abs(duration - gap) <= 1 else gap  # Matroska rounds times and durations apart
        elif self.video.duration and self.video.start_time is not None:
            to_end = int(self.video.start_time + self.video.duration) - picture.pts
            # A file that was cut off promises an end that its last picture has nothing to do with.
            duration = to_end if 0 < to_end <= 4 * max(duration, self._step) else duration
        return dataclasses.replace(picture, pts=picture.pts - self.shift(self.time_base), duration=duration)

    def _end_at(self, pts: int) -> None:
        """Remember where the part that is wanted ends, for the other streams."""
        if self._duration_s is None:
            self._duration_s = float(pts * self.time_base) - self._start_s - self._origin_s

    @property
    def _step(self) -> int:
        """Units of time from picture to picture, about."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _packets(self, copied: frozenset[int], *, with_video: bool = True) -> Iterator[Any]:
        """Demultiplex, over damage where reading can go on."""
        streams = [stream for stream in self.others if stream.index in copied]
        streams += [self.video] if with_video else []
        errors = 0
        while True:
            try:
                yield from self.container.demux(streams)
            except self._av.error.FFmpegError as error:
                self.damage.words = words_of(error)
                errors += 1
                if errors < _MOST_READ_ERRORS:
                    continue
                last = self._av.Packet()  # an empty packet brings what the decoder still holds
                last.stream = self.video
                yield last
            return

    def _decoded(self, packet: Any) -> list[Any]:
        if packet.is_corrupt:
            self.damage.corrupt += 1
        try:
            frames = list(packet.decode())
        except self._av.error.FFmpegError:
            if packet.size:
                self.damage.packets += 1
            return []
        self.damage.corrupt += sum(bool(frame.is_corrupt) for frame in frames)
        return frames

    def _time_of(self, frame: Any, previous: int | None) -> int:
        """Return when a frame is shown: what the file says, or right after the one before."""
        if frame.pts is None:
            self.damage.moved += previous is not None
            return 0 if previous is None else previous + self._step
        if previous is not None and frame.pts <= previous:
            self.damage.moved += 1
            return previous + 1
        return int(frame.pts)

    def _check_progressive(self, frame: Any, *, is_first: bool) -> None:
        if frame.interlaced_frame and is_first:
            raise VideoFileError(_INTERLACED.format(self.path))

    def _bound(self, seconds: float) -> int:
        """Return the first unit of the video's time that is not before some seconds from the file's beginning."""
        exact = (Fraction(seconds).limit_denominator(1_000_000) + Fraction(self._origin_s)) / self.time_base
        return -int(-exact // 1)

    def _seek(self, first: int) -> None:
        """Go to a keyframe before a time: one more back than needed, as pictures may lean on the group before."""
        with contextlib.suppress(self._av.error.FFmpegError):
            # Without an index it is read from the beginning, and what comes before is left out. Some demuxers go by
            # the time of decoding, which is earlier: a second is more than pictures are ever reordered.
            self.container.seek(first - round(1 / self.time_base), stream=self.video, backward=True)

    def _is_wanted(self, packet: Any) -> bool:
        """Whether a packet of another stream lies between start and end."""
        if _is_cover(packet.stream) or (not self._start_s and self._duration_s is None):
            return True
        seconds = self._time_s(packet) - self._origin_s
        return seconds >= self._start_s and (self._duration_s is None or seconds < self._start_s + self._duration_s)

    def _time_s(self, packet: Any) -> float:
        time = packet.pts if packet.pts is not None else packet.dts
        return 0.0 if time is None else float(time * packet.time_base)

    def _is_past(self, packet: Any) -> bool:
        if packet.dts is None or self._duration_s is None:
            return packet.dts is None
        seconds = float(packet.dts * packet.time_base) - self._origin_s
        return seconds > self._start_s + self._duration_s + _INTERLEAVE_S

    def _shifted(self, packet: Any) -> Copied:
        if self._start_s and not _is_cover(packet.stream):
            shift = self.shift(packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        return Copied(packet, packet.stream_index)


_INTERLACED = (
    "{} is interlaced: its pictures are two half pictures of different times; deinterlace it first, "
    "as with ffmpeg -vf bwdif"
)


def _is_cover(stream: Any) -> bool:
    """Whether a stream is a picture on the cover and no video."""
    return stream.type == "video" and bool(int(stream.disposition) & 0x400)
