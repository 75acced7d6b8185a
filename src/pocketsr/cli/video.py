"""``pocketsr video``: a video becomes a larger one, with its times, tracks and colours."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from pocketsr.cli import show_error
from pocketsr.cli.photo_options import asked_size, size_options
from pocketsr.errors import SettingError

if TYPE_CHECKING:
    from pocketsr.video import Progress, Raw, VideoResult

#: Exit code where an output was written and the input was damaged.
DAMAGED = 3
#: Seconds between two lines of progress as JSON.
_JSON_EVERY_S = 1.0


class _Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A time: seconds, or hours, minutes and seconds with colons."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", str(value)):
            self.fail(f"{value!r} is no time; 90, 1:30 and 0:01:30.5 are", param, ctx)
        seconds = 0.0
        for part in str(value).split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


class _Raw(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Size and pixel format of raw pictures."""

    name = "WxH[:FORMAT]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Raw:
        """Return them."""
        from pocketsr.video import Raw

        found = re.fullmatch(r"(\d+)[x×](\d+)(?::(\w+))?", str(value))
        if not found:
            self.fail(f"{value!r} is no size of raw pictures; 640x360 and 640x360:yuv444p are", param, ctx)
        return Raw(width=int(found[1]), height=int(found[2]), pixel_format=found[3] or "yuv420p")


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option(
    "-m", "-n", "--model", "--model-name", help="Name from `pocketsr models`, or a model file  [default: by scale]."
)
@click.option(
    "--luma/--rgb", "is_luma", default=None, help="Without -m: a model of brightness, chroma by bicubic; or of colour."
)
@size_options
@click.option("-c", "--codec", default="", help="Encoder: libx264, libx265, libsvtav1, ffv1, ...  [default: by OUT].")
@click.option("--crf", type=float, help="Quality, lower is better  [default: by encoder; 18 for libx264].")
@click.option("--bit-rate", type=int, help="Bits a second instead of a quality.")
@click.option("--preset", default="", help="How much work the encoder spends  [default: veryfast for libx264].")
@click.option("--pix-fmt", "pixel_format", default="", help="Pixel format  [default: the nearest to IN].")
@click.option(
    "-e", "--encoder-option", "options", multiple=True, metavar="NAME=VALUE", help="Another of the encoder's."
)
@click.option(
    "-F",
    "--container-option",
    "container_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="One of the container's, as movflags=faststart.",
)
@click.option("--start", type=_Seconds(), default=0.0, help="Begin here: 90, 1:30 or 0:01:30.5.")
@click.option("--duration", type=_Seconds(), help="Stop after this much.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many pictures.")
@click.option("--raw", type=_Raw(), help="IN is raw pictures, as 640x360 or 640x360:yuv444p.")
@click.option("--rate", help="Pictures a second of numbered images and raw ones, as 24 or 30000/1001  [default: 25].")
@click.option(
    "--pipe",
    type=click.Choice(["y4m", "raw", "nut", "mkv", "ts"]),
    default="y4m",
    show_default=True,
    help="What '-' as OUT is; the last three hold sound, too.",
)
@click.option("--preview", is_flag=True, help="Beside each picture, on its left, IN enlarged by bicubic.")
@click.option("--reuse/--no-reuse", default=True, help="Leave out what did not change since the picture before.")
@click.option("--resume", is_flag=True, help="Work in segments, and go on with a job that was stopped.")
@click.option("--drop-streams", is_flag=True, help="Leave out streams that OUT cannot hold.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads of the network  [default: all].")
@click.option("--tile", type=click.IntRange(min=0), default=0, help="Side of a tile in pixels; 0 chooses.")
@click.option("--backend", default="auto", show_default=True, help="What runs the model.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Progress and result as lines of JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes; errors are still shown.")
@click.pass_context
def command(
    context: click.Context,
    /,
    source: str,
    target: str,
    model: str | None,
    is_luma: bool | None,
    codec: str,
    crf: float | None,
    bit_rate: int | None,
    preset: str,
    pixel_format: str,
    options: tuple[str, ...],
    container_options: tuple[str, ...],
    start: float,
    duration: float | None,
    frames: int | None,
    raw: Raw | None,
    rate: str | None,
    pipe: str,
    preview: bool,
    reuse: bool,
    resume: bool,
    drop_streams: bool,
    threads: int | None,
    tile: int,
    backend: str,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **sizes: Any,
) -> None:
    """Make a video larger. IN and OUT are files, numbered images such as frames/%05d.png, or '-' for a pipe.

    Times, sound, subtitles, chapters, metadata, rotation and colours are kept. Exit code 3 says that IN was damaged and
    OUT holds what could be read.
    """
    if not source or not target:
        raise click.UsageError("the name of the input or the output is empty")
    from pocketsr.runtime import open_models
    from pocketsr.video import Encoding, upscale_in_segments, upscale_video

    encoding = Encoding(
        codec=codec,
        crf=crf,
        preset=preset,
        pixel_format=pixel_format,
        bit_rate=bit_rate,
        options=_pairs(options),
        container_options=_pairs(container_options),
        drop_streams=drop_streams,
        pipe=pipe,
        is_preview=preview,
    )
    if resume and (rate is not None or raw is not None):
        raise SettingError("--rate and --raw are for numbered images and raw pictures, which --resume cannot read")
    if model is not None and is_luma is not None:
        raise SettingError("--luma and --rgb choose among models, and -m names one; leave one of them out")
    size = asked_size(sizes)
    # A model of brightness unless --rgb: twice as quick, and on coded clips within 0.02 and 0.13 dB of one of colour
    # (``benchmarks/video_quality.py``).
    models = open_models(
        model, size, backend=backend, threads=threads, tile=tile or None, prefers_luma=is_luma is not False
    )
    if is_luma and models[0].spec.channels != 1:
        raise SettingError(
            "the catalogue has no model of brightness for this size; leave out --luma, or name one by -m"
        )
    given: dict[str, Any] = {"encoding": encoding, "start_s": start, "duration_s": duration, "frames": frames}
    given |= {"size": size, "reuse": reuse, "overwrite": overwrite}
    words_to_stderr = target == "-"
    with _progress(as_json=as_json, quiet=quiet, to_stderr=words_to_stderr) as on_progress:
        if resume:
            result = upscale_in_segments(models, source, target, **given, on_progress=on_progress)
        else:
            result = upscale_video(models, source, target, **given, rate=_rate(rate), raw=raw, on_progress=on_progress)
    _tell(result, target, as_json=as_json, quiet=quiet)
    if result.damage:
        context.exit(DAMAGED)


def _tell(result: VideoResult, target: str, *, as_json: bool, quiet: bool) -> None:
    """Print what became of a video."""
    if as_json:
        values = {
            "event": "done",
            "output": target,
            "frames": result.frames,
            "frames_kept": result.frames_kept,
            "seconds": round(result.seconds, 3),
            "processor_s": round(result.processor_s, 3),
            "frames_per_second": round((result.frames - result.frames_kept) / max(result.seconds, 1e-9), 3),
            "stage_s": {name: round(value, 3) for name, value in result.stage_s.items()},
            "tiles_run": result.tiles_run,
            "tiles": result.tiles,
            "pictures_reused": result.pictures_reused,
            "notes": result.notes,
            "damage": result.damage,
        }
        click.echo(json.dumps(values), err=target == "-")
    elif target != "-":
        click.echo(target)
    if not quiet and not as_json:
        for note in result.notes:
            click.echo(f"note: {target}: {note}", err=True)
    if result.damage:
        show_error(SettingError(f"the input is damaged, what could be read is in {target}: {'; '.join(result.damage)}"))


def _pairs(options: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign or not name:
            raise click.UsageError(f"an option of encoder or container is NAME=VALUE, not {option!r}")
        pairs[name] = value
    return pairs


def _rate(text: str | None) -> Any:
    from fractions import Fraction

    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise click.UsageError(f"a rate is a number or two with a slash, as 24 or 30000/1001, not {text!r}") from None
    if rate <= 0:
        raise click.UsageError(f"a rate is more than 0, not {text}")
    return rate


@contextlib.contextmanager
def _progress(*, as_json: bool, quiet: bool, to_stderr: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Give what to call after each picture."""
    if as_json:
        last = [time.monotonic()]

        def print_line(progress: Progress) -> None:
            if time.monotonic() - last[0] >= _JSON_EVERY_S and not quiet:
                last[0] = time.monotonic()
                click.echo(json.dumps({"event": "progress", **progress.to_json()}), err=to_stderr)

        yield print_line
        return
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[words]}"))
    bar = Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar:
        task = bar.add_task("video", total=None, words="")

        def show(progress: Progress) -> None:
            words = f"{progress.frames} pictures, {progress.frames_per_second:.2f} a second, {progress.speed:.3f}×"
            if progress.left_s is not None:
                words += f", {time.strftime('%H:%M:%S', time.gmtime(progress.left_s))} left"
            bar.update(task, completed=progress.frames, total=progress.expected, words=words)

        yield show
