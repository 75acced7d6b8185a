"""``pocketsr upscale``: image files and folders become larger images."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pocketsr.cli import show_error
from pocketsr.errors import ImageFileError, PocketsrError, SettingError

_Progress = Callable[[int, int], None]


class _Source(click.Path):
    """A path of an image or folder. Whether it can be read is found out one by one, and does not stop the others."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; an empty name is not the folder one is in but, more often, a variable that is not set."""
        if value == "":
            self.fail("an empty name is no image; the folder you are in is '.'", param, ctx)
        return super().convert(value, param, ctx)


_SOURCE = _Source(path_type=Path, readable=False)


@click.command()
@click.argument("images", nargs=-1, metavar="IN...", type=_SOURCE)
@click.option("-i", "--input", "more", multiple=True, type=_SOURCE, help="Another way to name an IN.")
@click.option(
    "-o", "--output", help="File for one image, folder for several [default: NAME_x3.png and so on, beside IN]."
)
@click.option(
    "-m", "-n", "--model", "--model-name", help="Name from `pocketsr models`, or a .tflite  [default: abpn-x3]."
)
@click.option("-s", "--scale", type=click.IntRange(min=1), help="Factor; without -m it chooses the model.")
@click.option("-f", "--format", "--ext", "ending", help="Format of the outputs: png, jpg, webp, ...  [default: as IN].")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads  [default: all].")
@click.option(
    "--tile", type=click.IntRange(min=0), default=0, help="Side of a tile in pixels; 0, the default, chooses."
)
@click.option("--backend", default="litert", show_default=True, help="What runs the model.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there.")
@click.option(
    "--max-pixels", type=click.IntRange(min=0), help="Refuse larger inputs; 0 for no limit  [default: 200000000]."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes; errors are still shown.")
@click.pass_context
def command(
    context: click.Context,
    images: tuple[Path, ...],
    more: tuple[Path, ...],
    output: str | None,
    model: str | None,
    scale: int | None,
    ending: str | None,
    threads: int | None,
    tile: int,
    backend: str,
    overwrite: bool,
    max_pixels: int | None,
    quiet: bool,
) -> None:
    """Make images larger. IN is an image file or a folder of them.

    The paths written go to stdout, one a line; everything else to stderr. An image that fails does not stop the others,
    and leaves no file.
    """
    sources = (*images, *more)
    if not sources:
        raise click.UsageError("name at least one image or folder")
    if output == "":
        raise click.UsageError("the name of the output is empty; the folder you are in is '.'")
    # Imported here so that --help loads no numpy.
    from pocketsr.cli.plan import is_folder, make_plan
    from pocketsr.image import DEFAULT_MAX_PIXELS
    from pocketsr.runtime import Upscaler
    from pocketsr.runtime.photo import upscale_file

    upscaler = Upscaler(model_for(model, scale), backend=backend, threads=threads, tile=tile or None)
    if scale is not None and scale != upscaler.scale:
        raise SettingError(
            f"model {model!r} enlarges {upscaler.scale} times, not {scale}; leave out -s or choose another"
        )
    jobs, problems = make_plan(sources, output, ending=ending, scale=upscaler.scale)
    for problem in problems:
        show_error(problem)
    if output is not None and is_folder(output, sources):
        _make_folder(Path(output))
    failed = len(problems)
    is_shown = not quiet and sys.stderr.isatty()
    for number, job in enumerate(jobs, 1):
        title = job.source.name if len(jobs) == 1 else f"{number}/{len(jobs)} {job.source.name}"
        try:
            with _progress(title, is_shown=is_shown) as on_progress:
                notes = upscale_file(
                    upscaler,
                    job.source,
                    job.target,
                    overwrite=overwrite,
                    max_pixels=DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels or None,
                    on_progress=on_progress,
                )
        except (PocketsrError, OSError) as error:
            show_error(error)
            failed += 1
        except MemoryError:
            show_error(MemoryError(f"not enough memory to upscale {job.source}; --tile 256 or PNG output needs less"))
            failed += 1
        else:
            click.echo(job.target)
            for note in () if quiet else notes:
                click.echo(f"note: {job.target}: {note}", err=True)
    if failed:
        if len(jobs) > 1:
            click.echo(f"{failed} failed, {len(jobs) + len(problems) - failed} done", err=True)
        context.exit(1)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another with -o"
        ) from error


def model_for(model: str | None, scale: int | None) -> str:
    """Return the model that was asked for, by name or path, or else by scale."""
    from pocketsr.weights import DEFAULT_MODEL, find_scale

    if model is not None:
        return model
    return DEFAULT_MODEL if scale is None else find_scale(scale).name


@contextlib.contextmanager
def _progress(title: str, *, is_shown: bool) -> Iterator[_Progress | None]:
    """Give what to call after each tile of an image. The bar is gone before anything else is printed."""
    if not is_shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=console.is_dumb_terminal,
    )
    with bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)
