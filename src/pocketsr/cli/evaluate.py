"""``pocketsr evaluate``: figures of a model on folders of ground truth, under named protocols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketsr.evaluate import Protocol, Report


@click.command()
@click.argument("model")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path))
@click.option("-p", "--protocol", "names", multiple=True, default=("abpn",), show_default=True, help="May be repeated.")
@click.option("-s", "--scale", type=click.IntRange(1, 8), help="Factor; only bicubic needs it, models know theirs.")
@click.option("--backend", default="litert", show_default=True, help="What runs the model file.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads [default: all].")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Folder to keep low-resolution inputs in, for next time."
)
@click.option("--no-ssim", is_flag=True, help="PSNR only: quicker.")
@click.option("--json", "as_json", is_flag=True, help="Print every image's figures as JSON.")
def command(
    model: str,
    folders: tuple[Path, ...],
    names: tuple[str, ...],
    scale: int | None,
    backend: str,
    threads: int | None,
    cache: Path | None,
    no_ssim: bool,
    as_json: bool,
) -> None:
    """Judge MODEL on each FOLDER of high-resolution images.

    MODEL is a name from `pocketsr models`, a .tflite file, a training checkpoint (.pt), an imported network
    (.safetensors), "bicubic" (MATLAB's) or "bicubic-opencv". What a figure means is its protocol's: `pocketsr
    protocols` lists and explains them. A folder holds ground truth, or pairs (HR beside LR_bicubic/X3, DIV2K's names,
    or image_SRF_3).
    """
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate import evaluate, find_protocol

    protocols = [find_protocol(name) for name in names]
    found = resolve(model, scale, backend, threads)
    if scale is not None and scale != found.scale:
        raise click.UsageError(f"{model} upscales by {found.scale}, not by {scale}")
    reports = [
        evaluate(found.exact, folder, scale=found.scale, protocols=protocols, with_ssim=not no_ssim, cache=cache)
        for folder in folders
    ]
    for remark in (remark for report in reports for remark in report.remarks):
        click.echo(f"note: {remark}", err=True)
    if as_json:
        click.echo(json.dumps({"model": model, "reports": [report.to_dict() for report in reports]}, indent=2))
    else:
        _print_table(model, reports, protocols, with_ssim=not no_ssim)


def _print_table(model: str, reports: Sequence[Report], protocols: Sequence[Protocol], *, with_ssim: bool) -> None:
    header = f"{'data':<12} {'images':>6} {'protocol':<18} {'PSNR dB':>8}" + (f" {'SSIM':>7}" if with_ssim else "")
    click.echo(f"{model} ×{reports[0].scale}\n{header}")
    for report in reports:
        for protocol in protocols:
            mean = report.mean(protocol.name)
            row = f"{report.folder:<12} {len(report.rows):>6} {protocol.name:<18} {mean.psnr_db:>8.3f}"
            click.echo(row + (f" {mean.ssim:>7.4f}" if with_ssim else ""))
