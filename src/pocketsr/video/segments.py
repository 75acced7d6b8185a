"""Long jobs in segments: what a killed run had finished is not done again.

    pictures ──> segment 0, 1, 2 ... each encoded by itself, in a folder beside OUT
    segments ──join──> OUT, with every other stream copied

A segment begins with a keyframe of its own encoder and depends on nothing but its pictures, so a job that was killed
and resumed gives the packets of one that was not. Knows nothing of the command line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr.errors import SettingError, VideoFileError
from pocketsr.image import replacing
from pocketsr.runtime import Target as Size
from pocketsr.runtime import Upscaler
from pocketsr.video.damage import Damage
from pocketsr.video.items import Item, Picture
from pocketsr.video.job import Meter, OnProgress, VideoResult, crew_for, first_picture, hints, refuse_input_as_output
from pocketsr.video.packets import Stored, read_foot, read_segment, write_segment
from pocketsr.video.pyav import load_av, words_of
from pocketsr.video.settings import Encoding
from pocketsr.video.sink import Sink, opened, refuse_unknown
from pocketsr.video.source import Source
from pocketsr.video.stages import overlapped
from pocketsr.video.target import Target

#: Pictures of a segment, about: it ends at the next keyframe of the input, or at twice as many.
SEGMENT_FRAMES = 240
#: libavformat's sign of a container that wants the encoder's head apart, and libavcodec's way to make it so.
_WANTS_HEAD, _MAKES_HEAD = 0x40, 1 << 22
#: Bytes at the beginning of the input that are compared with those of the run that was killed.
_COMPARED = 1 << 20


def upscale_in_segments(
    models: Upscaler | Sequence[Upscaler],
    source: str,
    target: str,
    *,
    encoding: Encoding | None = None,
    size: Size | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    frames: int | None = None,
    reuse: bool = True,
    overwrite: bool = False,
    segment_frames: int = SEGMENT_FRAMES,
    on_progress: OnProgress | None = None,
) -> VideoResult:
    """Upscale one video into another so that a run that is killed can be gone on with by calling this again.

    Args:
        models: As for ``upscale_video``; the same at each call.
        source: A file.
        target: A file.
        encoding: As for ``upscale_video``; the same at each call.
        size: Likewise.
        start_s: Likewise.
        duration_s: Likewise.
        frames: Likewise.
        reuse: Leave out what did not change.
        overwrite: Replace the target if it is there.
        segment_frames: Pictures of a segment, about.
        on_progress: Called after every picture.

    Returns:
        As ``upscale_video``.

    Raises:
        SettingError: Source or target is a pipe or numbered images, or the job was begun with other settings.
        PocketsrError: As ``upscale_video``. Finished segments stay.
    """
    encoding = encoding or Encoding()
    if segment_frames < 1:
        raise SettingError(f"a segment needs 1 picture or more, not {segment_frames}")
    if "-" in (source, target) or "%" in Path(target).name + Path(source).name:
        raise SettingError("--resume needs a file to read and a file to write, no pipe and no numbered images")
    refuse_input_as_output(source, target)
    known = (models,) if isinstance(models, Upscaler) else tuple(models)
    part: dict[str, Any] = {"start_s": start_s, "duration_s": duration_s}
    with contextlib.closing(Source(source, **part, frames=frames)) as reader:
        first, _ = first_picture(reader.items(), source)
        crew, plan, lost = crew_for(known, reader, first.frame, target, size=size, encoding=encoding, reuse=reuse)
        if plan.has_one_rate:
            raise SettingError(f"--resume cannot write {target}: it has no times; write .mkv or .mp4")
        expected = reader.expected_frames
        # Opened for nothing, so that a stream it cannot hold is told now and not when all pictures are made.
        Sink(plan, reader, io.BytesIO(), drop_streams=encoding.drop_streams)
    with opened(target, overwrite=overwrite) as file:
        folder = _folder_of(Path(target))
        job = {**_facts(known, Path(source), plan), **part, "frames": frames, "segment_frames": segment_frames}
        finished = _finished(folder, job)
        foot: dict[str, Any] = {"next": first.pts, "frames": 0, "damage": {}}
        if finished:
            foot = read_foot(finished[-1])
        meter = Meter(expected, plan.time_base, on_progress, kept=foot["frames"])
        if foot["next"] is not None:
            left = None if frames is None else frames - foot["frames"]
            with contextlib.closing(Source(source, **part, frames=left)) as reader:
                _add_damage(reader.damage, foot["damage"])
                reader.frames_before = foot["frames"]
                items = reader.items(resume_at=foot["next"] if finished else None)
                writer = _Segments(plan, folder, len(finished), foot["frames"], segment_frames, reader, meter)
                pictures = crew.without_repeats(meter.timed(items))
                overlapped(pictures, crew.works, lambda done: writer.write(crew.with_repeats(done)))
        segments = _finished(folder, job)
        foot = read_foot(segments[-1])
        damage = Damage()
        _add_damage(damage, foot["damage"])
        with contextlib.closing(Source(source, **part, frames=frames)) as reader:
            notes = _join(plan, reader, segments, file, drop_streams=encoding.drop_streams)
            told = hints(plan, damage)
    shutil.rmtree(folder)
    return VideoResult(
        frames=foot["frames"],
        seconds=time.perf_counter() - meter.start,
        processor_s=time.process_time() - meter.processor_start,
        stage_s=meter.stages(crew),
        tiles_run=crew.tiles[0],
        tiles=crew.tiles[1],
        pictures_reused=crew.pictures_reused,
        frames_kept=meter.kept,
        notes=(*lost, *notes, *told),
        damage=damage.notes,
    )


class _Segments:
    """Encodes pictures into segment files."""

    def __init__(
        self, plan: Target, folder: Path, number: int, frames: int, length: int, reader: Source, meter: Meter
    ) -> None:
        self._plan, self._folder, self._length = plan, folder, length
        self._number, self._frames, self._reader, self._meter = number, frames, reader, meter

    def write(self, items: Iterator[Item]) -> int:
        """Write all pictures; return how many segments there are."""
        pictures = (item for item in items if isinstance(item, Picture))
        picture = next(pictures, None)
        while picture is not None:
            foot: dict[str, Any] = {"next": None}
            path = self._folder / f"{self._number:06d}.segment"
            following: list[Picture] = []
            write_segment(path, self._encoded(picture, pictures, foot, following), foot)
            self._number += 1
            picture = following[0] if following else None
        return self._number

    def _encoded(
        self, picture: Picture, pictures: Iterator[Picture], foot: dict[str, Any], following: list[Picture]
    ) -> Iterator[Stored]:
        """Encode the pictures of one segment; put what belongs to the next one into ``following``."""
        encoder = _open_encoder(self._plan)
        durations: dict[int, int] = {}
        count = 0
        current: Picture | None = picture
        while current is not None:
            start = time.perf_counter()
            frame = current.frame
            frame.pts, frame.time_base, frame.pict_type = current.pts, self._plan.time_base, 0
            durations[current.pts] = current.duration
            yield from _stored(encoder.encode(frame), durations)
            self._meter.encode_s += time.perf_counter() - start
            self._meter.counted(current)
            count += 1
            current = next(pictures, None)
            is_long = count >= self._length
            if current is not None and is_long and (current.is_key or count >= 2 * self._length):
                following.append(current)
                foot["next"], current = current.pts, None
        yield from _stored(encoder.encode(None), durations)
        self._frames += count
        foot.update(frames=self._frames, damage=dataclasses.asdict(self._reader.damage))


def _open_encoder(plan: Target) -> Any:
    av = load_av()
    context = av.codec.CodecContext.create(plan.codec, "w")
    context.options = dict(plan.options)
    if av.ContainerFormat(plan.container, "w").flags & _WANTS_HEAD:
        context.flags |= _MAKES_HEAD
    plan.configure(context)
    try:
        context.open()
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoFileError(f"cannot encode with {plan.codec}: {words_of(error)}; choose another with -c") from error
    refuse_unknown(plan.codec, context)
    return context


def _stored(packets: list[Any], durations: dict[int, int]) -> Iterator[Stored]:
    for packet in packets:
        yield Stored(packet.pts, durations.pop(packet.pts, packet.duration or 0), packet.is_keyframe, bytes(packet))


def _join(plan: Target, reader: Source, segments: list[Path], file: Any, *, drop_streams: bool) -> list[str]:
    """Write segments and copied streams into one file, in the order of time."""
    times = [(packet.pts, packet.duration) for path in segments for packet in read_segment(path, with_data=False)]
    end = max(pts + duration for pts, duration in times)
    sink = Sink(plan, reader, file, drop_streams=drop_streams)
    try:
        sink.start()
        video = _as_packets(plan, segments, times)
        waiting = next(video, None)
        for item in reader.copied_items(sink.copied, end_pts=end):
            while waiting is not None and _seconds(waiting) <= _seconds(item.packet):
                sink.mux_encoded(waiting)
                waiting = next(video, None)
            sink.copy(item)
        while waiting is not None:
            sink.mux_encoded(waiting)
            waiting = next(video, None)
        sink.close()
    finally:
        with contextlib.suppress(Exception):
            sink.close()
    return sink.notes


def _as_packets(plan: Target, segments: list[Path], times: list[tuple[int, int]]) -> Iterator[Any]:
    """Give packets times of decoding that increase over all segments: each encoder began its own anew."""
    av = load_av()
    decoded = decode_times([pts for pts, _ in times])
    shown = max(pts + duration for pts, duration in times) - min(pts for pts, _ in times)
    index = 0
    for path in segments:
        for stored in read_segment(path):
            packet = av.Packet(stored.data)
            packet.time_base = plan.time_base
            packet.pts, packet.dts, packet.duration = stored.pts, decoded[index], stored.duration
            packet.is_keyframe = stored.is_key
            index += 1
            if index == len(times) and plan.container in ("mp4", "mov"):
                packet.duration = max(1, shown - (decoded[-1] - decoded[0]))
            yield packet


def decode_times(shown: list[int]) -> list[int]:
    """Return when packets are decoded: as late as allows each to be decoded before it is shown, in even order.

    Args:
        shown: When packets are shown, in the order in which they are decoded.

    >>> decode_times([0, 30, 10, 20, 40])
    [-10, 0, 10, 20, 30]
    """
    ordered = sorted(shown)
    place = {pts: index for index, pts in enumerate(ordered)}
    delay = max(index - place[pts] for index, pts in enumerate(shown))
    step = ordered[1] - ordered[0] if len(ordered) > 1 else 1
    before = [ordered[0] - (delay - index) * step for index in range(delay)]
    return before + ordered[: len(ordered) - delay]


def _seconds(packet: Any) -> float:
    time_ = packet.dts if packet.dts is not None else packet.pts or 0
    return float(time_ * packet.time_base)


def _folder_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.unfinished")


def _finished(folder: Path, job: dict[str, Any]) -> list[Path]:
    """Return the segments that are done; make the folder where it is not there.

    Raises:
        SettingError: They were made with other settings, or it cannot be read with which.
    """
    described = folder / "job.json"
    text = json.dumps(job, indent=1, sort_keys=True)
    if not described.exists():
        folder.mkdir(exist_ok=True)
        with replacing(described, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    try:
        before = json.loads(described.read_text(encoding="utf-8"))
    except ValueError:
        raise SettingError(f"{described} is damaged; remove the folder {folder} to begin again") from None
    now = json.loads(text)
    others = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if others:
        raise SettingError(
            f"the unfinished job in {folder} was begun with another {', '.join(others)}; "
            "ask for the same, or remove that folder to begin again"
        )
    for unfinished in folder.glob(".pocketsr-*.part"):  # of a run that was killed
        unfinished.unlink()
    segments = sorted(folder.glob("*.segment"))
    return [path for index, path in enumerate(segments) if path.stem == f"{index:06d}"]


def _facts(models: Sequence[Upscaler], source: Path, plan: Target) -> dict[str, Any]:
    """Return what must not change between the runs of a job."""
    with source.open("rb") as file:
        head = hashlib.sha256(file.read(_COMPARED)).hexdigest()
    planned = {key: str(value) for key, value in dataclasses.asdict(plan).items() if key != "name"}
    described = [[model.spec.name, _fingerprint(model)] for model in models]
    return {"input": [source.stat().st_size, head], "model": described, **planned}


def _fingerprint(model: Upscaler) -> str:
    """Return what tells a model from others by what it does: two files of one name may hold other weights."""
    spec = model.spec
    side = 16 * spec.size_multiple
    shape = (side, side) if spec.channels == 1 else (side, side, 3)
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return hashlib.sha256(spec.to_json().encode() + model(picture).tobytes()).hexdigest()


def _add_damage(damage: Damage, before: dict[str, Any]) -> None:
    for name, value in before.items():
        setattr(damage, name, value)
