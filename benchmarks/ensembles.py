"""What the mean over eight orientations (`--tta`) gains and costs, for the models that are taken where none is named.

    python benchmarks/ensembles.py DATA

PSNR, RGB, no border, on DATA/benchmarks; times of a 640×360 frame. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import record

from pocketsr.bench.latency import interleaved
from pocketsr.evaluate import evaluate, find_protocol
from pocketsr.evaluate.bank import SETS, protocols_for
from pocketsr.runtime import Upscaler
from pocketsr.weights import STYLES, Entry, defaults

WIDTH, HEIGHT, RUNS = 640, 360, 8
PAGE = record.ROOT / "docs" / "results" / "ensembles.md"


def main(data: Path) -> None:
    entries = [entry for style in STYLES for entry in defaults(style).values()]
    results = {"rows": [row(entry, data) for entry in entries], "processor": record.processor()}
    print(record.write("ensembles", results))
    print(page(results))


def row(entry: Entry, data: Path) -> dict[str, Any]:
    plain, eightfold = Upscaler(entry.name), Upscaler(entry.name, tta=True)
    protocol = find_protocol(protocols_for(entry.style, entry.channels, entry.network, entry.scale)[0])
    figures = {}
    for name in SETS:
        folder = data / "benchmarks" / name
        means = [
            evaluate(one, folder, scale=entry.scale, protocols=[protocol], with_ssim=False).mean(protocol.name).psnr_db
            for one in (plain, eightfold)
        ]
        figures[name] = {"plain_db": means[0], "tta_db": means[1]}
        print(entry.name, name, means, file=sys.stderr)
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    times = interleaved({"plain": lambda: plain(frame), "tta": lambda: eightfold(frame)}, runs=RUNS)
    return {
        "name": entry.name,
        "protocol": protocol.name,
        "figures": figures,
        "plain_ms": times["plain"].median_ms,
        "tta_ms": times["tta"].median_ms,
    }


def page(results: dict[str, Any]) -> str:
    lines = [
        "# The mean over eight orientations: gain and cost",
        "",
        "Written by `make docs`; made again by `python benchmarks/ensembles.py DATA`. PSNR in dB without and with "
        f"`--tta`, the gain, and "
        f"milliseconds for a frame of {WIDTH}×{HEIGHT} on {results['processor']}.",
        "",
        "| | protocol | " + " | ".join(SETS) + " | ms | ms with `--tta` |",
        "|---|---|" + "---|" * len(SETS) + "---|---|",
    ]
    for one in results["rows"]:
        cells = [one["name"], f"`{one['protocol']}`"]
        for name in SETS:
            plain, tta = one["figures"][name]["plain_db"], one["figures"][name]["tta_db"]
            cells.append(f"{plain:.3f} → {tta:.3f} ({tta - plain:+.3f})")
        cells += [f"{one['plain_ms']:.1f}", f"{one['tta_ms']:.1f} ({one['tta_ms'] / one['plain_ms']:.1f} times)"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
