"""The jobs that ``video.py`` measures, each in a process of its own; and the clips and models it makes for them.

    python benchmarks/video_jobs.py lanczos|opencv IN OUT --scale N --frames N

``lanczos`` is what `ffmpeg -vf scale=iw*N:ih*N:flags=lanczos` does, decoder, libswscale and libx264 each at work at the
same time; ``opencv`` is FSRCNN through OpenCV's dnn module in a loop, as its users write it. Both encode as `pocketsr
video` does by default, and print frames and seconds as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pocketsr.video.stages import overlapped

OPTIONS = {"crf": "18", "preset": "veryfast"}
SCREEN = (360, 640)


def lanczos(source: str, target: str, scale: int, frames: int) -> tuple[int, float, float]:
    """Enlarge with libswscale; return pictures, seconds and the processor's."""
    from av.video.reformatter import Interpolation, VideoReformatter

    scaler = VideoReformatter()
    began, work = time.perf_counter(), time.process_time()
    with av.open(source) as given, av.open(target, "w") as made:
        given.streams.video[0].thread_type = "AUTO"

        def larger(frame: Any) -> Any:
            size = {"width": scale * frame.width, "height": scale * frame.height}
            return scaler.reformat(frame, **size, interpolation=Interpolation.LANCZOS, threads=0)

        writer = _Writer(made, given.streams.video[0])
        overlapped(itertools.islice(given.decode(video=0), frames), larger, writer.write)
    return writer.count, time.perf_counter() - began, time.process_time() - work


def opencv(source: str, target: str, scale: int, frames: int) -> tuple[int, float, float]:
    """Enlarge with FSRCNN in OpenCV; return pictures, seconds and the processor's."""
    import os
    import tempfile

    from pocketsr.bench.peers import open_peer
    from pocketsr.cli.bench_peer_files import write_fsrcnn

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fsrcnn.onnx"
        write_fsrcnn(file, scale, is_rewritten=True)
        upscale, _ = open_peer("opencv", str(file), scale, len(os.sched_getaffinity(0)))
    with av.open(source) as given, av.open(target, "w") as made:
        stream = given.streams.video[0]
        writer = _Writer(made, stream)
        began, work = time.perf_counter(), time.process_time()

        def larger() -> Iterator[Any]:
            for frame in itertools.islice(given.decode(video=0), frames):
                enlarged = av.VideoFrame.from_ndarray(upscale(frame.to_ndarray(format="rgb24")), format="rgb24")
                enlarged.pts, enlarged.time_base = frame.pts, frame.time_base
                yield enlarged.reformat(format="yuv420p")

        writer.write(larger())
    return writer.count, time.perf_counter() - began, time.process_time() - work


class _Writer:
    """libx264 as `pocketsr video` has it."""

    def __init__(self, container: Any, source: Any) -> None:
        self._container = container
        self._stream = container.add_stream("libx264", rate=source.average_rate, options=dict(OPTIONS))
        self._stream.codec_context.time_base = source.time_base
        self.count = 0

    def write(self, frames: Iterator[Any]) -> None:
        for frame in frames:
            if not self.count:
                self._stream.width, self._stream.height, self._stream.pix_fmt = frame.width, frame.height, "yuv420p"
            frame.pict_type = 0
            self._container.mux(self._stream.encode(frame))
            self.count += 1
        self._container.mux(self._stream.encode(None))


def screencast(path: Path, frames: int = 300) -> Path:
    """Write a clip of a screen: a page of text that is scrolled twice, a cursor that moves, and nothing else."""
    random = np.random.default_rng(0)
    glyphs = (random.random((3 * SCREEN[0], SCREEN[1] // 2)) < 0.4).repeat(2, axis=1)
    lines = (np.arange(3 * SCREEN[0]) % 16 < 9)[:, None]
    page = np.where(glyphs & lines, 40, 235).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "18", "preset": "medium"})
        stream.height, stream.width, stream.pix_fmt = *SCREEN, "yuv420p"
        top = 0
        for index in range(frames):
            if index % 150 in range(60, 75):
                top += 8
            picture = page[top : top + SCREEN[0]].copy()
            if index % 50 < 20:
                row, column = 40 + 5 * (index % 50), 100 + 9 * (index % 50)
            picture[row : row + 14, column : column + 9] = 0
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def repeated(clip: Path, path: Path, frames: int, size: tuple[int, int] | None = None) -> Path:
    """Write a clip again and again until there are so many pictures, in another size if asked."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "20", "preset": "ultrafast"})
        count = 0
        while count < frames:
            with av.open(str(clip)) as given:
                for frame in given.decode(video=0):
                    if not count:
                        stream.height, stream.width = size or (frame.height, frame.width)
                        stream.pix_fmt = "yuv420p"
                    small = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
                    small.pts, small.time_base, small.pict_type = count, Fraction(1, 30), 0
                    container.mux(stream.encode(small))
                    count += 1
                    if count == frames:
                        break
        container.mux(stream.encode(None))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["lanczos", "opencv"])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    given = parser.parse_args()
    jobs = {"lanczos": lanczos, "opencv": opencv}
    count, seconds, processor_s = jobs[given.job](given.source, given.target, given.scale, given.frames)
    print(json.dumps({"frames": count, "seconds": seconds, "processor_s": processor_s}))


if __name__ == "__main__":
    main()
