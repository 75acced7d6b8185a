"""``pocketsr verify``: does a model file still do what the network it was made from did?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pocketsr.evaluate import Verification

    Pair = tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]

_BOUND = click.FloatRange(min=0)
#: Columns where nobody looks at a terminal.
_WIDTH = 120


@click.command()
@click.argument("model")
@click.option("--against", "reference", required=True, help="What it was made from: checkpoint, network or model.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of high-resolution images.")
@click.option("--max-drop", default=0.1, show_default=True, type=_BOUND, help="PSNR it may lose, dB.")
@click.option("--max-worst", default=0.5, show_default=True, type=_BOUND, help="On any one image, dB.")
@click.option("--max-shift", default=0.25, show_default=True, type=_BOUND, help="Of any colour, levels.")
@click.option("--max-pixels", default=12.0, show_default=True, type=_BOUND, help="Of 99.9 % of values, levels.")
@click.option("--max-ends", default=1.0, show_default=True, type=_BOUND, help="Of black and white, levels.")
@click.option("--max-banding", default=0.9, show_default=True, type=_BOUND, help="Steps on ramps, levels.")
@click.option("--max-grid", default=1.5, show_default=True, type=_BOUND, help="Pattern on smooth areas, levels.")
@click.option("--backend", default="auto", show_default=True, help="What runs model files.")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="Processor threads [default: all].")
@click.option(
    "--json",
    "report",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write every figure as JSON beside the table, or print it instead where no file is named.",
)
def command(
    model: str,
    reference: str,
    data: Path,
    max_drop: float,
    max_worst: float,
    max_shift: float,
    max_pixels: float,
    max_ends: float,
    max_banding: float,
    max_grid: float,
    backend: str,
    threads: int | None,
    report: str | None,
) -> None:
    """Check MODEL, a .tflite file or a name from `pocketsr models`, against the network it was made from.

    Looks at quality, darkening, black and white, bands and patterns on smooth ramps, and odd sizes, all on the file
    itself; what --max-... bounds is how much worse than the reference it may be. Low-resolution inputs are made by
    MATLAB-compatible bicubic. Exit code 0: all within bounds; 1: not, with advice.
    """
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate import Bounds, verify
    from pocketsr.image import list_images

    if model == "bicubic" or Path(model).suffix in (".pt", ".safetensors", ".onnx"):
        raise click.UsageError(f"verify runs what ships, a .tflite file or a bundled model; {model} is not one")
    if report not in (None, "-") and not Path(report).absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder for {report}")
    files = list_images(data)
    artefact = resolve(model, None, backend, threads)
    other = resolve(reference, artefact.scale, backend, threads)
    if artefact.scale != other.scale:
        raise click.UsageError(f"{model} upscales by {artefact.scale}, {reference} by {other.scale}")
    if other.channels is not None and artefact.channels != other.channels:
        kinds = {1: "luma only", 3: "colour"}
        raise click.UsageError(
            f"{model} knows {kinds[artefact.channels or 3]}, {reference} {kinds[other.channels]}; compare it with the "
            "network it was made from"
        )
    bounds = Bounds(
        drop_db=max_drop,
        worst_db=max_worst,
        shift=max_shift,
        pixels=max_pixels,
        ends=max_ends,
        banding=max_banding,
        grid=max_grid,
    )
    found = verify(artefact.upscale, other.upscale, _pairs(files, artefact.scale), bounds=bounds)
    text = json.dumps({"model": model, "against": reference, "scale": artefact.scale, **found.to_dict()}, indent=2)
    if report == "-":
        click.echo(text)
    else:
        _print(found, f"{model} against {reference}, ×{artefact.scale}")
    if report not in (None, "-"):
        Path(report).write_text(text + "\n", encoding="utf-8")
    if not found.passed:
        raise SystemExit(1)


def _pairs(files: Sequence[Path], scale: int) -> Iterator[Pair]:
    from pocketsr.errors import DataError, SettingError
    from pocketsr.evaluate import find_protocol
    from pocketsr.image import read_image

    protocol = find_protocol("scsrn")
    for file in files:
        try:
            low, high = protocol.degrade(read_image(file).pixels, scale)
        except SettingError as error:
            raise DataError(f"{file}: {error}; take it out of the folder") from error
        yield file.name, low, high


def _print(found: Verification, title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)  # names of files may hold brackets
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(title, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("at most", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found")
    for check in found.checks:
        verdict = Text("ok") if check.passed else Text("FAIL", style="bold red")
        table.add_row(check.name, f"{check.figure:.3f}", f"{check.bound:g} {check.unit}", verdict, check.words)
    console.print(table)
    for check in found.checks:
        if not check.passed:
            console.print(f"{check.name}: {check.advice}", soft_wrap=True)
