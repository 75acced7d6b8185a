"""Upscale damaged image files one after another and say how each ended; run by ``test_damaged_images``.

A process of its own with bounded memory, so that a crash below Python is seen, a greedy file fails here and not on the
machine, and what libraries write to the error stream can be read.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from image.damaged_files import bad_files, good_files
from mutations import mutated
from pocketsr.errors import ImageFileError
from pocketsr.graph import DepthToSpace, Graph, Value
from pocketsr.image import FORMATS, read_image, reading, writing
from pocketsr.runtime import Backend, Session, Upscaler
from pocketsr.runtime.backends.reference import ReferenceSession
from pocketsr.runtime.photo import upscale_file
from sample_graphs import repeat_conv, spec_for

#: Of the address space; libraries and threads alone take about one.
_MOST_BYTES = 3 << 30
_LONGEST_SECONDS = 10
#: Enough for every good file, and few enough that what passes is quick.
_MOST_PIXELS = 1_000_000
_STREAM_PIXELS, _IN_BANDS = writing.STREAM_PIXELS, reading._IN_BANDS


class Doubling(Backend):
    """Repeats every pixel, by the backend that is a fake for tests."""

    name = "doubling"

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        del path, threads
        image, copies, output = Value("image", 3), Value("copies", 12), Value("output", 3)
        graph = Graph(image, output, (repeat_conv(image, copies), DepthToSpace((copies,), output, 2)))
        return ReferenceSession(graph, spec_for(graph, receptive_field=0))


def cases(first: int, last: int, *, with_bad: bool) -> Iterator[tuple[str, bytes]]:
    good = sorted(good_files().items())
    if with_bad:
        yield from bad_files()
    for seed in range(first, last):
        name, data = good[seed % len(good)]
        yield f"{seed}-{name}", mutated(data, seed)


def main(folder: Path, first: int, last: int, every: int) -> None:
    with suppress(ValueError, OSError):  # systems that have the name and not the limit
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    upscaler = Upscaler("none.tflite", backend=Doubling())
    counts = {"refused": 0, "done": 0, "wrong": []}
    listed = list(cases(first, last, with_bad=every > 0))
    for number, (name, data) in enumerate(listed):
        if every > 1 and number % every and number < len(listed) - (last - first):
            continue
        # Half go to PNG, where every pixel can be compared; the others show what odd metadata does to encoders.
        suffix = ".png" if number % 2 else sorted(FORMATS)[number // 2 % len(FORMATS)]
        source, target = folder / name, folder / f"made{suffix}"
        writing.STREAM_PIXELS = 0 if number % 3 else _STREAM_PIXELS
        reading._IN_BANDS = 0 if number % 5 < 3 else _IN_BANDS
        source.write_bytes(data)
        (folder / "last").write_text(name)
        start = time.monotonic()
        try:
            upscale_file(upscaler, source, target, max_pixels=_MOST_PIXELS)
        except ImageFileError as error:
            counts["refused"] += 1
            if len(str(error).splitlines()) != 1 or not {str(source), str(target)} & set(re.split(r"[ :]", str(error))):
                counts["wrong"].append(f"{name}: {str(error)!r}")
        except Exception as error:
            counts["wrong"].append(f"{name}: {error!r}")
        else:
            counts["done"] += 1
            photo, made = read_image(source), read_image(target)
            if made.pixels.shape != (2 * photo.height, 2 * photo.width, 3):
                counts["wrong"].append(f"{name}: {photo.pixels.shape} became {made.pixels.shape}")
            if suffix == ".png" and photo.alpha is None and not np.array_equal(made.pixels[::2, ::2], photo.pixels):
                counts["wrong"].append(f"{name}: other pixels")
            target.unlink()
        if (seconds := time.monotonic() - start) > _LONGEST_SECONDS:
            counts["wrong"].append(f"{name}: took {seconds:.0f} s")
        source.unlink()
        if left := {path.name for path in folder.iterdir()} - {"last"}:
            counts["wrong"].append(f"{name}: left {left}")
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
