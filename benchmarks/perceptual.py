"""How models for ×4 look, beyond how far their pixels are off: the one for a sharp look beside those for exact pixels.

    POCKETSR_METRICS=FOLDER python benchmarks/perceptual.py DATA

PSNR (RGB, no border), LPIPS (SqueezeNet; lower is nearer to the original) and NIQE (lower is more like a photograph,
whatever the original) on DATA/benchmarks. FOLDER holds what the measures need (docs/reference/metrics.md).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import record

from pocketsr.errors import PocketsrError
from pocketsr.evaluate import evaluate, find_protocol
from pocketsr.evaluate.bank import SETS
from pocketsr.evaluate.benchmarks import bicubic
from pocketsr.evaluate.perceptual import find_measure
from pocketsr.runtime import Upscaler
from pocketsr.weights import find

SCALE, PROTOCOL = 4, "scsrn"
MODELS = ("pocket-x4", "pcarn-m-x4", "pcarn-m-gan-x4")
MEASURES = ("lpips-squeeze", "niqe")
PAGE = record.ROOT / "docs" / "results" / "perceptual.md"


def main(data: Path) -> None:
    protocol = find_protocol(PROTOCOL)
    measures = {name: find_measure(name) for name in MEASURES}
    if missing := [reason for one in measures.values() if (reason := one.reason()) is not None]:
        raise SystemExit(f"error: {missing[0]}")
    judged = {"bicubic": bicubic(SCALE), **{find(name).name: Upscaler(name) for name in MODELS}}
    rows: list[dict[str, Any]] = []
    for name, upscale in judged.items():
        for folder in SETS:
            report = evaluate(
                upscale,
                data / "benchmarks" / folder,
                scale=SCALE,
                protocols=[protocol],
                with_ssim=False,
                measures={key: _measured(one) for key, one in measures.items()},
            )
            mean = report.mean(PROTOCOL)
            rows.append({"model": name, "data": folder, "psnr_db": mean.psnr_db, **mean.more})
            print(rows[-1], file=sys.stderr)
    print(record.write("perceptual", {"scale": SCALE, "protocol": PROTOCOL, "rows": rows}))
    print("now `make docs`")


def _measured(measure: Any) -> Any:
    return lambda output, truth, name: measure(output, truth, name=name)


def page(results: dict[str, Any]) -> str:
    """Return the page of what was measured."""
    rows = {(row["model"], row["data"]): row for row in results["rows"]}
    models, sets = (list(dict.fromkeys(key[index] for key in rows)) for index in (0, 1))
    lines = [
        "# How models look",
        "",
        f"Written by `make docs`; made again by `python benchmarks/perceptual.py DATA`. ×{results['scale']}, clean "
        "images, RGB, no border: PSNR in dB (higher is nearer), LPIPS by SqueezeNet (lower is nearer, as people see "
        "it), NIQE (lower is more like a photograph, whatever the original was). The model for a sharp look was "
        "trained with that LPIPS as one of its losses, so that its figure flatters; NIQE had no part in it.",
        "",
        "| | " + " | ".join(sets) + " |",
        "|---|" + "---|" * len(sets),
    ]
    for model in models:
        cells = []
        for name in sets:
            row = rows[model, name]
            cells.append(f"{row['psnr_db']:.2f} · {row['lpips-squeeze']:.4f} · {row['niqe']:.2f}")
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Each cell: PSNR · LPIPS · NIQE."]) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        main(Path(sys.argv[1]))
    except PocketsrError as error:
        raise SystemExit(f"error: {error}") from error
