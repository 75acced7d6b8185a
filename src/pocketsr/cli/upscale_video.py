"""``pocketsr upscale clip.mp4``: a video goes the way of ``pocketsr video``, with the options that both have."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from pocketsr.cli.photo_options import asked_size
from pocketsr.errors import SettingError

#: Options of both commands, as ``pocketsr upscale`` calls them, and what ``pocketsr video`` calls those it calls
#: otherwise.
_SHARED = (
    *("model", "scale", "width", "height", "fit", "longest", "megapixels"),
    *("threads", "tile", "overwrite", "resume", "quiet", "backend", "is_json"),
)
_OTHERWISE = {"is_json": "as_json"}
#: How a pipe of Y4M begins.
_Y4M = b"YUV4MPEG2"


def upscale_video_instead(context: click.Context, sources: Sequence[Path], output: str | None) -> bool:
    """Run ``pocketsr video`` where the one input is a video; return whether it was.

    Args:
        context: Of ``pocketsr upscale``.
        sources: Its inputs; ``-`` for standard input.
        output: As it was given.

    Raises:
        SettingError: A video among several inputs, or an option that has no meaning for it.
        PocketsrError: As ``pocketsr video``.
    """
    from pocketsr.video.formats import CONTAINERS

    names = [str(source) for source in sources]
    is_piped = names in (["-"], ["-", "-"]) and _begins_with_y4m()
    videos = [source for source in sources if source.suffix.lower() in CONTAINERS and not source.is_dir()]
    if not is_piped and not videos:
        return False
    if videos and len(names) > 1:
        raise SettingError(
            f"videos are made larger one at a time, and {len(names)} inputs came; name {videos[0]} alone"
        )
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    photo_only = [name for name in given if name not in (*_SHARED, "images", "more", "output")]
    if photo_only:
        flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
        raise SettingError(
            f"{flags[photo_only[0]]} is for photos; `pocketsr video --help` says what there is for videos"
        )
    from pocketsr.cli.video import command

    values = {_OTHERWISE.get(name, name): context.params[name] for name in given if name in _SHARED}
    target = (output or "-") if is_piped else _target(sources[0], output, context)
    context.invoke(command, source=names[0], target=target, **values)
    return True


def _begins_with_y4m() -> bool:
    stdin = getattr(sys.stdin, "buffer", None)
    if stdin is None or sys.stdin.isatty() or not hasattr(stdin, "peek"):
        return False
    return bool(stdin.peek(len(_Y4M)).startswith(_Y4M))


def _target(source: Path, output: str | None, context: click.Context) -> str:
    """Return the output's name: beside the input, or in the folder that was named, unless it is a name itself."""
    if output is not None and not output.endswith("/") and not Path(output).is_dir():
        return output
    from pocketsr.runtime import Target, open_models

    size = asked_size(context.params)
    if size is None:
        models = open_models(context.params["model"], None, backend=context.params["backend"] or "auto", threads=1)
        size = Target(scale=models[0].scale)
    folder = source.parent if output is None else Path(output)
    return str(folder / f"{source.stem}_{size}{source.suffix}")
