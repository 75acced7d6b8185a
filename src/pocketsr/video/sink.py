"""Video out: pictures encoded at the times they came with, and every other stream copied as it is.

    Picture ──encoder──┐
                       ├──> container ──> temporary file ──rename──> OUT
    Copied  ───────────┘

Knows nothing of decoding or networks.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketsr.errors import OutputExistsError, SettingError, VideoFileError
from pocketsr.image import replacing
from pocketsr.video.formats import container_of, pixel_format
from pocketsr.video.items import Copied, Item, Picture
from pocketsr.video.pyav import load_av, words_of
from pocketsr.video.target import Target

#: Metadata that describes the file that was, and not the video.
_STALE = (
    *("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "vendor_id"),
    *("_statistics", "bps", "number_of_frames", "number_of_bytes", "bit_rate", "bitrate"),
)
#: Tags that MP4 has a place for by itself.
_MP4_TAGS = (
    *("title", "artist", "album", "album_artist", "comment", "date", "genre", "copyright", "description", "composer"),
    *("grouping", "lyrics", "synopsis", "show", "network", "track", "creation_time"),
)
#: How names of encoders end that are made of hardware.
_HARDWARE = ("_nvenc", "_qsv", "_amf", "_v4l2m2m", "_videotoolbox", "_mf", "_vulkan")
#: Tracks of MP4 that its writer makes anew from what it is told: titles of chapters, and the time code.
_REMADE = ("bin_data", "tmcd")


class Sink:
    """An output that is being written."""

    def __init__(self, target: Target, source: Any, file: Any, *, drop_streams: bool) -> None:
        """Open an output and give it every stream of the source.

        Args:
            target: The plan.
            source: The ``Source``, for its other streams, chapters and metadata.
            file: Name of the file to write, or a stream.
            drop_streams: Leave out what the container cannot hold.

        Raises:
            VideoFileError: The container cannot hold a stream and ``drop_streams`` is false, or the encoder refuses.
        """
        self._av = load_av()
        self.target, self._source = target, source
        self.notes: list[str] = []
        options = {"strict": "-1"} if target.container == "yuv4mpegpipe" else {}
        if target.container == "image2":
            options["atomic_writing"] = "1"
        if target.container in ("mp4", "mov") and _has_own_tags(source.container.metadata):
            options["movflags"] = "use_metadata_tags"
        asked = dict(target.container_options)
        if "movflags" in asked and "movflags" in options:
            asked["movflags"] = f"{options['movflags']}+{asked['movflags'].lstrip('+')}"
        options |= asked
        self._container = self._av.open(file, "w", format=target.container, container_options=options)
        self._stream = self._add_video()
        self._copies: dict[int, Any] = {}
        self._durations: dict[int, int] = {}
        self._count, self._first_s = 0, 0.0
        self._shown: tuple[int, int] | None = None
        self._first_dts = 0
        self._copy_facts()
        self._add_others(drop_streams=drop_streams)

    @property
    def copied(self) -> frozenset[int]:
        """Indices of the source's streams whose packets are wanted."""
        return frozenset(self._copies)

    def start(self) -> None:
        """Open the encoder and write the head of the file.

        Raises:
            VideoFileError: The encoder or the container refuses.
        """
        try:
            self._container.start_encoding()
        except (self._av.error.FFmpegError, ValueError) as error:
            raise VideoFileError(
                f"cannot write {self.target.name} with {self.target.codec} in {self.target.container}: "
                f"{words_of(error)}{_on_hardware(self.target.codec)}{_on_sides(self.target)}; "
                "choose another encoder with -c or another ending"
            ) from error
        refuse_unknown(self.target.codec, self._stream.codec_context)

    def write_one(self, item: Item) -> None:
        """Encode a picture or copy a packet."""
        if isinstance(item, Picture):
            self._mux(self.encode(item))
        else:
            self.copy(item)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(self.encode(None))

    def encode(self, picture: Picture | None) -> list[Any]:
        """Encode one picture; None brings the encoder's last packets."""
        if picture is None:
            packets = self._stream.encode(None)
        else:
            pts = self._time(picture)
            picture.frame.pts, picture.frame.time_base = pts, self._stream.codec_context.time_base
            picture.frame.pict_type = 0  # the encoder decides what is a keyframe
            if picture.duration:
                self._durations[pts] = picture.duration
            packets = self._stream.encode(picture.frame)
        for packet in packets:
            if not self.target.has_one_rate:
                # Many encoders leave it out, and the last picture would be shown for no time.
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
                self._remember(packet)
        if picture is None and packets and self._shown and self.target.container in ("mp4", "mov"):
            # MP4 stores steps between times of decoding; the last one makes the track as long as it is shown.
            last = packets[-1]
            last.duration = max(1, (self._shown[1] - self._shown[0]) - (last.dts - self._first_dts))
        return list(packets)

    def _remember(self, packet: Any) -> None:
        """Keep when the video begins and ends."""
        if self._shown is None:
            self._shown, self._first_dts = (packet.pts, packet.pts + packet.duration), packet.dts
        self._shown = min(self._shown[0], packet.pts), max(self._shown[1], packet.pts + packet.duration)

    def mux_encoded(self, packet: Any) -> None:
        """Write a packet of the video that was encoded before."""
        packet.stream = self._stream
        self._mux([packet])

    def copy(self, item: Copied) -> None:
        """Copy a packet of another stream."""
        stream = self._copies.get(item.index)
        if stream is not None:
            item.packet.stream = stream
            self._mux([item.packet])

    def close(self) -> None:
        """Write the end of the file."""
        try:
            self._container.close()
        except self._av.error.FFmpegError as error:
            raise VideoFileError(f"cannot write {self.target.name}: {words_of(error)}") from error

    def _mux(self, packets: list[Any]) -> None:
        try:
            for packet in packets:
                self._container.mux(packet)
        except self._av.error.FFmpegError as error:
            if isinstance(error, OSError) and error.errno == 32:
                raise BrokenPipeError(32, "the reader of the output went away") from error
            raise VideoFileError(f"cannot write {self.target.name}: {words_of(error)}") from error

    def _time(self, picture: Picture) -> int:
        """Return a picture's time: the one it came with, or its number where the output only counts."""
        if not self.target.has_one_rate:
            return picture.pts
        seconds = float(picture.pts * self.target.time_base)
        self._first_s = seconds if self._count == 0 else self._first_s
        expected = self._first_s + float(self._count / self.target.rate)
        if abs(seconds - expected) > 1.5 / float(self.target.rate) and not self._has_noted_rate:
            self._has_noted_rate = True
            self.notes.append(
                f"the times of pictures are not even and {self.target.name} has only a rate "
                f"({float(self.target.rate):g} a second); write .mkv or .mp4 to keep them"
            )
        self._count += 1
        return self._count - 1

    _has_noted_rate = False

    def _add_video(self) -> Any:
        target = self.target
        try:
            stream = self._container.add_stream(target.codec, rate=target.rate, options=dict(target.options))
        except ValueError as error:
            raise VideoFileError(
                f"{target.container} cannot hold {target.codec}; choose another encoder with -c or another ending"
            ) from error
        target.configure(stream.codec_context)
        stream.time_base = stream.codec_context.time_base
        if target.rotation is not None:
            stream.set_display_matrix(target.rotation)
        return stream

    def _copy_facts(self) -> None:
        """Copy metadata, chapters and what is said of the video's own stream."""
        source = self._source
        self._container.metadata.update(_lasting(source.container.metadata))
        self._stream.metadata.update(_lasting(source.video.metadata))
        self._stream.disposition = source.video.disposition
        if self.target.has_one_rate:
            return
        chapters = []
        for chapter in source.container.chapters():
            shift = source.shift(chapter["time_base"])
            if chapter["end"] > shift:
                start = max(0, chapter["start"] - shift) if shift else chapter["start"]
                chapters.append({**chapter, "start": start, "end": chapter["end"] - shift})
        if chapters:
            self._container.set_chapters(chapters)

    def _add_others(self, *, drop_streams: bool) -> None:
        dropped = []
        for stream in self._source.others:
            kind, name = stream.type, getattr(stream, "name", None) or "unknown"
            if self.target.has_one_rate:
                dropped.append(f"{kind} ({name})")
                continue
            if kind == "data" and (name in _REMADE or self._source.container.format.name.startswith("mov")):
                continue
            try:
                self._copies[stream.index] = self._copy_of(stream)
            except ValueError:
                if not drop_streams:
                    raise VideoFileError(
                        f"{self.target.container} cannot hold stream {stream.index} of the input, {kind} ({name}); "
                        "write .mkv, which holds most, or add --drop-streams"
                    ) from None
                dropped.append(f"{kind} ({name})")
        if dropped:
            self.notes.append(f"left out, as {self.target.container} cannot hold them: {', '.join(dropped)}")

    def _copy_of(self, stream: Any) -> Any:
        """Give the output a stream like one of the input; ``ValueError`` where it cannot hold it."""
        if stream.type == "attachment" and self.target.container != "matroska":
            raise ValueError
        if stream.type == "data" and self.target.container not in ("mpegts", "matroska", "mov", "nut"):
            raise ValueError
        copy = self._container.add_stream_from_template(stream, opaque=True)
        copy.metadata.update(_lasting(stream.metadata))
        copy.disposition = stream.disposition
        copy.time_base = stream.time_base
        return copy


def _on_hardware(codec: str) -> str:
    """Return what may be wrong with an encoder that needs hardware."""
    return " (it needs hardware that this machine may not have)" if codec.endswith(_HARDWARE) else ""


def _on_sides(target: Target) -> str:
    """Return what may be wrong with a pixel format that was asked for."""
    form = pixel_format(target.pixel_format)
    if target.width % form.across == 0 and target.height % form.down == 0:
        return ""
    return f" ({form.name} may want even sides, and {target.width}×{target.height} came: leave out --pix-fmt)"


def refuse_unknown(codec: str, context: Any) -> None:
    """Say which options an encoder that was opened did not know.

    Raises:
        SettingError: There are some.
    """
    if context.options:
        raise SettingError(
            f"the encoder {codec} has no option {', '.join(context.options)}; see ffmpeg -h encoder={codec}"
        )


@contextlib.contextmanager
def opened(name: str, *, overwrite: bool) -> Iterator[Any]:
    """Give what a container is written to: a temporary name that becomes the output's, a pipe, or numbered images.

    Raises:
        OutputExistsError: The output is there and ``overwrite`` is false.
        ImageFileError: It cannot be written.
        VideoFileError: The folder of numbered images is not there.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif container_of(name) == "image2":
        first = Path(name % 1)
        if not first.parent.is_dir():
            raise VideoFileError(f"cannot write {name}: the folder {first.parent} does not exist; create it first")
        if first.exists() and not overwrite:
            raise OutputExistsError(f"{first} is there already; choose another name or add --overwrite to replace it")
        yield name
    else:
        with replacing(Path(name), overwrite=overwrite) as temporary:
            yield str(temporary)


def _lasting(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if not name.lower().startswith(_STALE)}


def _has_own_tags(metadata: dict[str, str]) -> bool:
    """Whether there are tags beyond those that MP4 has a place for by itself."""
    return any(name.lower() not in _MP4_TAGS and not name.lower().startswith(_STALE) for name in metadata)
