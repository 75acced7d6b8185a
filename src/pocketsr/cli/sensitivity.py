"""``pocketsr sensitivity``: where in a network 8 bits hurt."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.compress.calibrate import Method

#: Side of the crops that are run; the reference executor is slow.
_CROP = 48


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of high-resolution images.")
@click.option("--count", default=4, show_default=True, type=click.IntRange(min=1), help="How many of them to run.")
@click.option("--ptq", default="minmax", show_default=True, type=click.Choice(["minmax", "percentile", "mse"]))
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
def command(checkpoint: Path, images: Path, count: int, ptq: Method, as_json: bool) -> None:
    """Round each layer of CHECKPOINT alone to 8 bits, then all but it, and list the damage, the worst first.

    CHECKPOINT is a float .pt of `pocketsr train` or a .safetensors of `pocketsr import`.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.compress.calibrate import activation_maxima
    from pocketsr.compress.sensitivity import sensitivity
    from pocketsr.graph import Conv2D
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
    maxima = activation_maxima(graph, crops, method=ptq)
    found = sensitivity(graph, crops, maxima)
    if as_json:
        rows = [{key: _plain(value) for key, value in dataclasses.asdict(one).items()} for one in found.places]
        facts = {"checkpoint": str(checkpoint), "images": len(crops), "all_db": _plain(found.all_db), "places": rows}
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"PSNR of the output against the float network's, dB; with every place rounded: {found.all_db:.2f}")
    click.echo(f"{'place':<28} {'rounded':<11} {'it alone':>8} {'all but it':>10} {'shift':>7} {'step':>9}")
    for one in found.places:
        figures = f"{one.psnr_db:>8.2f} {one.without_db:>10.2f} {one.shift:>+7.3f} {one.step:>9.4g}"
        click.echo(f"{one.place:<28} {one.kind:<11} {figures}")
    if math.isinf(found.all_db):
        click.echo("8 bits lose nothing on these images")
        return
    wide = found.keep_wide
    layers = {op.output.name for op in graph.ops if isinstance(op, Conv2D)}
    by_hand = f"export with --wide {wide.place}, " if wide.kind == "activation" and wide.place in layers else ""
    click.echo(
        f"kept wide, the {wide.kind} of {wide.place} would win most: {wide.without_db - found.all_db:+.2f} dB; "
        f"{by_hand}try --ptq mse, or train a stage of integer arithmetic"
    )


def _plain(value: object) -> object:
    """JSON has no infinity: null stands for no difference at all."""
    return None if value == math.inf else value
