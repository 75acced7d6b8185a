"""Small clips that tests make, what they are read back as, and a model that only repeats pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.runtime import Upscaler
from pocketsr.runtime.backend import Backend, Session
from pocketsr.runtime.pixels import Pixels
from pocketsr.spec import ModelSpec

HEIGHT, WIDTH = 32, 48


class NearestSession(Session):
    """Repeats every pixel, and counts the pictures it was given."""

    def __init__(self, spec: ModelSpec, on_run: Callable[[], None] | None) -> None:
        super().__init__(spec)
        self.runs = 0
        self._on_run = on_run

    def _run(self, batch: Pixels, out: Pixels) -> None:
        self.runs += 1
        if self._on_run is not None:
            self._on_run()
        out[...] = batch.repeat(self.spec.scale, axis=1).repeat(self.spec.scale, axis=2)


@dataclasses.dataclass
class NearestBackend(Backend):
    scale: int = 2
    channels: int = 3
    receptive_field: int = 2
    on_run: Callable[[], None] | None = None
    name = "nearest"

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        del path, threads
        spec = ModelSpec(
            name="nearest",
            network="nearest",
            scale=self.scale,
            precision="int8",
            receptive_field=self.receptive_field,
            channels=self.channels,
        )
        return NearestSession(spec, self.on_run)


def nearest(*, threads: int = 1, **settings: Any) -> Upscaler:
    """Return the fake; with one thread it has no twin, and its session sees every run."""
    return Upscaler("nearest.tflite", backend=NearestBackend(**settings), threads=threads)


def noise(index: int, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """One picture of smooth shapes that move."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [
        127 + 120 * np.sin((rows + index * 2) / (4 + c) + c) * np.cos((columns - index) / (5 + c)) for c in range(3)
    ]
    return np.stack(waves, axis=2).astype(np.uint8)


def write_clip(
    path: Path,
    times: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 12800),
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    form: str = "yuv420p",
    last_duration: int | None = None,
    pictures: Callable[[int], npt.NDArray[Any]] = noise,
    audio: Sequence[str] = (),
    audio_start_s: float = 0.0,
    subtitles: str = "",
    rotation: float | None = None,
    colour: tuple[int, int, int, int] | None = None,
    aspect: Fraction | None = None,
    metadata: dict[str, str] | None = None,
    chapters: list[dict[str, Any]] | None = None,
    attachment: bytes = b"",
    options: dict[str, str] | None = None,
    picture_format: str = "rgb24",
) -> Path:
    """Write a clip whose pictures are shown at ``times``, units of ``time_base``."""
    import av

    first = pictures(0)
    with av.open(str(path), "w", metadata_errors="strict") as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height, video.pix_fmt = first.shape[1], first.shape[0], form
        video.codec_context.time_base = video.time_base = time_base
        if colour is not None:
            context = video.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = colour
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            video.set_display_rotation(rotation)
        sounds = []
        for language in audio:
            sound = container.add_stream("aac", rate=48000)
            sound.metadata["language"] = language
            sounds.append(sound)
        words = None
        if subtitles:
            words = container.add_mux_stream(subtitles, time_base=Fraction(1, 1000))
            words.metadata["language"] = "eng"
        if attachment:
            container.add_attachment("font.ttf", "font/ttf", attachment)
        if chapters:
            container.set_chapters(chapters)
        durations = {}
        packets = []
        for index, pts in enumerate(times):
            gap = times[index + 1] - pts if index + 1 < len(times) else last_duration or times[-1] - times[-2]
            durations[pts] = gap
            frame = av.VideoFrame.from_ndarray(pictures(index), format=picture_format)
            if frame.format.name != form:
                frame = frame.reformat(format=form)
            frame.pts, frame.time_base = pts, time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        for packet in packets:
            packet.duration = durations[packet.pts]
        length_s = float((times[-1] + durations[times[-1]] - times[0]) * time_base)
        for sound in sounds:
            packets += _sound(sound, length_s, audio_start_s)
        if words is not None:
            for number in range(2):
                packet = av.Packet(f"words {number}".encode())
                packet.stream, packet.time_base = words, Fraction(1, 1000)
                packet.pts = packet.dts = 100 + 200 * number
                packet.duration = 150
                packets.append(packet)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def _sound(stream: Any, length_s: float, start_s: float) -> list[Any]:
    import av

    packets = []
    for index in range(int(length_s * 48000) // 1024 + 1):
        samples = np.sin((np.arange(1024) + 1024 * index) / 20).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        frame.pts, frame.time_base = 1024 * index + round(start_s * 48000), Fraction(1, 48000)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


@dataclasses.dataclass(frozen=True)
class Track:
    """A stream as it is read back: times and durations in seconds, and the packets' bytes where it is no video."""

    kind: str
    codec: str
    times: tuple[float, ...]
    durations: tuple[float, ...]
    data: tuple[bytes, ...]
    language: str
    length_s: float


def tracks(path: Path) -> list[Track]:
    """Read every stream of a file."""
    import av

    with av.open(str(path)) as container:
        packets: dict[int, list[Any]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux():
            if packet.pts is not None:
                packets[packet.stream_index].append(packet)
        found = []
        for stream in container.streams:
            mine = sorted(packets[stream.index], key=lambda packet: packet.pts)
            found.append(
                Track(
                    kind=stream.type,
                    codec=getattr(stream, "name", "") or "",
                    times=tuple(float(packet.pts * packet.time_base) for packet in mine),
                    durations=tuple(float((packet.duration or 0) * packet.time_base) for packet in mine),
                    data=() if stream.type == "video" else tuple(bytes(packet) for packet in mine),
                    language=stream.metadata.get("language", ""),
                    length_s=float((stream.duration or 0) * (stream.time_base or 0)),
                )
            )
        return found


def frames(path: Path) -> list[Any]:
    """Decode every picture of a file's video."""
    import av

    with av.open(str(path)) as container:
        return list(container.decode(video=0))
