"""The page on what 8 and 16 bits cost, from the result files of ``ptq.py``, ``equivalent.py`` and ``half.py``."""

from __future__ import annotations

from typing import Any

import record

_HEAD = """\
# What few bits cost

Written by `make docs` from result files. PSNR in dB, RGB, no border, on the project's own validation images;
differences are to float32.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for suite, section in (("ptq", _ptq), ("equivalent", _equivalent), ("half", _half)):
        if (found := record.read(suite)) is not None:
            parts.append(section(found))
    return "\n".join(parts)


def _ptq(found: dict[str, Any]) -> str:
    rows, exact = found["rows"], found["rows"]["float32"]["psnr_db"]
    height, width = found["frame"]
    lines = [
        "## After training, and in training",
        "",
        f"{found['network']} ×{found['scale']}, ranges from {found['ranges_from']} images, judged on",
        f"{found['images']}; milliseconds for {height}×{width} by LiteRT with one thread on {found['processor']};",
        f"commit {found['commit']}.",
        "",
        "| ranges | PSNR | | ms | kB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['psnr_db']:.3f} | {_difference(row['psnr_db'] - exact)} | {row['ms']:.1f} "
            f"| {row['bytes'] / 1000:.0f} |"
            for name, row in rows.items()
        ),
        "",
        "*Extremes* lets calibration see black and white; *16 bits* are activations of the first and last layer, or of",
        "all, in an int16x8 file, for which LiteRT has no fast kernels on this processor.",
        "",
        "Made again by `python benchmarks/ptq.py FLOAT.pt --trained INTEGER.pt --data FOLDER --valid FOLDER`.",
        "",
    ]
    return "\n".join(lines)


def _equivalent(found: dict[str, Any]) -> str:
    height, width = found["frame"]
    times = [key for key in next(iter(found["rows"].values())) if key.endswith("_ms")]
    names = {"litert_1_ms": "LiteRT, 1 thread", "litert_2_ms": "LiteRT, 2 threads", "openvino_ms": "OpenVINO"}
    lines = [
        "## The skip folded away",
        "",
        f"{found['network']} ×{found['scale']} with its skip, and with the skip carried through the convolutions",
        "(equivalent transformation), each quantised after training and trained in integers for",
        f"{found['steps']:,} steps from the same weights; milliseconds for {height}×{width} on {found['processor']},",
        f"all files in turn; commit {found['commit']}.",
        "",
        "| | parameters | GMAC | PSNR | " + " | ".join(f"{names[key]}, ms" for key in times) + " |",
        "|---|---|---|---|" + "---|" * len(times),
        *(
            f"| {name} | {row['parameters']:,} | {row['gmacs']:.2f} | {row['psnr_db']:.3f} | "
            + " | ".join(f"{row[key]:.1f}" for key in times)
            + " |"
            for name, row in found["rows"].items()
        ),
        "",
        "Made again by `python benchmarks/equivalent.py FLOAT.pt --data FOLDER --valid FOLDER`.",
        "",
    ]
    return "\n".join(lines)


def _half(found: dict[str, Any]) -> str:
    exact = found["rows"]["float32"]["psnr_db"]
    overflows = ", ".join(found["overflows"]) or "nowhere"
    lines = [
        "## Half precision, and 16-bit integers as Light F2SRGAN has them",
        "",
        f"{found['network']} ×{found['scale']} on {found['folder']}, {found['images']} images, from which ranges were",
        f"taken, too; float16 overflows {overflows}; commit {found['commit']}.",
        "",
        "| | bytes of weights | PSNR | | distance to float32, dB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['bytes']:,} | {row['psnr_db']:.3f} | {_difference(row['psnr_db'] - exact)} "
            f"| {row['to_float32_db']:.1f} |"
            for name, row in found["rows"].items()
        ),
        "",
        "*Fake* rounds weights and activations and computes in float32, as the paper's code does: there is no such",
        "file. Made again by `python benchmarks/half.py NETWORK.safetensors FOLDER`.",
        "",
    ]
    return "\n".join(lines)


def _difference(value: float) -> str:
    return "" if value == 0 else f"{value:+.3f}"
