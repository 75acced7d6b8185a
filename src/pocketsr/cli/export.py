"""``pocketsr export``: a checkpoint becomes a model file that has been checked by running it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pocketsr.graph import Graph
    from pocketsr.spec import ModelSpec
    from pocketsr.train import Checkpoint

    Forward = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Model file to write (.tflite).")
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of images to check the file on.")
@click.option("--count", default=8, show_default=True, type=click.IntRange(min=1), help="How many of them to check on.")
@click.option("--ptq", type=click.Choice(["minmax", "percentile"]), help="Quantise a float checkpoint after training.")
@click.option("--calibrate", default=100, show_default=True, type=click.IntRange(min=1), help="Images for --ptq.")
@click.option("--name", help="Name in the file's description [default: the file's].")
@click.option("--overwrite", is_flag=True, help="Replace the output if it is there.")
def command(
    checkpoint: Path,
    output: Path,
    images: Path,
    count: int,
    ptq: str | None,
    calibrate: int,
    name: str | None,
    overwrite: bool,
) -> None:
    """Write CHECKPOINT as a .tflite model file.

    A stage of integer arithmetic gives an int8 file, any other a float32 file, or an int8 file with --ptq. The file is
    run with LiteRT and refused if it differs: by a byte in int8, by 1e-4 of full range in float32.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.errors import OutputExistsError
    from pocketsr.image import downscale, list_images, read_image
    from pocketsr.lower import write_checked
    from pocketsr.train import read_checkpoint

    if output.exists() and not overwrite:
        raise OutputExistsError(f"{output} is there already; add --overwrite to replace it")
    state = read_checkpoint(checkpoint)
    files = list_images(images)

    def low(file: Path) -> npt.NDArray[np.uint8]:
        return downscale(read_image(file).pixels, state.recipe.scale)

    graph, forward = _lowered(
        state, ptq, [low(file) for file in files[:: max(1, len(files) // calibrate)]] if ptq else []
    )
    spec = _spec(state, graph, name or output.stem)
    found = write_checked(graph, spec, output, forward=forward, images=(low(file) for file in files[:count]))
    equal = found.values - found.different
    words = f"{equal} of {found.values} values identical, largest difference {found.largest:.1e} of full range"
    click.echo(f"checked on {found.images} images: {words}", err=True)
    click.echo(output)


def _lowered(state: Checkpoint, ptq: str | None, images: list[npt.NDArray[np.uint8]]) -> tuple[Graph, Forward]:
    from pocketsr.blocks import Network
    from pocketsr.compress import IntegerNetwork, quantise
    from pocketsr.compress.integer import REWRITES
    from pocketsr.lower import trace
    from pocketsr.train import restore, to_levels

    network = restore(state, REWRITES)
    if isinstance(network, Network) and ptq:
        network = quantise(network, images, method="percentile" if ptq == "percentile" else "minmax")
    elif ptq:
        raise click.UsageError("--ptq quantises a float checkpoint; this one is of integer arithmetic already")
    if isinstance(network, IntegerNetwork):
        graph = network.graph()
    else:
        assert isinstance(network, Network)
        network = network.folded()
        graph = trace(network)
    return graph, lambda image: to_levels(network, image)


def _spec(state: Checkpoint, graph: Graph, name: str) -> ModelSpec:
    from pocketsr.graph import receptive_field
    from pocketsr.spec import ModelSpec

    return ModelSpec(
        name=name,
        network=state.recipe.network.name,
        scale=state.recipe.scale,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field(graph),
        recipe=state.recipe.name,
        data=state.recipe.data.description,
        licence=state.recipe.data.licence,
    )
