"""``pocketsr upscale``: image files, folders and pipes become larger images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pocketsr.cli.memory import Megabytes, Shares
from pocketsr.cli.photo_options import make_settings, photo_options
from pocketsr.errors import SettingError

if TYPE_CHECKING:  # so that --help loads no numpy
    from collections.abc import Sequence

    from pocketsr.batch import Naming
    from pocketsr.runtime import Progress, Upscaler

#: Pixels that images in work hold before another one is begun, where nobody says.
_IN_WORK = 48_000_000

#: The source that is no file. A file of that name is "./-", which is another object.
_STDIN = Path("-")


class _Source(click.Path):
    """A path of an image or folder. Whether it can be read is found out one by one, and does not stop the others."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; an empty name is not the folder one is in but, more often, a variable that is not set."""
        if value == "":
            self.fail("an empty name is no image; the folder you are in is '.'", param, ctx)
        return _STDIN if value == "-" else super().convert(value, param, ctx)


_SOURCE = _Source(path_type=Path, readable=False)


@click.command()
@click.argument("images", nargs=-1, metavar="IN...", type=_SOURCE)
@click.option("-i", "--input", "more", multiple=True, type=_SOURCE, help="Another way to name an IN.")
@click.option(
    "-o", "--output", help="File for one image, folder for several [default: NAME_x3.png and so on, beside IN]."
)
@click.option(
    "-m", "-n", "--model", "--model-name", help="Name from `pocketsr models`, or a .tflite  [default: by scale and IN]."
)
@photo_options
@click.option("-f", "--format", "--ext", "ending", help="Format of the outputs: png, jpg, webp, ...  [default: as IN].")
@click.option("-r", "--recursive", "is_recursive", is_flag=True, help="Folders in folders, too, made again under -o.")
@click.option("--name", "pattern", help="Names of outputs, as '{stem}_x{scale}.{ext}'; also {model} {folder} {number}.")
@click.option("--suffix", help="Added to the names of outputs, before the ending.")
@click.option("--tta", is_flag=True, help="Mean over 8 orientations: a little better, 9 to 10 times as slow.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="Processor threads  [default: all].")
@click.option(
    "--tile", type=click.IntRange(min=0), default=0, help="Side of a tile in pixels; 0, the default, chooses."
)
@click.option(
    "--memory", type=Megabytes(), help="Most that is taken, such as 500M or 2G: chooses tiles, and what is in work."
)
@click.option("--backend", help="What runs the model: litert, openvino, onnxruntime, reference  [default: auto].")
@click.option("--fast", is_flag=True, help="Try OpenVINO beside LiteRT, take the quicker; int8 within two levels.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there.")
@click.option("--skip-existing", is_flag=True, help="Leave outputs that are there, whatever they are.")
@click.option("--resume", is_flag=True, help="Leave outputs that are finished, and do the rest.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 64), default=3, show_default=True, help="Images in work at the same time."
)
@click.option(
    "--in-work",
    type=click.IntRange(min=1),
    metavar="MEGAPIXELS",
    help="Begin no other image while those in work hold so much  [default: 48, or by --memory].",
)
@click.option(
    "--max-pixels", type=click.IntRange(min=0), help="Refuse larger inputs; 0 for no limit  [default: 200000000]."
)
@click.option("--json", "is_json", is_flag=True, help="Print a line of JSON for each image, and one for the whole.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes; errors are still shown.")
@click.pass_context
def command(
    context: click.Context,
    /,
    images: tuple[Path, ...],
    more: tuple[Path, ...],
    output: str | None,
    model: str | None,
    ending: str | None,
    is_recursive: bool,
    pattern: str | None,
    suffix: str | None,
    tta: bool,
    threads: int | None,
    tile: int,
    memory: int | None,
    backend: str | None,
    fast: bool,
    overwrite: bool,
    skip_existing: bool,
    resume: bool,
    dry_run: bool,
    jobs: int,
    in_work: int | None,
    max_pixels: int | None,
    is_json: bool,
    quiet: bool,
    **photo: Any,
) -> None:
    """Make images larger. IN is an image file, a folder of them, a pattern such as '*.jpg', or - for stdin. A video
    goes the way of `pocketsr video`, which has more options for it.

    The paths written go to stdout, one a line, in the order of the inputs; everything else to stderr. An image that
    fails does not stop the others, and leaves no file.
    """
    sources = (*images, *more)
    if not sources:
        raise click.UsageError("name at least one image or folder")
    if output == "":
        raise click.UsageError("the name of the output is empty; the folder you are in is '.'")
    if fast and backend is not None:
        raise click.UsageError("--fast chooses the backend by a trial; leave out --backend")
    if tile and memory is not None:
        raise click.UsageError("--memory chooses the tile; leave out --tile")
    shares = None if memory is None else Shares(memory, is_faithful=photo["faithful"], tta=tta)
    # Imported here so that --help loads no numpy.
    from pocketsr.cli.upscale_video import upscale_video_instead

    if upscale_video_instead(context, sources, output):
        return
    if sources == (_STDIN, _STDIN) and output is None:
        sources, output = (_STDIN,), "-"
    from pocketsr.batch import Policy
    from pocketsr.cli.plan import is_folder, make_plan
    from pocketsr.cli.upscale_many import Batch, make_folder
    from pocketsr.cli.upscale_pipe import check_pipe, upscale_pipe
    from pocketsr.image import DEFAULT_MAX_PIXELS
    from pocketsr.runtime import Target, open_models
    from pocketsr.runtime.photo import upscale_file

    policy = Policy(overwrite=overwrite, skip_existing=skip_existing, resume=resume)
    naming = _naming(pattern, suffix)
    is_pipe = output == "-" or any(source is _STDIN for source in sources)
    if is_pipe:
        no_use = {
            "--name": pattern, "--suffix": suffix, "--recursive": is_recursive, "--skip-existing": skip_existing,
            "--resume": resume, "--dry-run": dry_run, "--json": is_json,
        }  # fmt: skip
        many = len(sources) > 1 or is_folder(output or "-", sources)
        check_pipe(output, is_many=many, no_use=[name for name, value in no_use.items() if value])

    settings = make_settings(photo)
    runner = backend or ("fast" if fast else "auto")
    models = open_models(
        model,
        settings.target,
        style=settings.style,
        backend=runner,
        threads=threads,
        tile=tile or None,
        memory_mb=None if shares is None else shares.tiles_mb,
        tta=tta,
    )
    size = settings.target or Target(scale=models[0].scale)

    def enlarge(
        ready: Sequence[Upscaler], source: Path, target: Path, replace: bool, on_progress: Progress | None
    ) -> tuple[str, ...]:
        if shares is not None:
            shares.check(source, target, size)
        return upscale_file(
            ready,
            source,
            target,
            settings=settings,
            overwrite=replace,
            max_pixels=DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels or None,
            on_progress=on_progress,
        )

    if is_pipe:
        source = None if sources[0] is _STDIN else sources[0]
        target = None if output in (None, "-") else Path(str(output))
        for note in upscale_pipe(
            source, target, ending=ending, work=lambda given, made: enlarge(models, given, made, overwrite, None)
        ):
            if not quiet:
                click.echo(f"note: {note}", err=True)
        return
    plan = make_plan(
        sources,
        output,
        ending=ending,
        scale=size,
        is_recursive=is_recursive,
        naming=naming,
        model=models[0].spec.name,
    )
    if output is not None and not dry_run and is_folder(output, sources):
        make_folder(Path(output))
    batch = Batch(
        plan,
        models,
        enlarge,
        policy,
        size=size,
        settings={"models": [_content(one) for one in models], "photo": repr(settings), "tta": tta},
        workers=jobs,
        most_pixels=_most_pixels(in_work, shares),
        is_json=is_json,
        is_quiet=quiet,
    )
    has_failed = batch.plan_only() if dry_run else batch.run()
    context.exit(1 if has_failed else 0)


def _naming(pattern: str | None, suffix: str | None) -> Naming | None:
    """Return how outputs are called; None for the usual way."""
    from pocketsr.batch import Naming

    if suffix is None:
        return None if pattern is None else Naming(pattern)
    if pattern is not None:
        raise SettingError("--name says all of a name, and --suffix a part of it; choose one")
    if "/" in suffix:
        raise SettingError(f"the suffix {suffix!r} is no part of a name; folders are made by --name")
    literal = suffix.replace("{", "{{").replace("}", "}}")
    return Naming("{stem}" + literal + ".{ext}")


def _most_pixels(in_work: int | None, shares: Shares | None) -> int:
    """Return how many pixels images in work may hold."""
    allowed = [_IN_WORK if in_work is None else in_work * 1_000_000]
    return min(allowed if shares is None else [*allowed, shares.most_pixels])


def _content(upscaler: Upscaler) -> str:
    """Return what tells the file of a model from any other."""
    import hashlib

    return hashlib.sha256(upscaler.path.read_bytes()).hexdigest()
