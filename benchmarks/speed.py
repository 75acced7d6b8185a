"""Speed of the bundled models, and of the command, on this machine. Leave the machine alone meanwhile.

    python benchmarks/speed.py

A frame is 360×640 to 1080×1920, uint8 array in, uint8 array out, the steps of all models in turn in one process each;
medians over the runs. The command is timed as a whole cold process with the operating system's own account of memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import record
from PIL import Image

HEIGHT, WIDTH = 360, 640
ROUNDS, RUNS = 4, 12
#: The model that is taken at its scale, and what the same network takes in float32.
TIMED = ("abpn-x3", "abpn-x3-float")


def time_frames(model: str, threads: int) -> list[float]:
    """Return milliseconds of RUNS frames, after three that are not counted; runs in a process of its own."""
    import pocketsr

    upscale = pocketsr.load(model, threads=threads)
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    times = []
    for _ in range(RUNS + 3):
        start = time.perf_counter()
        upscale(frame)
        times.append(1000 * (time.perf_counter() - start))
    return times[3:]


def frames() -> dict[str, dict[str, float]]:
    """Interleave models and thread counts over several rounds, each in a fresh process."""
    cores = len(os.sched_getaffinity(0))
    cases = [(model, threads) for model in TIMED for threads in sorted({1, cores})]
    times: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for model, threads in cases:
            command = [sys.executable, __file__, "frames", model, str(threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            times[model, threads] += json.loads(done.stdout)
    return {
        f"{model}, {threads} thread{'s' * (threads > 1)}": {
            "median_ms": round(median(all_), 2),
            "min_ms": round(min(all_), 2),
            "max_ms": round(max(all_), 2),
            "frames_per_second": round(1000 / median(all_), 1),
        }
        for (model, threads), all_ in times.items()
    }


def commands() -> dict[str, dict[str, float]]:
    """Time ``pocketsr upscale`` on a small JPEG and on a 60-megapixel PNG as whole processes."""
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, height, width, suffix, runs in (
            ("640x360 JPEG", 360, 640, "jpg", 5),
            ("60-megapixel PNG", 6000, 10000, "png", 1),
        ):
            source = folder / f"in{height}.{suffix}"
            Image.fromarray(photo_like(height, width)).save(source)
            walls, peaks = [], []
            for run in range(runs + (runs > 1)):
                target = folder / f"out{run}.{suffix}"
                wall, peak = whole_process(
                    [sys.executable, "-m", "pocketsr", "upscale", str(source), "-o", str(target)]
                )
                target.unlink()
                if run or runs == 1:  # the first of several only warms the file cache
                    walls.append(wall)
                    peaks.append(peak)
            results[label] = {"wall_s": round(median(walls), 2), "peak_mb": round(max(peaks))}
    return results


def photo_like(height: int, width: int) -> np.ndarray:
    """Return smooth shapes with a little noise: what photographs cost to encode."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (height // 40 + 1, width // 40 + 1, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()
    for row in range(0, height, 500):
        part = image[row : row + 500]
        part ^= random.integers(0, 4, part.shape, dtype=np.uint8)
    return image


def whole_process(command: list[str]) -> tuple[float, float]:
    """Return wall seconds and peak resident megabytes (10^6 bytes) of a command."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"failed with exit code {child.returncode}: {' '.join(command)}")
    return wall, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    if sys.argv[1:2] == ["frames"]:
        print(json.dumps(time_frames(sys.argv[2], int(sys.argv[3]))))
    else:
        load = os.getloadavg()[0]
        results = {"load_before": round(load, 2), "frames": frames(), "commands": commands()}
        print(json.dumps(results, indent=1))
        print(record.write("speed", results))
