"""Video end to end: pictures a second, and where the time goes. Leave the machine alone meanwhile.

    python benchmarks/video.py FOLDER [--frames N] [--model NAME] [--dry-run]

FOLDER holds clips (.mp4). Each is enlarged by the whole command, decoder and libx264 included, in a process of its own,
several times in turn; the medians are kept. Where an ffmpeg executable is there, its Lanczos scaler does the same with
the same encoder settings. --dry-run prints and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import record

ROUNDS = 3


def ours(clip: Path, folder: Path, model: str, frames: int) -> dict[str, Any]:
    """Return what the command says of one run."""
    command = [sys.executable, "-m", "pocketsr", "video", str(clip), str(folder / f"ours{clip.suffix}"), "-m", model]
    command += ["--frames", str(frames), "--overwrite", "--json", "--quiet", "--drop-streams"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - start
    return {**json.loads(done.stdout.splitlines()[-1]), "wall_s": wall}


def lanczos(clip: Path, folder: Path, scale: int, frames: int) -> float | None:
    """Return seconds of ffmpeg's own scaler; None where there is no ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    size = f"scale=iw*{scale}:ih*{scale}:flags=lanczos"
    command = [program, "-v", "error", "-y", "-i", str(clip), "-frames:v", str(frames), "-vf", size, "-c:v", "libx264"]
    command += ["-crf", "18", "-preset", "veryfast", str(folder / f"lanczos{clip.suffix}")]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def measured(clip: Path, model: str, frames: int, rounds: int) -> dict[str, Any]:
    """Measure one clip."""
    import pocketsr

    scale = pocketsr.load(model, threads=1).scale
    with tempfile.TemporaryDirectory() as name:
        runs, others = [], []
        for _ in range(rounds):
            runs.append(ours(clip, Path(name), model, frames))
            others.append(lanczos(clip, Path(name), scale, frames))
    done = runs[0]["frames"]
    speeds = [run["frames_per_second"] for run in runs]
    walls = [wall for wall in others if wall is not None]
    return {
        "frames": done,
        "scale": scale,
        "frames_per_second": round(median(speeds), 3),
        "slowest": round(min(speeds), 3),
        "fastest": round(max(speeds), 3),
        "with_start_s": round(median(run["wall_s"] for run in runs), 3),
        "stage_ms_a_frame": {
            stage: round(1000 * median(run["stage_s"][stage] for run in runs) / done, 2) for stage in runs[0]["stage_s"]
        },
        "tiles_run": runs[0]["tiles_run"],
        "tiles": runs[0]["tiles"],
        "pictures_reused": runs[0]["pictures_reused"],
        "ffmpeg_lanczos_frames_per_second": round(done / median(walls), 2) if walls else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--model", default="abpn-x3")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    clips = sorted(given.folder.glob("*.mp4"))
    if not clips:
        raise SystemExit(f"{given.folder} has no .mp4")
    results = {
        "load_before": round(os.getloadavg()[0], 2),
        "cores": len(os.sched_getaffinity(0)),
        "model": given.model,
        "av": version("av"),
        "clips": {clip.name: measured(clip, given.model, given.frames, given.rounds) for clip in clips},
    }
    print(json.dumps(results, indent=1))
    if not given.dry_run:
        print(record.write("video", results))


if __name__ == "__main__":
    main()
