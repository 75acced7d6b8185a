"""The page on video, from the result files of ``video.py`` and ``video_quality.py``. ``make docs`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import record

PAGE = record.ROOT / "docs" / "results" / "video.md"
_STAGES = ("decode", "colour", "network", "encode")


def page() -> str:
    """Return the page."""
    lines = [
        "# Video: how fast, how good, how much memory",
        "",
        "File to file, libx264 at crf 18 and preset veryfast. Written by `make docs` from result files; made again by",
        "`python benchmarks/video.py FOLDER` and `python benchmarks/video_quality.py FOLDER`. How to use it:",
        "[a guide](../guides/video.md).",
    ]
    if (video := record.read("video")) is not None:
        lines += [*_speed(video), *_reuse(video), *_memory(video)]
    if (quality := record.read("video-quality")) is not None:
        lines += _quality(quality)
    return "\n".join(lines) + "\n"


def _speed(video: dict[str, Any]) -> Iterator[str]:
    if "speed" not in video:
        return
    yield from ("", "## Pictures a second", "")
    yield f"On {video['processor']}, PyAV {video['av']}, commit {_commit(video, 'speed')}."
    yield "*ms* are milliseconds of processor time a picture, of all cores together; those of stages are the clock's,"
    yield "of all threads together, and overlap. `lanczos` is libswscale's between the same decoder and encoder, each"
    yield "in a thread of its own, as ffmpeg has it; `opencv` is FSRCNN through OpenCV's dnn module in a loop."
    for clip, rows in video["speed"].items():
        yield from ("", f"### {clip}, ×{rows['scale']}", "", _bars(rows), "")
        yield "| | pictures a second | slowest – fastest | ms | decode, colour, network, encode | largest memory |"
        yield "|---|---|---|---|---|---|"
        for name, row in rows.items():
            if isinstance(row, dict):
                stages = row.get("stage_ms_a_frame")
                words = "–" if stages is None else ", ".join(f"{stages[stage]:.1f}" for stage in _STAGES)
                yield (
                    f"| {name} | {row['frames_per_second']:.1f} | {row['slowest']:.1f} – {row['fastest']:.1f} "
                    f"| {row['processor_ms_a_frame']:.1f} | {words} | {row['largest_megabytes']} MB |"
                )


def _bars(rows: dict[str, Any]) -> str:
    """Return what was hoped for beside what the first model reached."""
    reached = {name: row["frames_per_second"] for name, row in rows.items() if isinstance(row, dict)}
    first = next(iter(reached.values()))
    bars = [
        (f"{rows['hoped']} pictures a second", first, rows["hoped"]),
        ("half of Lanczos's pictures a second", first / reached["lanczos"], 0.5),
        ("five times OpenCV's", first / reached["opencv"], 5),
    ]
    words = [f"{what}: {got:.2f}, {'reached' if got >= bar else 'missed'}" for what, got, bar in bars]
    return f"Hoped for, by the first row: {'; '.join(words)}."


def _reuse(video: dict[str, Any]) -> Iterator[str]:
    if "reuse" not in video:
        return
    yield from ("", "## What did not change", "")
    yield "The screencast is text that is scrolled now and then under a cursor that moves; the others are film."
    yield f"Commit {_commit(video, 'reuse')}."
    yield from ("", "| | pictures | equal to the one before | tiles run | pictures a second | without |")
    yield "|---|---|---|---|---|---|"
    for name, row in video["reuse"].items():
        share = 100 * row["tiles_run"] / max(1, row["tiles"])
        yield (
            f"| {name} | {row['frames']} | {row['pictures_reused']} | {share:.0f} % of those left "
            f"| {row['frames_per_second']:.1f} | {row['frames_per_second_without']:.1f} |"
        )


def _memory(video: dict[str, Any]) -> Iterator[str]:
    if "memory" not in video:
        return
    yield from ("", "## Memory", "")
    yield "Resident megabytes while a clip is done: 640×360 ×3 for a minute of pictures, and 64×36 ×3 for five minutes,"
    yield f"where anything kept of each picture would show. Commit {_commit(video, 'memory')}."
    yield from ("", "| | pictures | at 25 % | 50 % | 75 % | 97 % | largest |", "|---|---|---|---|---|---|---|")
    for name, row in video["memory"].items():
        parts = " | ".join(f"{part:.0f}" for part in row["megabytes_at_25_50_75_97_percent"])
        yield f"| {name} | {row['frames']} | {parts} | {row['largest_megabytes']:.0f} |"


def _commit(video: dict[str, Any], part: str) -> str:
    """Return the commit at which a part was measured: they may be measured apart."""
    return str(video.get("commits", {}).get(part, video["commit"]))


def _quality(quality: dict[str, Any]) -> Iterator[str]:
    yield from ("", "## Brightness or colour", "")
    yield "Clips shrunk in YUV and enlarged again, PSNR in dB of luma and of RGB; *coded* was shrunk and went through"
    yield f"libx264 at crf {quality['crf']}, as video comes. `+ bicubic chroma` is a model of colour of which the luma"
    yield f"alone is taken: what its chroma is worth. Commit {quality['commit']}."
    for clip, rows in quality["clips"].items():
        for scale, kinds in rows["psnr_db"].items():
            yield from ("", f"### {clip}, {scale.replace('x', '×')}", "")
            yield "| | clean: luma | RGB | coded: luma | RGB |"
            yield "|---|---|---|---|---|"
            for name in kinds["clean"]:
                cells = [kinds[kind][name][what] for kind in ("clean", "coded") for what in ("y", "rgb")]
                yield f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |"
