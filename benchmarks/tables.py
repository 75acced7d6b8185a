"""Writes the tables of README.md from the result files; ``--check`` only says whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

import record

README = record.ROOT / "README.md"
BEGIN, END = "<!-- results -->", "<!-- end results -->"


def tables() -> str:
    """Return the Markdown between the markers."""
    parts = []
    if (quality := record.read("quality")) is not None:
        parts += [
            f"PSNR in dB, RGB, border 1 (protocol `abpn`), ×3; commit {quality['commit']}:",
            "",
            "| | " + " | ".join(quality["sets"]) + " |",
            "|---|" + "---|" * len(quality["sets"]),
            *(
                f"| {name} | " + " | ".join(f"{means['abpn']['psnr_db']:.3f}" for means in sets.values()) + " |"
                for name, sets in quality["models"].items()
            ),
            "",
            "Made again by `python benchmarks/quality.py FOLDER`.",
        ]
    if (speed := record.read("speed")) is not None:
        parts += [
            "",
            f"360×640 → 1080×1920, array in, array out, on {speed['processor']}; commit {speed['commit']}:",
            "",
            "| | ms a frame (median) | min – max | frames a second |",
            "|---|---|---|---|",
            *(
                f"| {name} | {row['median_ms']:.1f} | {row['min_ms']:.1f} – {row['max_ms']:.1f} "
                f"| {row['frames_per_second']:.1f} |"
                for name, row in speed["frames"].items()
            ),
            "",
            "| `pocketsr upscale`, cold process | seconds | peak memory |",
            "|---|---|---|",
            *(f"| {name} | {row['wall_s']:.2f} | {row['peak_mb']:.0f} MB |" for name, row in speed["commands"].items()),
            "",
            "Made again by `make bench`.",
        ]
    return "\n".join(parts)


def current(text: str) -> str:
    """Return the README with fresh tables."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    text = README.read_text(encoding="utf-8")
    fresh = current(text)
    if "--check" in arguments:
        return int(text != fresh)
    Path(README).write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
