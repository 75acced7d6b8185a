"""``pocketsr evaluate``: figures of a model on folders of ground truth, under named protocols."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy.typing as npt

    from pocketsr.cli.resolve import Resolved
    from pocketsr.evaluate import Protocol, Report
    from pocketsr.evaluate.benchmarks import Measuring
    from pocketsr.evaluate.inputs import Item
    from pocketsr.evaluate.perceptual.measure import Measure
    from pocketsr.evaluate.record import Latency, Record

#: Low-resolution frame that is timed for the record, and how often.
_FRAME, _RUNS = (360, 640), 5


@click.command()
@click.argument("model")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path))
@click.option("-p", "--protocol", "names", multiple=True, default=("abpn",), show_default=True, help="May be repeated.")
@click.option(
    "-m", "--metric", "metrics", multiple=True, help="One more figure, such as lpips-squeeze; again for more."
)
@click.option("--weights", type=click.Path(path_type=Path), help="Folder with the files that metrics need.")
@click.option("-s", "--scale", type=click.IntRange(1, 8), help="Factor; only bicubic needs it, models know theirs.")
@click.option("--backend", default="auto", show_default=True, help="What runs the model file.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads [default: all].")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Folder to keep low-resolution inputs in, for next time."
)
@click.option("--no-ssim", is_flag=True, help="PSNR only: quicker.")
@click.option("--json", "as_json", is_flag=True, help="Print every image's figures as JSON.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Record to write, for `pocketsr report`.")
@click.option("--save", type=click.Path(path_type=Path), help="Folder to keep outputs in, beside their ground truth.")
@click.option("--time", "is_timed", is_flag=True, help=f"Time a frame of {_FRAME[0]}×{_FRAME[1]} for the record, too.")
def command(
    model: str,
    folders: tuple[Path, ...],
    names: tuple[str, ...],
    metrics: tuple[str, ...],
    weights: Path | None,
    scale: int | None,
    backend: str,
    threads: int | None,
    cache: Path | None,
    no_ssim: bool,
    as_json: bool,
    output: Path | None,
    save: Path | None,
    is_timed: bool,
) -> None:
    """Judge MODEL on each FOLDER of high-resolution images.

    MODEL is a name from `pocketsr models`, a .tflite or .onnx file, a training checkpoint (.pt), an imported network
    (.safetensors), "bicubic" (MATLAB's) or "bicubic-opencv". What a figure means is its protocol's: `pocketsr
    protocols` lists and explains them. A folder holds ground truth, or pairs (HR beside LR_bicubic/X3, DIV2K's names,
    or image_SRF_3).
    """
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate import evaluate, find_protocol

    protocols = [find_protocol(name) for name in names]
    if save is not None and output is None:
        raise click.UsageError("--save keeps outputs beside a record: say where to write it with -o")
    if output is not None and not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.parent} to write {output.name} in; create it first")
    asked, missing = _measures(metrics, weights)
    found = resolve(model, scale, backend, threads)
    if scale is not None and scale != found.scale:
        raise click.UsageError(f"{model} upscales by {found.scale}, not by {scale}")
    reports = [
        evaluate(
            found.exact,
            folder,
            scale=found.scale,
            protocols=protocols,
            with_ssim=not no_ssim,
            measures={name: _measuring(measure, weights) for name, measure in asked.items()},
            cache=cache,
            on_output=None if save is None else _keeping(save / folder.name, protocols[0]),
        )
        for folder in folders
    ]
    for remark in (remark for report in reports for remark in report.remarks):
        click.echo(f"note: {remark}", err=True)
    for reason in missing.values():
        click.echo(f"note: {reason}", err=True)
    if output is not None:
        from pocketsr.evaluate.record import write_record

        latency = _latency(found, threads) if is_timed else None
        write_record(_record(model, found, reports, asked, missing, latency, output, save), output)
    if as_json:
        click.echo(json.dumps({"model": model, "reports": [report.to_dict() for report in reports]}, indent=2))
    else:
        _print_table(model, reports, protocols, list(asked), with_ssim=not no_ssim)


def _measures(names: Sequence[str], weights: Path | None) -> tuple[dict[str, Measure], dict[str, str]]:
    """Return the metrics that can run, and for the others why not."""
    if not names:
        return {}, {}
    from pocketsr.evaluate.perceptual.measures import find_measure

    found = {name: find_measure(name) for name in names}
    missing = {name: reason for name, measure in found.items() if (reason := measure.reason(weights)) is not None}
    return {name: measure for name, measure in found.items() if name not in missing}, missing


def _measuring(measure: Measure, weights: Path | None) -> Measuring:
    return lambda output, truth, name: measure(output, truth, name=name, folder=weights)


def _keeping(folder: Path, chosen: Protocol) -> Callable[[Item, Protocol, npt.NDArray[Any]], None]:
    """Return what writes each output and its ground truth, as the first protocol has them."""
    import numpy as np
    from PIL import Image

    from pocketsr.image import replacing

    folder.mkdir(parents=True, exist_ok=True)

    def keep(item: Item, protocol: Protocol, output: npt.NDArray[Any]) -> None:
        if protocol is not chosen:
            return
        made = output if output.dtype == np.uint8 else np.clip(np.rint(output), 0, 255).astype(np.uint8)
        stem = Path(item.name).stem
        for name, pixels in ((f"{stem}.png", made), (f"{stem}.truth.png", item.inputs[protocol.name][1])):
            with replacing(folder / name, overwrite=True) as temporary:
                Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, "PNG")

    return keep


def _latency(found: Resolved, threads: int | None) -> Latency:
    import os

    import numpy as np

    from pocketsr.evaluate.record import Latency

    frame = np.random.default_rng(0).integers(0, 256, (*_FRAME, 3), dtype=np.uint8)
    times = []
    for _ in range(_RUNS + 1):
        began = time.perf_counter()
        found.upscale(frame)
        times.append(1000 * (time.perf_counter() - began))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Latency(median_ms=median(times[1:]), height=_FRAME[0], width=_FRAME[1], threads=threads or cores)


def _record(
    model: str,
    found: Resolved,
    reports: Sequence[Report],
    asked: Mapping[str, Measure],
    missing: Mapping[str, str],
    latency: Latency | None,
    output: Path,
    save: Path | None,
) -> Record:
    import os
    from datetime import datetime

    from pocketsr.cli.circumstances import command_line, commit, processor, versions
    from pocketsr.evaluate.record import JudgedFolder, JudgedModel, Metric, Record

    known = {"psnr_db": Metric(is_higher_better=True, unit="dB"), "ssim": Metric(is_higher_better=True)}
    for name, measure in asked.items():
        known[name] = Metric(is_higher_better=measure.is_higher_better, unit=measure.unit)
    folders = []
    for report in reports:
        plain = report.to_dict()
        folders.append(
            JudgedFolder(
                folder=report.folder,
                sha256=report.digest,
                scale=report.scale,
                means=plain["means"],
                rows=plain["rows"],
            )
        )
    return Record(
        model=JudgedModel(name=model, scale=found.scale, **found.facts),
        command=command_line(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=processor(),
        commit=commit(),
        versions=versions(),
        latency=latency,
        reports=tuple(folders),
        metrics=known,
        unavailable=dict(missing),
        outputs=None if save is None else Path(os.path.relpath(save.absolute(), output.absolute().parent)).as_posix(),
    )


def _print_table(
    model: str, reports: Sequence[Report], protocols: Sequence[Protocol], more: Sequence[str], *, with_ssim: bool
) -> None:
    header = f"{'data':<12} {'images':>6} {'protocol':<18} {'PSNR dB':>8}" + (f" {'SSIM':>7}" if with_ssim else "")
    click.echo(f"{model} ×{reports[0].scale}\n{header}" + "".join(f" {name:>{max(8, len(name))}}" for name in more))
    for report in reports:
        for protocol in protocols:
            mean = report.mean(protocol.name)
            row = f"{report.folder:<12} {len(report.rows):>6} {protocol.name:<18} {mean.psnr_db:>8.3f}"
            row += f" {mean.ssim:>7.4f}" if with_ssim else ""
            for name in more:
                value = mean.more[name]
                row += f" {value if math.isfinite(value) else float('nan'):>{max(8, len(name))}.4f}"
            click.echo(row)
