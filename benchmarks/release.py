"""Bundles a trained run: exports its files, measures them, and writes catalogue, card and result file.

    python benchmarks/release.py RUN NAME --images FOLDER --calibrate FOLDER --benchmarks FOLDER

RUN is a folder of ``pocketsr train`` whose recipe ends with a stage ``integer`` after one or more float ones. The
int8 file becomes NAME; the last float stage's file becomes NAME-float. A post-training quantisation of that stage is
measured beside them, and not bundled.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import quality
import record
from click.testing import CliRunner

from pocketsr.cli import main as pocketsr
from pocketsr.graph.tflite import read_spec
from pocketsr.train import Recipe, read_checkpoint

Figures = dict[str, Any]
WEIGHTS = record.ROOT / "src" / "pocketsr" / "weights"

CARD = """# {name}

ABPN ×{scale}, {precisions}: a plain network of seven 3×3 convolutions with an anchor residual (Du et al., CVPR
Workshops 2021), 42,539 parameters at ×3, receptive field {receptive_field} low-resolution pixels.

- **For**: enlarging photographs and video frames {scale} times, quickly, on any processor. It sharpens edges and
  restores fine texture a little; it invents nothing and removes neither noise nor compression artefacts.
- **Trained on**: {data}. Weights: {licence}.
- **Recipe**: `{recipe}`, {steps}. Made again by `pocketsr train {recipe}`.
- **Input**: shrunk by MATLAB-compatible bicubic in training. Images shrunk otherwise come out softer or sharper.

PSNR in dB, RGB, border 1:

{table}

The int8 file computes, byte for byte, what integer-domain training computed; `pocketsr export` checked that. The row
`{name} PTQ` is the float network quantised after training instead (min-max ranges of {calibration} training images); it
is not bundled.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--images", type=Path, required=True, help="to check the files on")
    parser.add_argument("--calibrate", type=Path, required=True, help="training images, for the PTQ row")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder with Set5, Set14, BSD100")
    options = parser.parse_args()
    name = options.name
    int8, float32 = WEIGHTS / f"{name}.tflite", WEIGHTS / f"{name}-float.tflite"
    export(options.run / "integer.pt", int8, options.images)
    last_float = options.run / f"{recipe_of(options.run).stages[-2].name}.pt"
    export(last_float, float32, options.images)
    write_catalogue(name, {})
    with tempfile.TemporaryDirectory() as folder:
        ptq = Path(folder) / "ptq.tflite"
        export(last_float, ptq, options.calibrate, "--ptq", "minmax")
        quality.main(options.benchmarks, [f"{name} PTQ={ptq}"])
    figures = record.read("quality")
    assert figures is not None
    write_catalogue(name, figures)
    write_card(name, figures, options.run)


def recipe_of(run: Path) -> Recipe:
    """Return the recipe that a finished run followed."""
    return read_checkpoint(run / "integer.pt").recipe


def export(checkpoint: Path, output: Path, images: Path, *more: str) -> None:
    """Call ``pocketsr export`` as a user would."""
    arguments = ["export", str(checkpoint), "-o", str(output), "--images", str(images), "--overwrite", *more]
    done = CliRunner().invoke(pocketsr, [*arguments, "--name", output.stem])
    if done.exit_code:
        raise SystemExit(done.stderr)
    print(done.stderr.strip().splitlines()[-1])


def write_catalogue(name: str, figures: Figures) -> None:
    """Write the two entries; other models' entries are kept."""
    path = WEIGHTS / "catalogue.toml"
    comment, *tables = path.read_text().split("\n[[entries]]\n")
    kept = [text for text in tables if f'card = "{name}.md"' not in text]
    made = [table(file, name, figures) for file in (f"{name}.tflite", f"{name}-float.tflite")]
    path.write_text("\n[[entries]]\n".join([comment.strip() + "\n", *(text.strip() + "\n" for text in made + kept)]))
    from pocketsr.weights.catalogue import entries

    entries.cache_clear()


def table(file: str, card: str, figures: Figures) -> str:
    """Return one entry of the catalogue as TOML."""
    path = WEIGHTS / file
    spec = read_spec(path)
    values = {
        "name": spec.name,
        "file": file,
        "scale": spec.scale,
        "precision": spec.precision,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": spec.licence,
        "data": spec.data,
        "card": f"{card}.md",
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    if figures:
        lines.append("[entries.scores]")
        for set_, means in figures["models"][spec.name].items():
            lines.append(f'"{set_} RGB border 1 PSNR dB" = {means["abpn"]["psnr_db"]:.3f}')
    return "\n".join(lines)


def figures_row(model: str, sets: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return one line of the card's table."""
    return f"| {model} | " + " | ".join(f"{means['abpn']['psnr_db']:.3f}" for means in sets.values()) + " |"


def write_card(name: str, figures: Figures, run: Path) -> None:
    """Write the model card."""
    spec = read_spec(WEIGHTS / f"{name}.tflite")
    stages = recipe_of(run).stages
    rows = [f"| | {' | '.join(figures['sets'])} |", "|---" * (len(figures["sets"]) + 1) + "|"]
    rows += [
        figures_row(model, sets) for model, sets in figures["models"].items() if model.startswith((name, "bicubic"))
    ]
    (WEIGHTS / f"{name}.md").write_text(
        CARD.format(
            name=name,
            scale=spec.scale,
            precisions="int8 and float32",
            receptive_field=spec.receptive_field,
            data=spec.data,
            licence=spec.licence,
            recipe=spec.recipe,
            steps=" then ".join(f"{stage.steps:,} steps `{stage.name}`" for stage in stages),
            table="\n".join(rows),
            calibration=100,
        )
    )


if __name__ == "__main__":
    main()
