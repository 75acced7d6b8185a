"""The measured figures on docs/reference/photo-contract.md, from the result files of photos.py and batch.py."""

from __future__ import annotations

from typing import Any

import record

PAGE = record.ROOT / "docs" / "reference" / "photo-contract.md"
BEGIN, END = "<!-- figures of {} -->", "<!-- end figures -->"


def page() -> str:
    """Return the page with fresh tables between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make in {"alpha": alpha, "16 bits": sixteen_bits, "faithful": faithful, "speed": speed}.items():
        begin = BEGIN.format(name)
        before, rest = text.split(begin)
        _, after = rest.split(END, 1)
        text = f"{before}{begin}\n{make()}\n{END}{after}"
    return text


def alpha() -> str:
    """Return the table of errors in transparency."""
    quality = record.read("photos-quality")
    assert quality is not None, "run benchmarks/photos.py quality"
    edges = quality["alpha_rms_by_edge"]
    lines = ["| edge, pixels of the output | " + " | ".join(edges) + " |", "|---|" + "---|" * len(edges)]
    ways = ("network", "bicubic")
    lines += [f"| {way} | " + " | ".join(f"{row[way]:.1f}" for row in edges.values()) + " |" for way in ways]
    return "\n".join(lines)


def sixteen_bits() -> str:
    """Return the table of errors in 16 bits."""
    quality = record.read("photos-quality")
    assert quality is not None, "run benchmarks/photos.py quality"
    images = quality["sixteen_bits_error_levels"]
    forms = [form for form in next(iter(images.values())) if not form.endswith("in 8 bits")]
    lines = ["| `abpn-x3` | " + " | ".join(images) + " |", "|---|" + "---|" * len(images)]
    for form in forms:
        cells = [f"{row[form]:.3f} ({row[form + ', in 8 bits']:.2f})" for row in images.values()]
        lines.append(f"| {form} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def faithful() -> str:
    """Return the table of what faithful colour does to PSNR."""
    quality = record.read("photos-quality")
    assert quality is not None, "run benchmarks/photos.py quality"
    lines = ["| | mean | worst image | best image | images that gain |", "|---|---|---|---|---|"]
    for name, row in quality["faithful_gain_psnr_rgb"].items():
        lines.append(
            f"| {name} | {row['mean_db']:+.5f} dB | {row['worst_db']:+.5f} dB | {row['best_db']:+.5f} dB "
            f"| {row['images_better']} of {row['images']} |"
        )
    return "\n".join(lines)


def speed() -> str:
    """Return the tables of time and memory, of those results that there are."""
    parts = {"photos-speed": _photo, "photos-large": _large, "batch": _batch}
    found = {suite: record.read(suite) for suite in parts}
    sections = ["\n".join(parts[suite](results)) for suite, results in found.items() if results is not None]
    again = "Made again by `python benchmarks/photos.py speed`, `large` and `python benchmarks/batch.py`."
    return "\n\n".join([*sections, again])


def _photo(photo: dict[str, Any]) -> list[str]:
    return [
        f"A JPEG of {photo['megapixels']:g} megapixels ×2 as a JPEG, whole cold processes, on {photo['processor']}; "
        f"model {photo['model']}:",
        "",
        "| | seconds (median) | min – max | peak memory |",
        "|---|---|---|---|",
        *(
            f"| {way} | {row['median_s']:.2f} | {row['min_s']:.2f} – {row['max_s']:.2f} | {row['peak_mb']} MB |"
            for way, row in photo["ways"].items()
        ),
        *(
            f"| {name}, by {row['runtime']}: estimate | {row['estimated_s']:.0f} | | |"
            for name, row in photo["other_class"].items()
        ),
        "",
        f"{photo['times_pillow']:.1f} times as long as Pillow's Lanczos and encoder. The estimates are for networks of "
        f"Real-ESRGAN's sizes with random weights, timed on a part of the photo ({_gflops(photo)}) and multiplied: the "
        f"tool itself is not here. By them {_times(photo)}.",
    ]


def _large(large: dict[str, Any]) -> list[str]:
    return [
        f"{large['megapixels']:g} megapixels ×{large['scale']}:",
        "",
        "| | seconds | peak memory | output |",
        "|---|---|---|---|",
        *(
            f"| {way} | {row['wall_s']:.0f} | {row['peak_mb']} MB | {row['output_mb']} MB |"
            for way, row in large["ways"].items()
        ),
    ]


def _gflops(photo: dict[str, Any]) -> str:
    return " and ".join(f"{row['gflops']}" for row in photo["other_class"].values()) + " GFLOP/s"


def _times(photo: dict[str, Any]) -> str:
    rows = photo["other_class"].items()
    return "`pocketsr` is " + " and ".join(f"{row['times_ours']:.0f} times as quick as {name}" for name, row in rows)


def _batch(batch: dict[str, Any]) -> list[str]:
    ways = batch["ways"]
    share = max(row["megapixels_per_second"] for way, row in ways.items() if way.startswith("pocketsr"))
    share /= ways["network alone"]["megapixels_per_second"]
    return [
        f"A folder of {batch['images']} JPEGs 640×360 ×3 as JPEGs by {batch['model']}, output megapixels a second:",
        "",
        "| | median | slowest – fastest |",
        "|---|---|---|",
        *(
            f"| {way} | {row['megapixels_per_second']:.1f} | {row['slowest']:.1f} – {row['fastest']:.1f} |"
            for way, row in ways.items()
        ),
        "",
        f"{share:.2f} of the network alone. A cold start of the command on one of them takes "
        f"{batch['cold_start']['wall_s']:.2f} s and {batch['cold_start']['peak_mb']} MB.",
    ]
