"""Writes the tables of README.md and the page on few bits from result files, and pages of what the package lists.

``--check`` only says whether they are current.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import default_choice
import ensembles
import int8_page
import models_page
import perceptual
import photos_page
import recipe_keys_page
import recipes_page
import record
import speed_page
import video_page
from click.testing import CliRunner

from pocketsr.cli import main as pocketsr

README = record.ROOT / "README.md"
NETWORKS = record.ROOT / "docs" / "reference" / "networks.md"
RECIPES = record.ROOT / "docs" / "reference" / "recipes.md"
INT8 = record.ROOT / "docs" / "results" / "int8.md"
TRAINING = record.ROOT / "docs" / "results" / "training.md"
RECIPE_KEYS = record.ROOT / "docs" / "reference" / "recipe-keys.md"
BEGIN, END = "<!-- results -->", "<!-- end results -->"


def tables() -> str:
    """Return the Markdown between the markers."""
    parts = [
        "PSNR in dB of the int8 models in the package; [all](docs/reference/models.md), with float32 and the bank:",
        "",
        *models_page.readme_table(),
        "",
        "Made again, and compared with the models' cards, by `make reproduce-bank`.",
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
    bench = record.read_bench("bench")
    if bench is not None and (rows := speed_page.peers_table(bench)):
        parts += [
            "",
            f"Beside others in the same run, {bench.results[0].threads} threads; commit {bench.commit}:",
            "",
            *rows,
            "",
            "Networks of others have random weights, which cost the same: [how](docs/results/speed.md).",
        ]
    return "\n".join(parts)


def training_page() -> str:
    """Return the page on how fast training is."""
    lines = [
        "# Training speed",
        "",
        "ABPN ×3 on batches of 16 × 64×64. Written by `make docs`; made again by",
        "`python benchmarks/training.py FOLDER`.",
    ]
    if (training := record.read("training")) is not None:
        lines += [
            "",
            f"On {training['processor']}; commit {training['commit']}:",
            "",
            "| | steps a second | waiting for data | peak memory |",
            "|---|---|---|---|",
            *(
                f"| {name} | {row['steps_per_second']:.1f} | {_share(row.get('waiting'))} | {row['peak_mb']:.0f} MB |"
                for name, row in training["abpn-x3"].items()
            ),
        ]
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _known(suite: str) -> dict[str, Any]:
    results = record.read(suite)
    assert results is not None, f"run benchmarks/{suite}.py"
    return results


def networks_page() -> str:
    """Return the page of all networks, counted from their graphs."""
    rows = json.loads(CliRunner().invoke(pocketsr, ["networks", "--json"]).stdout)
    lines = [
        "# Networks",
        "",
        "Counted from the networks by `pocketsr networks --json`; this page is written by `make docs`. Parameters are",
        "the folded network's. GMAC are multiplications by weights, in 10⁹, for an output of that size; biases,",
        "activations and copies are not counted. *Sees* is the receptive field in low-resolution pixels to each side.",
        "What papers and public code say, and what was chosen: [plain](networks/plain.md),",
        "[classic](networks/classic.md), [cascading](networks/cascading.md), [Fourier](networks/fourier.md).",
        "",
        "| network | | parameters | 720p | 1080p | 4K | sees | float32 | int8 | ONNX |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = [row[f"gmacs_{frame}"] for frame in ("720p", "1080p", "4K")]
        cells = [row["network"], f"×{row['scale']}", f"{row['parameters']:,}"]
        cells += ["–" if figure is None else f"{figure:.2f}" for figure in figures]
        cells.append("–" if row["receptive_field"] is None else str(row["receptive_field"]))
        cells += ["yes" if row[form] else "–" for form in ("float32", "int8", "onnx")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def current(text: str) -> str:
    """Return the README with fresh tables."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    pages = {
        README: current(README.read_text(encoding="utf-8")),
        NETWORKS: networks_page(),
        RECIPES: recipes_page.page(),
        models_page.PAGE: models_page.page(),
        INT8: int8_page.page(),
        TRAINING: training_page(),
        default_choice.PAGE: default_choice.page(_known("default_choice")),
        ensembles.PAGE: ensembles.page(_known("ensembles")),
        perceptual.PAGE: perceptual.page(_known("perceptual")),
        RECIPE_KEYS: recipe_keys_page.page(),
        photos_page.PAGE: photos_page.page(),
        speed_page.PAGE: speed_page.page(),
        video_page.PAGE: video_page.page(),
    }
    if "--check" in arguments:
        return int(any(not path.exists() or path.read_text(encoding="utf-8") != text for path, text in pages.items()))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    speed_page.draw()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
