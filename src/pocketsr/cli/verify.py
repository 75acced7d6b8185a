"""``pocketsr verify``: does a model file still do what the network it was made from did?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pocketsr.evaluate import Verification

    Truth = tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


@click.command()
@click.argument("model")
@click.option("--against", "reference", required=True, help="What it was made from: checkpoint, network or model.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of high-resolution images.")
@click.option("--max-drop", default=0.1, show_default=True, type=click.FloatRange(min=0), help="PSNR it may lose, dB.")
@click.option("--max-worst", default=0.5, show_default=True, type=click.FloatRange(min=0), help="On any one image, dB.")
@click.option(
    "--max-shift", default=0.25, show_default=True, type=click.FloatRange(min=0), help="Of any colour, levels."
)
@click.option("--backend", default="litert", show_default=True, help="What runs model files.")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="Processor threads [default: all].")
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
def command(
    model: str,
    reference: str,
    data: Path,
    max_drop: float,
    max_worst: float,
    max_shift: float,
    backend: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Check MODEL, a .tflite file or a name from `pocketsr models`, against the network it was made from.

    Looks at quality, darkening, black and white, banding on smooth ramps and odd sizes, all on the file itself. Exit
    code 0: all within bounds; 1: not, with advice.
    """
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate import Bounds, verify

    artefact, scale = resolve(model, None, backend, threads)
    other, other_scale = resolve(reference, scale, backend, threads)
    if scale != other_scale:
        raise click.UsageError(f"{model} upscales by {scale}, {reference} by {other_scale}")
    bounds = Bounds(drop_db=max_drop, worst_db=max_worst, shift=max_shift)
    found = verify(artefact, other, _truths(data, scale), bounds=bounds)
    if as_json:
        click.echo(json.dumps({"model": model, "against": reference, **found.to_dict()}, indent=2))
    else:
        _print(found)
    if not found.passed:
        raise SystemExit(1)


def _truths(folder: Path, scale: int) -> Iterator[Truth]:
    from pocketsr.image import downscale, list_images, read_image
    from pocketsr.image.resize import crop_to_multiple

    for file in list_images(folder):
        high = crop_to_multiple(read_image(file).pixels, scale)
        yield file.name, downscale(high, scale), high


def _print(found: Verification) -> None:
    for check in found.checks:
        verdict = "ok  " if check.passed else "FAIL"
        click.echo(f"{verdict} {check.name:<16} {check.words} [{check.figure:.3f}, at most {check.bound:g}]")
        if not check.passed:
            click.echo(f"     advice: {check.advice}")
