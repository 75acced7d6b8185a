"""The report of a pipeline: a table in Markdown, a picture, and the figures as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketsr.errors import MissingExtraError
from pocketsr.image.writing import replacing
from pocketsr.pipeline.measure import Row, Ruler, write_text

if TYPE_CHECKING:
    from pocketsr.pipeline.compression import Pipeline, Step


def write_report(pipeline: Pipeline, rows: Sequence[tuple[Step, Row]], ruler: Ruler, folder: Path) -> Path:
    """Write ``report.md``, ``report.json`` and ``report.png`` and return the first.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = [{"step": step.name, "kind": step.kind, **dataclasses.asdict(row)} for step, row in rows]
    facts = {"pipeline": pipeline.name, "source": pipeline.source, "seed": pipeline.seed}
    terms = {"images": len(ruler.pairs), "height": ruler.height, "width": ruler.width, "runs": ruler.runs}
    write_text(folder / "report.json", json.dumps({**facts, "measured_on": terms, "rows": figures}, indent=2) + "\n")
    _draw(pipeline, rows, folder / "report.png")
    path = folder / "report.md"
    write_text(path, text_of(pipeline, rows, ruler))
    return path


def text_of(pipeline: Pipeline, rows: Sequence[tuple[Step, Row]], ruler: Ruler) -> str:
    """Return the report as Markdown."""
    head = "| step | kind | precision | parameters | GMAC | PSNR dB | SSIM | ms | kB |"
    lines = [f"# {pipeline.name}", "", pipeline.description, "", head, "|---|---|---|---|---|---|---|---|---|"]
    for step, row in rows:
        cells = [
            step.name,
            step.kind,
            row.precision,
            f"{row.parameters:,}",
            _number(row.gmacs, 2),
            f"{row.psnr_db:.3f}",
            f"{row.ssim:.4f}",
            _number(row.latency_ms, 1),
            _number(row.kilobytes, 0),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    size = f"{ruler.height}×{ruler.width}"
    lines += [
        "",
        f"Each row is the model file that the step's network becomes, run by LiteRT: PSNR and SSIM (RGB, no border) "
        f"over {len(ruler.pairs)} images kept apart; GMAC and median milliseconds, all files timed in turn, are for "
        f"one image of {size} pixels.",
        "",
        f"Trained on: {pipeline.data.description or pipeline.data.name}. Source: {pipeline.source}.",
        "",
        "![PSNR over latency](report.png)",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _draw(pipeline: Pipeline, rows: Sequence[tuple[Step, Row]], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.for_extra("matplotlib", "train") from error
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    timed = [(step, row.latency_ms, row.psnr_db) for step, row in rows if row.latency_ms is not None]
    axes.plot([latency for _, latency, _ in timed], [psnr for *_, psnr in timed], color="tab:grey", linewidth=0.8)
    for step, latency, psnr_db in timed:
        axes.plot(latency, psnr_db, "o", color="tab:blue")
        axes.annotate(step.name, (latency, psnr_db), xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("milliseconds an image")
    axes.set_ylabel("PSNR dB")
    axes.set_title(pipeline.name)
    with replacing(path, overwrite=True) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
