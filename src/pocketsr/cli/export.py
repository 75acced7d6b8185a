"""``pocketsr export``: a trained or imported network becomes a model file that has been checked by running it.

A model file is taken, too, to be written in another form.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pocketsr.compress.calibrate import Method
    from pocketsr.graph import Graph
    from pocketsr.spec import ModelSpec
    from pocketsr.train.recipe import Rounding

    Forward = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network to export and what its file will say.

    Attributes:
        network: Float, or of integer arithmetic.
        facts: Fields of the file's description.
    """

    network: Any
    facts: dict[str, Any]


@click.command()
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of images to check the file on.")
@click.option("--count", default=8, show_default=True, type=click.IntRange(min=1), help="How many of them to check on.")
@click.option("--format", "form", type=click.Choice(["tflite", "onnx"]), help="[default: by the output's ending]")
@click.option("--precision", type=click.Choice(["float32", "int8"]), help="[default: the checkpoint's]")
@click.option(
    "--ptq", type=click.Choice(["minmax", "percentile", "mse"]), help="How int8 ranges are set after training."
)
@click.option(
    "--rounding",
    type=click.Choice(["compensated", "nearest"]),
    help="How weights are rounded after training: each making up for those before, or each to its nearest step  "
    "[default: compensated].",
)
@click.option("--extremes", is_flag=True, help="Let the images for that reach black and white.")
@click.option("--equivalent", "folds_skip", is_flag=True, help="Fold the skip into the convolutions, as ETDS does.")
@click.option(
    "--split-sums",
    "splits_sums",
    is_flag=True,
    help="After training: put the parts of sums that convolutions take side by side, each in steps that suit it.",
)
@click.option(
    "--own-steps",
    is_flag=True,
    help="After training: give sums, and what stands in concatenations, steps of their own.",
)
@click.option(
    "--wide",
    multiple=True,
    metavar="LAYER",
    help="Layer of an int8 file to compute with activations of 16 bits, or `ends`, or `all`. Again for more.",
)
@click.option("--calibrate", default=100, show_default=True, type=click.IntRange(min=1), help="Images for that.")
@click.option("--size", metavar="HxW", help="Size for readers that cannot resize; binds an ONNX file to it.")
@click.option(
    "--challenge", is_flag=True, help="Write NAME_time.tflite beside it, bound to 1×360×640×3 or --size, for timing."
)
@click.option("--name", help="Name in the file's description [default: the file's].")
@click.option("--overwrite", is_flag=True, help="Replace the output if it is there.")
def command(
    checkpoint: str,
    output: Path,
    images: Path,
    count: int,
    form: str | None,
    precision: str | None,
    ptq: Method | None,
    rounding: Rounding | None,
    extremes: bool,
    folds_skip: bool,
    splits_sums: bool,
    own_steps: bool,
    wide: tuple[str, ...],
    calibrate: int,
    size: str | None,
    challenge: bool,
    name: str | None,
    overwrite: bool,
) -> None:
    """Write CHECKPOINT as a .tflite or .onnx model file.

    CHECKPOINT is a .pt of `pocketsr train`, a .safetensors of `pocketsr import`, or a model (a name of `pocketsr
    models` or a .tflite) to be written in another form. A stage of integer arithmetic gives an int8 file, any other a
    float32 file, or with --precision int8 a file quantised after training. The file is run and refused if it differs:
    by a byte in int8, as ONNX by more than two levels, in float32 by 1e-4 of full range.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.compress.calibrate import with_extremes
    from pocketsr.errors import OutputExistsError
    from pocketsr.image import downscale, list_images, read_image
    from pocketsr.lower import write_checked, write_onnx_checked

    timed = output.with_name(f"{output.stem}_time{output.suffix}")
    for target in (output, timed) if challenge else (output,):
        if target.exists() and not overwrite:
            raise OutputExistsError(f"{target} is there already; add --overwrite to replace it")
    if not output.parent.is_dir():
        raise click.UsageError(f"there is no folder {output.parent} to write {output.name} in; create it first")
    form = form or ("onnx" if output.suffix.lower() == ".onnx" else "tflite")
    bound = parse_size(size)
    if ptq and precision == "float32":
        raise click.UsageError("--ptq makes an int8 file; it does not go with --precision float32")
    of_int8 = {"wide": wide, "rounding": rounding, "split_sums": splits_sums, "own_steps": own_steps}
    for key, given in of_int8.items():
        if given and not ptq and precision != "int8":
            option = key.replace("_", "-")
            raise click.UsageError(
                f"--{option} is for files quantised here: add --ptq; in a recipe it is the stage's `{key}`"
            )
    if challenge and form == "onnx":
        raise click.UsageError("--challenge is a pair of .tflite files; name the output NAME.tflite")

    def low(file: Path, scale: int, channels: int) -> npt.NDArray[np.uint8]:
        pixels = downscale(read_image(file).pixels, scale)
        return pixels if channels == 3 else _luma(pixels)

    trained = None if _is_model(checkpoint) else _trained(Path(checkpoint))
    files = list_images(images)
    if trained is None:
        if precision or ptq or rounding or wide or folds_skip or splits_sums or own_steps or extremes:
            raise click.UsageError(f"{checkpoint} is a model file, to be written as it is: leave out what changes it")
        graph, forward, spec = _opened(checkpoint, name)
    else:
        scale, channels = trained.network.scale, getattr(trained.network, "channels", 3)

        def representative() -> Iterable[npt.NDArray[np.uint8]]:
            lows = [low(file, scale, channels) for file in files[:: max(1, len(files) // calibrate)]]
            return with_extremes(lows) if extremes else lows

        graph, forward = _lowered(
            trained.network,
            precision,
            ptq,
            representative,
            rounding=rounding or "compensated",
            folds_skip=folds_skip,
            splits_sums=splits_sums,
            own_steps=own_steps,
            wide=wide,
        )
        spec = _spec(trained, graph, name or output.stem)
    samples = [low(file, graph.scale, graph.input.channels) for file in files[:count]]
    if form == "onnx":
        found = write_onnx_checked(graph, spec, output, forward=forward, images=samples, size=bound)
    else:
        found = write_checked(
            graph, spec, output, forward=forward, images=samples, size=None if challenge else bound
        )  # fmt: skip
    equal = found.values - found.different
    words = f"{equal} of {found.values} values identical, largest difference {found.largest:.1e} of full range"
    click.echo(f"checked on {found.images} images: {words}", err=True)
    click.echo(output)
    if challenge:
        write_checked(graph, spec, timed, forward=forward, images=samples, size=bound, is_fixed=True)
        click.echo(timed)


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Return height and width as an option has them."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if not found or not all(int(side) for side in found.groups()):
        raise click.UsageError(f"--size is height and width such as 360x640, not {text!r}")
    return int(found[1]), int(found[2])


def _is_model(checkpoint: str) -> bool:
    """Whether a word is a model: a name of the catalogue, or a file of that kind."""
    from pocketsr.weights import entries

    return checkpoint.endswith(".tflite") or checkpoint in [entry.name for entry in entries()]


def _opened(model: str, name: str | None) -> tuple[Graph, Forward, ModelSpec]:
    """Read a model file, and return what it computes by running it."""
    from pocketsr.graph.tflite import read_model
    from pocketsr.lower.parity import file_forward
    from pocketsr.runtime import model_path

    path = model_path(model)
    graph, spec = read_model(path)
    return graph, file_forward(path), dataclasses.replace(spec, name=name or spec.name)


def _trained(path: Path) -> Trained:
    """Read a checkpoint of training, or a network that was saved or imported."""
    if path.suffix == ".safetensors":
        from pocketsr.networks.saved import load_network

        network, facts = load_network(path)
        return Trained(network, {"network": facts["name"], "data": facts["source"], "licence": facts["licence"]})
    from pocketsr.compress.integer import REWRITES
    from pocketsr.train import read_checkpoint, restore

    state = read_checkpoint(path)
    recipe = state.recipe
    described = {"recipe": recipe.name, "data": recipe.data.description, "licence": recipe.data.licence}
    return Trained(restore(state, REWRITES), {"network": recipe.network.name, **described})


def _luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from pocketsr.image import rgb_to_y

    return rgb_to_y(pixels)[:, :, None].astype("uint8")


def _lowered(
    network: Any,
    precision: str | None,
    ptq: Method | None,
    representative: Callable[[], Iterable[npt.NDArray[np.uint8]]],
    *,
    rounding: Rounding,
    folds_skip: bool,
    splits_sums: bool,
    own_steps: bool,
    wide: tuple[str, ...],
) -> tuple[Graph, Forward]:
    from pocketsr.compress import IntegerNetwork, quantise
    from pocketsr.compress.equivalent import equivalent
    from pocketsr.lower import trace
    from pocketsr.train import to_levels

    if isinstance(network, IntegerNetwork):
        if precision == "float32":
            raise click.UsageError("this checkpoint is of integer arithmetic; export the float stage's for float32")
        if folds_skip:
            raise click.UsageError("--equivalent folds a float network; set equivalent = true in the integer stage")
        if ptq or wide or splits_sums or own_steps:
            raise click.UsageError(
                "--ptq, --wide, --split-sums and --own-steps quantise a float checkpoint; this one is of integer "
                "arithmetic already"
            )
        graph = network.graph()
    elif ptq or precision == "int8":
        network = quantise(
            network,
            representative(),
            method=ptq or "minmax",
            rounding=rounding,
            folds_skip=folds_skip,
            splits_sums=splits_sums,
            own_steps=own_steps,
            wide=wide,
        )
        graph = network.graph()
    else:
        network = network.folded()
        graph = equivalent(trace(network)) if folds_skip else trace(network)
    return graph, lambda image: to_levels(network, image)


def _spec(trained: Trained, graph: Graph, name: str) -> ModelSpec:
    from pocketsr.graph import receptive_field
    from pocketsr.spec import ModelSpec

    return ModelSpec(
        name=name,
        scale=graph.scale,
        channels=graph.input.channels,
        precision=graph.precision,
        receptive_field=receptive_field(graph),
        **trained.facts,
    )
