"""Video end to end: pictures a second, where the time goes, memory, and others at the same job.

    python benchmarks/video.py FOLDER [--model NAME ...] [--frames N] [--rounds N] [--dry-run]

FOLDER holds bottle-detection.mp4 (640×360) and bigbuckbunny.mp4 (1280×720). Every job runs in a process of its own, in
turn with the others, several times; medians are kept, and the processor's time beside the clock's, which others on the
machine lengthen. A model is a name or a file; those of another scale than a clip's are left out. --dry-run prints and
keeps nothing. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import record
import video_jobs

import pocketsr
from pocketsr.weights import defaults

#: Clip, scale, and the pictures a second that are hoped for.
CASES = (("bottle-detection.mp4", 3, 24), ("bigbuckbunny.mp4", 2, 10))
#: Pictures of what memory is looked at with.
LONG, TINY = 1800, 9000


def run(command: list[str]) -> dict[str, Any]:
    """Run a command; return its last line of JSON, and its resident memory over time."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    megabytes: list[float] = []
    over = threading.Event()

    def watch() -> None:
        statm = Path(f"/proc/{process.pid}/statm")
        while not over.wait(0.25):
            try:
                megabytes.append(int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
            except (OSError, IndexError):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stdout is not None
    assert process.stderr is not None
    output, words = process.stdout.read(), process.stderr.read()
    process.wait()
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {words}")
    return {**json.loads(output.splitlines()[-1]), "megabytes": megabytes}


def ours(clip: Path, folder: Path, model: str, frames: int, *options: str) -> dict[str, Any]:
    """Run the whole command."""
    command = [sys.executable, "-m", "pocketsr", "video", str(clip), str(folder / f"ours{clip.suffix}"), "-m", model]
    options = (*options, "--overwrite", "--json", "--quiet", "--drop-streams")
    return run([*command, "--frames", str(frames), *options])


def other(job: str, clip: Path, folder: Path, scale: int, frames: int) -> dict[str, Any]:
    """Run what others do, or ffmpeg's own program where there is one."""
    target = str(folder / f"{job}{clip.suffix}")
    program = shutil.which("ffmpeg")
    if job == "ffmpeg":
        assert program is not None
        size = f"scale=iw*{scale}:ih*{scale}:flags=lanczos"
        command = [program, "-v", "error", "-y", "-i", str(clip), "-frames:v", str(frames), "-vf", size]
        command += ["-c:v", "libx264", "-crf", "18", "-preset", "veryfast", target]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        return {"frames": frames, "seconds": seconds, "processor_s": 0.0, "megabytes": []}
    script = str(Path(__file__).with_name("video_jobs.py"))
    return run([sys.executable, script, job, str(clip), target, "--scale", str(scale), "--frames", str(frames)])


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is kept of several runs of one job."""
    frames = runs[0]["frames"]
    speeds = [frames / one["seconds"] for one in runs]
    kept: dict[str, Any] = {
        "frames": frames,
        "frames_per_second": round(median(speeds), 2),
        "slowest": round(min(speeds), 2),
        "fastest": round(max(speeds), 2),
        "processor_ms_a_frame": round(1000 * median(one["processor_s"] for one in runs) / frames, 2),
        "largest_megabytes": round(max((max(one["megabytes"], default=0) for one in runs), default=0)),
    }
    if "stage_s" in runs[0]:
        kept["stage_ms_a_frame"] = {
            stage: round(1000 * median(one["stage_s"][stage] for one in runs) / frames, 2)
            for stage in runs[0]["stage_s"]
        }
    return kept


def case(clip: Path, folder: Path, scale: int, models: list[str], frames: int, rounds: int) -> dict[str, Any]:
    """Measure one clip: ours with each model, and the others, in turn."""
    models = [model for model in models if pocketsr.load(model, threads=1).scale == scale]
    others = ["lanczos", *(["ffmpeg"] if shutil.which("ffmpeg") else [])]
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for model in models:
            runs.setdefault(Path(model).stem, []).append(ours(clip, folder, model, frames, "--scale", str(scale)))
        for job in others:
            runs.setdefault(job, []).append(other(job, clip, folder, scale, frames))
    runs["opencv"] = [other("opencv", clip, folder, scale, min(frames, 12))]  # slow, and its spread is no matter
    return {name: summary(made) for name, made in runs.items()}


def reuse(clips: list[Path], folder: Path, model: str, frames: int) -> dict[str, Any]:
    """Measure what is saved by leaving out what did not change."""
    found = {}
    for clip in [video_jobs.screencast(folder / "screencast.mp4"), *clips]:
        with_it, without = ours(clip, folder, model, frames), ours(clip, folder, model, frames, "--no-reuse")
        found[clip.name] = {
            "frames": with_it["frames"],
            "pictures_reused": with_it["pictures_reused"],
            "tiles_run": with_it["tiles_run"],
            "tiles": with_it["tiles"],
            "frames_per_second": round(with_it["frames"] / with_it["seconds"], 2),
            "frames_per_second_without": round(without["frames"] / without["seconds"], 2),
        }
    return found


def memory(clip: Path, folder: Path, model: str) -> dict[str, Any]:
    """Measure resident memory over long clips: of the real size, and a tiny one of many pictures."""
    long = video_jobs.repeated(clip, folder / "long.mp4", LONG)
    tiny = video_jobs.repeated(clip, folder / "tiny.mp4", TINY, (36, 64))
    found = {}
    for name, path, frames in (("long", long, LONG), ("tiny", tiny, TINY)):
        made = ours(path, folder, model, frames)
        curve = made["megabytes"]
        parts = [curve[round(share * (len(curve) - 1))] for share in (0.25, 0.5, 0.75, 0.97)]
        found[name] = {
            "frames": made["frames"],
            "frames_per_second": round(made["frames"] / made["seconds"], 2),
            "megabytes_at_25_50_75_97_percent": [round(part, 1) for part in parts],
            "largest_megabytes": round(max(curve), 1),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append", help="May be repeated  [default: those of the catalogue].")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=["speed", "reuse", "memory"], action="append", help="[default: all]")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    clips = [given.folder / name for name, _, _ in CASES]
    if not all(clip.exists() for clip in clips):
        raise SystemExit(f"{given.folder} needs to hold {', '.join(clip.name for clip in clips)}")
    parts = given.part or ["speed", "reuse", "memory"]
    results: dict[str, Any] = dict(record.read("video") or {}) if given.part else {}
    results = {key: results[key] for key in ("speed", "reuse", "memory", "commits") if key in results}
    commit = record.circumstances()["commit"]
    results["commits"] = {**results.get("commits", {}), **dict.fromkeys(parts, commit)}
    results |= {"load_before": round(os.getloadavg()[0], 2), "cores": len(os.sched_getaffinity(0)), "av": version("av")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        luma = defaults(channels=1)
        models = given.model or [*(luma[scale].name for _, scale, _ in CASES), "abpn-x3"]
        if "speed" in parts:
            results["speed"] = {
                clip.name: {
                    "scale": scale,
                    "hoped": hoped,
                    **case(clip, folder, scale, models, given.frames, given.rounds),
                }
                for clip, (_, scale, hoped) in zip(clips, CASES, strict=True)
            }
        if "reuse" in parts:
            results["reuse"] = reuse(clips, folder, models[0], min(given.frames, 100))
        if "memory" in parts:
            results["memory"] = memory(clips[0], folder, models[0])
    print(json.dumps(results, indent=1))
    if not given.dry_run:
        print(record.write("video", results))


if __name__ == "__main__":
    main()
