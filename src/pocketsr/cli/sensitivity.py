"""``pocketsr sensitivity``: where in a network 8 bits hurt."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import click

#: Side of the crops that are run; the reference executor is slow.
_CROP = 48


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of high-resolution images.")
@click.option("--count", default=4, show_default=True, type=click.IntRange(min=1), help="How many of them to run.")
@click.option("--ptq", default="minmax", show_default=True, type=click.Choice(["minmax", "percentile", "mse"]))
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
def command(checkpoint: Path, images: Path, count: int, ptq: str, as_json: bool) -> None:
    """Round each layer of CHECKPOINT alone to 8 bits, and list what it does to the output, the worst first.

    CHECKPOINT is a float .pt of `pocketsr train` or a .safetensors of `pocketsr import`.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.compress.calibrate import activation_maxima
    from pocketsr.compress.sensitivity import sensitivity
    from pocketsr.image import downscale, list_images, read_image, rgb_to_y
    from pocketsr.lower import trace
    from pocketsr.train.distillation import load_teacher

    network = load_teacher(str(checkpoint))
    graph = trace(network)
    files = list_images(images)
    crops = []
    for file in files[:: max(1, len(files) // count)][:count]:
        low = downscale(read_image(file).pixels, network.scale)
        low = low if network.channels == 3 else rgb_to_y(low)[:, :, None].astype("uint8")
        top, left = (max(0, side - _CROP) // 2 for side in low.shape[:2])
        crops.append(low[top : top + _CROP, left : left + _CROP])
    maxima = activation_maxima(graph, crops, method=ptq)  # type: ignore[arg-type]
    found = sensitivity(graph, crops, maxima)
    if as_json:
        rows = [dataclasses.asdict(one) for one in found]
        for row in rows:
            row["psnr_db"] = row["psnr_db"] if math.isfinite(row["psnr_db"]) else None
        click.echo(json.dumps({"checkpoint": str(checkpoint), "images": len(crops), "places": rows}, indent=2))
        return
    click.echo(f"{'place':<28} {'rounded':<11} {'PSNR dB':>8} {'shift':>7} {'step':>9}")
    for one in found:
        click.echo(f"{one.place:<28} {one.kind:<11} {one.psnr_db:>8.2f} {one.shift:>+7.3f} {one.step:>9.4g}")
    click.echo(f"the worst: {found[0].kind} of {found[0].place}; what 8 bits lose there, training can win back")
