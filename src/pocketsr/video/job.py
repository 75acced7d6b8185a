"""A video upscaled: read, enlarged and written at once, with every time as it was.

    Source ──> Crew ──> Sink          three stages, a few pictures between them

Knows nothing of the command line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pocketsr.errors import OutputExistsError, VideoFileError
from pocketsr.runtime import Target as Size
from pocketsr.runtime import Upscaler
from pocketsr.runtime.target import choose_scales
from pocketsr.video.colour import colour_of
from pocketsr.video.crew import Crew
from pocketsr.video.damage import Damage
from pocketsr.video.items import Item, Picture
from pocketsr.video.progress import Progress
from pocketsr.video.settings import Encoding, Raw
from pocketsr.video.sink import Sink, opened
from pocketsr.video.source import Source
from pocketsr.video.stages import overlapped
from pocketsr.video.target import Target, plan_target

#: Called after every picture.
OnProgress = Callable[[Progress], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoResult:
    """What became of a video.

    Attributes:
        frames: Pictures written.
        seconds: Wall time.
        processor_s: Seconds of processor time, of all threads together.
        stage_s: Seconds in each step, of all threads together: decode, colour, network, encode. They overlap.
        tiles_run: Tiles that went through the network.
        tiles: Tiles of all pictures that were not equal to the one before.
        pictures_reused: Pictures equal to the one before.
        frames_kept: Pictures that an earlier, interrupted run had done.
        notes: What was given up, in words.
        damage: What of the input could not be had, in words; empty where it was whole.
    """

    frames: int
    seconds: float
    processor_s: float
    stage_s: dict[str, float]
    tiles_run: int
    tiles: int
    pictures_reused: int
    frames_kept: int = 0
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()


@dataclasses.dataclass
class Meter:
    """Counts pictures and seconds of one run."""

    expected: int | None
    time_base: Fraction
    on_progress: OnProgress | None = None
    kept: int = 0
    done: int = 0
    decode_s: float = 0.0
    encode_s: float = 0.0
    start: float = dataclasses.field(default_factory=time.perf_counter)
    processor_start: float = dataclasses.field(default_factory=time.process_time)
    _first: int | None = None

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """Count the time that reading takes."""
        while True:
            start = time.perf_counter()
            item = next(items, None)
            self.decode_s += time.perf_counter() - start
            if item is None:
                return
            yield item

    def stages(self, crew: Crew) -> dict[str, float]:
        """Return the seconds of each step. They overlap."""
        return {
            "decode": self.decode_s,
            "colour": crew.colour_s,
            "network": crew.network_s,
            "encode": self.encode_s,
        }

    def counted(self, picture: Picture) -> None:
        """Count a picture that is done."""
        self._first = picture.pts if self._first is None else self._first
        self.done += 1
        if self.on_progress is not None:
            self.on_progress(
                Progress(
                    frames=self.kept + self.done,
                    expected=self.expected,
                    seconds=time.perf_counter() - self.start,
                    video_s=float((picture.pts + picture.duration - self._first) * self.time_base),
                    new_frames=self.done,
                )
            )


def upscale_video(
    models: Upscaler | Sequence[Upscaler],
    source: str,
    target: str,
    *,
    encoding: Encoding | None = None,
    size: Size | None = None,
    rate: Fraction | None = None,
    raw: Raw | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    frames: int | None = None,
    reuse: bool = True,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> VideoResult:
    """Upscale one video into another.

    Times, sound, subtitles, chapters, metadata, rotation and colour are those of the input. No picture is ever written
    to disk, and a handful are held at once.

    Args:
        models: One that is ready, or several of different scales to choose from.
        source: File, numbered images (``frames/%05d.png``), or ``-`` for standard input.
        target: File, numbered images, or ``-`` for standard output.
        encoding: Codec, quality and so on; None for the defaults.
        size: Of the output; None for that of the first model. What the models make beyond it is shrunk by bicubic.
        rate: Pictures a second of numbered images and raw pictures.
        raw: What raw pictures are, where the source is such.
        start_s: Seconds from the beginning at which to begin.
        duration_s: Seconds to do; None for all.
        frames: Pictures to do at most; None for all.
        reuse: Leave out what did not change since the last picture; the result is the same.
        overwrite: Replace the target if it is there.
        on_progress: Called after every picture.

    Returns:
        What was done, and what was given up.

    Raises:
        VideoFileError: The input cannot be read or is interlaced, or the output cannot hold or encode what it is to.
        OutputExistsError: The target is there and ``overwrite`` is false, or it is the source.
        ImageFileError: The target cannot be written. Nothing is left behind then.
        SettingError: Settings that do not go together.
        UnknownNameError: There is no such encoder.
        MissingExtraError: PyAV is not installed.
    """
    encoding = encoding or Encoding()
    refuse_input_as_output(source, target)
    reader = Source(source, rate=rate, raw=raw, start_s=start_s, duration_s=duration_s, frames=frames)
    known = (models,) if isinstance(models, Upscaler) else tuple(models)
    try:
        with opened(target, overwrite=overwrite) as file:
            return _run(known, reader, target, file, encoding, size, reuse=reuse, on_progress=on_progress)
    finally:
        reader.close()


def refuse_input_as_output(source: str, target: str) -> None:
    """Say so where the output is the input itself."""
    if Path(source).exists() and Path(target).exists() and Path(target).samefile(source):
        raise OutputExistsError(f"{target} is the input itself; choose another output")


def first_picture(items: Iterator[Item], path: str) -> tuple[Picture, Iterator[Item]]:
    """Return the first picture, and all items with what came before it.

    Raises:
        VideoFileError: There is none.
    """
    before: list[Item] = []
    for item in items:
        before.append(item)
        if isinstance(item, Picture):
            return item, itertools.chain(before, items)
    raise VideoFileError(f"{path}: no picture of its video could be decoded in the part asked for")


def crew_for(
    models: Sequence[Upscaler],
    source: Source,
    frame: Any,
    name: str,
    *,
    size: Size | None,
    encoding: Encoding,
    reuse: bool,
) -> tuple[Crew, Target, tuple[str, ...]]:
    """Return who enlarges a video, the plan of its output, and what is lost, in words.

    Args:
        models: To choose from.
        source: The video.
        frame: Its first picture.
        name: Of the output.
        size: Of the output; None for that of the first model.
        encoding: What the user asked for.
        reuse: Leave out what did not change.

    Raises:
        SettingError: As ``plan_target``.
    """
    colour = colour_of(frame)
    plan, lost = plan_target(name, source, frame, scale=models[0].scale, size=size, colour=colour, encoding=encoding)
    chain = list(models[:1])
    if size is not None:
        by_scale = {model.scale: model for model in reversed(models)}
        width = plan.width // 2 if plan.is_preview else plan.width
        # Sides are rounded, to even ones at that: a sample or two are not worth a model more.
        needed = min((plan.height - 1) / frame.height, (width - 1) / frame.width)
        chain = [by_scale[scale] for scale in choose_scales(needed, by_scale)]
    return Crew(chain, colour, (frame.height, frame.width), plan, reuse=reuse), plan, lost


def _run(
    models: Sequence[Upscaler],
    reader: Source,
    name: str,
    file: Any,
    encoding: Encoding,
    size: Size | None,
    *,
    reuse: bool,
    on_progress: OnProgress | None,
) -> VideoResult:
    meter = Meter(reader.expected_frames, reader.time_base, on_progress)
    everything = frozenset(stream.index for stream in reader.others)
    first, items = first_picture(meter.timed(reader.items(everything)), reader.path)
    crew, plan, lost = crew_for(models, reader, first.frame, name, size=size, encoding=encoding, reuse=reuse)
    sink = Sink(plan, reader, file, drop_streams=encoding.drop_streams)
    try:
        sink.start()
        count = overlapped(
            crew.without_repeats(items), crew.works, lambda done: _write(sink, crew.with_repeats(done), meter)
        )
        sink.close()
    finally:
        with contextlib.suppress(Exception):
            sink.close()
    return VideoResult(
        frames=count,
        seconds=time.perf_counter() - meter.start,
        processor_s=time.process_time() - meter.processor_start,
        stage_s=meter.stages(crew),
        tiles_run=crew.tiles[0],
        tiles=crew.tiles[1],
        pictures_reused=crew.pictures_reused,
        notes=(*lost, *sink.notes, *hints(plan, reader.damage)),
        damage=reader.damage.notes,
    )


def _write(sink: Sink, items: Iterator[Item], meter: Meter) -> int:
    """Write items and count the time that takes; reading the queue is not counted."""
    count = 0
    for item in items:
        start = time.perf_counter()
        sink.write_one(item)
        meter.encode_s += time.perf_counter() - start
        if isinstance(item, Picture):
            count += 1
            meter.counted(item)
    start = time.perf_counter()
    sink.finish()
    meter.encode_s += time.perf_counter() - start
    return count


def hints(plan: Target, damage: Damage) -> tuple[str, ...]:
    """Return what the user may want to know of an output's times."""
    notes = []
    if damage.moved:
        notes.append(f"{damage.moved} pictures had no time of their own, or one that went back, and were moved")
    if plan.container == "matroska" and 1000 % plan.time_base.denominator and not plan.has_one_rate:
        notes.append("Matroska keeps times to a millisecond; .mp4 and .nut keep them exactly")
    return tuple(notes)
