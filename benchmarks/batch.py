"""A folder of photographs through the command, beside the network alone and beside Pillow. Leave the machine alone.

    python benchmarks/batch.py [--images 50] [--rounds 3]

The folder holds 640×360 JPEGs that this script makes; outputs are JPEGs three times as large. In one process, in turn,
round after round: the network alone (arrays in memory, no files), ``pocketsr upscale`` with one image in work and with
three, and Pillow's Lanczos (decode, resize, encode with the same settings, one image after the other). Megapixels are
those of the outputs; medians over the rounds, after one of each that is not counted. A cold start is the command as a
whole process on one of the images.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import record
import speed
from click.testing import CliRunner
from PIL import Image

import pocketsr
from pocketsr.cli import main as command
from pocketsr.weights import defaults

HEIGHT, WIDTH, SCALE = 360, 640, 3
#: What the command takes for JPEGs of this quality; its time alone is what the command is beside.
QUALITY, MODEL = 90, defaults("jpeg")[SCALE].name
COLD_STARTS = 5
#: As pocketsr writes JPEG: quality 95, full chroma.
JPEG = {"quality": 95, "subsampling": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-record", action="store_true", help="print only; for a try")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = make_photos(folder / "in", options.images)
        # First: the system counts what the parent held at its most as the child's, from before the child began.
        cold = cold_starts(photos[0], folder / "out.jpg")
        ways: dict[str, Callable[[], None]] = {
            "network alone": lambda: network_alone(photos),
            "pocketsr upscale, 1 in work": lambda: end_to_end(photos[0].parent, folder / "out", jobs=1),
            "pocketsr upscale, 3 in work": lambda: end_to_end(photos[0].parent, folder / "out", jobs=3),
            "Pillow Lanczos": lambda: pillow(photos, folder / "out"),
        }
        times = in_turn(ways, options.rounds, folder / "out")
    megapixels = options.images * HEIGHT * WIDTH * SCALE**2 / 1e6
    results = {
        "load_before": round(load, 2),
        "model": MODEL,
        "images": options.images,
        "rounds": options.rounds,
        "ways": {
            way: {
                "megapixels_per_second": round(megapixels / median(all_), 2),
                "slowest": round(megapixels / max(all_), 2),
                "fastest": round(megapixels / min(all_), 2),
            }
            for way, all_ in times.items()
        },
        "cold_start": cold,
    }
    print(json.dumps(results, indent=1))
    if not options.no_record:
        print(record.write("batch", results))


def make_photos(folder: Path, count: int) -> list[Path]:
    """Write photograph-like JPEGs, each another part of one large image."""
    folder.mkdir()
    large = speed.photo_like(HEIGHT + 8 * count, WIDTH)
    paths = [folder / f"{number:03}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(large[8 * number :][:HEIGHT]).save(path, quality=QUALITY)
    return paths


def in_turn(ways: dict[str, Callable[[], None]], rounds: int, out: Path) -> dict[str, list[float]]:
    """Return seconds of each way, round after round; the first round only warms up."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            start = time.perf_counter()
            run()
            if number:
                times[way].append(time.perf_counter() - start)
    return times


def network_alone(photos: list[Path]) -> None:
    """Open the model and run it as often as there are photographs, on one that is in memory."""
    upscale = pocketsr.load(MODEL)
    with Image.open(photos[0]) as image:
        frame = np.asarray(image.convert("RGB"))
    for _ in photos:
        upscale(frame)


def end_to_end(folder: Path, out: Path, *, jobs: int) -> None:
    """Run the command in this process, the opening of its model included."""
    done = CliRunner().invoke(command, ["upscale", str(folder), "-o", str(out), "-j", str(jobs), "-q"])
    if done.exit_code:
        raise SystemExit(done.output)


def pillow(photos: list[Path], out: Path) -> None:
    """Do the same with Pillow's best filter."""
    for photo in photos:
        with Image.open(photo) as image:
            larger = image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.LANCZOS)
            larger.save(out / photo.name, **JPEG)


def cold_starts(photo: Path, target: Path) -> dict[str, float]:
    """Time the command as a whole process on one image; the first of several only warms the file cache."""
    words = [sys.executable, "-m", "pocketsr", "upscale", str(photo), "-o", str(target), "--overwrite"]
    runs = [speed.whole_process(words) for _ in range(COLD_STARTS + 1)][1:]
    return {
        "wall_s": round(median(wall for wall, _ in runs), 3),
        "peak_mb": round(max(peak for _, peak in runs)),
    }


if __name__ == "__main__":
    main()
