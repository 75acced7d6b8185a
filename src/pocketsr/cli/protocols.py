"""``pocketsr protocols``: what figures mean, and how far two protocols are apart on the same outputs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.evaluate import Protocol

#: What decides a figure, in the order in which one protocol is turned into another, and what each is called.
_FIELDS = {"degradation": "inputs", "fit": "sizes", "channels": "channels", "rounding": "rounding", "border": "border"}
_WORDS = {
    "rgb": "RGB",
    "studio_y": "luma 16..235, rounded (MATLAB)",
    "full_y": "luma 0..255",
    "edsr_y": "luma 16..235 by EDSR's constants, not rounded",
    "swapped_y": "luma 16..235 with red and blue swapped",
    "nearest": "outputs rounded to the nearest level",
    "down": "outputs rounded down",
    "crop": "ground truth cropped to a multiple of the scale",
    "resize": "ground truth resized to a multiple of the scale",
    "stretch": "output stretched over the whole ground truth",
    "gaussian": "SSIM by a Gaussian 11×11 window",
    "uniform": "SSIM by a uniform 7×7 window",
}


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME [NAME]]")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of images: say the difference in decibels, too.")
@click.option("--model", default="bicubic", show_default=True, help="What makes the outputs, as for evaluate.")
@click.option("-s", "--scale", type=click.IntRange(1, 8), help="Factor; bicubic needs it [default: 4 for bicubic].")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads [default: all].")
def command(names: tuple[str, ...], data: Path | None, model: str, scale: int | None, threads: int | None) -> None:
    """List all protocols, explain one, or say how two differ, in words and on --data in decibels.

    From the first to the second one thing is changed after the other, and the mean PSNR said after each.
    """
    from pocketsr.evaluate import PROTOCOLS, find_protocol

    if len(names) > 2:
        raise click.UsageError(f"one protocol is explained, or two compared, not {len(names)}")
    if data is not None and len(names) != 2:
        raise click.UsageError("--data is for the distance of two protocols: name both")
    if not names:
        for protocol in PROTOCOLS:
            other = f" ({', '.join(protocol.aliases)})" if protocol.aliases else ""
            click.echo(f"{protocol.name + other:<24} {protocol.source}")
        return
    chosen = [find_protocol(name) for name in names]
    if len(chosen) == 1:
        click.echo("\n".join(_explained(chosen[0])))
        return
    click.echo("\n".join(_compared(*chosen)))
    if data is not None:
        is_bicubic = model in ("bicubic", "bicubic-opencv")
        click.echo(
            "\n".join(_measured(chosen[0], chosen[1], data, model, scale or (4 if is_bicubic else None), threads))
        )


def _explained(protocol: Protocol) -> list[str]:
    lines = [f"{protocol.name}: {protocol.source}"]
    lines += [f"  {word:<10}{_said(protocol, name)}" for name, word in {**_FIELDS, "ssim": "SSIM"}.items()]
    return [*lines, f"  {'note':<10}{protocol.note}"] if protocol.note else lines


def _compared(first: Protocol, second: Protocol) -> list[str]:
    lines = [f"{first.name}: {first.source}", f"{second.name}: {second.source}"]
    differing = [
        f"  {word:<10}{_said(first, name)}  →  {_said(second, name)}"
        for name, word in {**_FIELDS, "ssim": "SSIM"}.items()
        if getattr(first, name) != getattr(second, name)
    ]
    return lines + (differing or ["  they are the same"])


def _measured(
    first: Protocol, second: Protocol, data: Path, model: str, scale: int | None, threads: int | None
) -> list[str]:
    """Return a line for each change on the way from one protocol to the other, with what it does to the mean PSNR."""
    from pocketsr.cli.resolve import resolve
    from pocketsr.evaluate import evaluate

    found = resolve(model, scale, "litert", threads)
    way, said = [first], [f"{first.name}"]
    for name, word in _FIELDS.items():
        if getattr(first, name) != getattr(second, name):
            step = f"step {len(way)}"
            way.append(dataclasses.replace(way[-1], name=step, **{name: getattr(second, name)}))
            said.append(f"{word}: {_said(second, name)}")
    report = evaluate(found.exact, data, scale=found.scale, protocols=way, with_ssim=False)
    means = [report.mean(protocol.name).psnr_db for protocol in way]
    lines = ["", f"{model} ×{found.scale} on {len(report.rows)} images of {data.name}, PSNR in dB:"]
    for number, (mean, words) in enumerate(zip(means, said, strict=True)):
        change = f"{mean - means[number - 1]:>+8.3f}" if number else " " * 8
        lines.append(f"  {mean:>8.3f} {change}  {words}")
    return [*lines, f"  {second.name} is {means[-1] - means[0]:+.3f} dB from {first.name}"]


def _said(protocol: Protocol, name: str) -> str:
    value = getattr(protocol, name)
    if name == "degradation":
        return ", then ".join(
            step.name + "".join(f" {option} {value}" for option, value in step.options.items()) for step in value
        )
    if name == "border":
        return "as many pixels left out as the scale" if value == "scale" else f"{value} pixels left out"
    return _WORDS[value]
