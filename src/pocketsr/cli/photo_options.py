"""Options of ``pocketsr upscale`` for what is made of a photo: its size, quality, metadata and colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pocketsr.errors import SettingError

if TYPE_CHECKING:
    from pocketsr.runtime import Target
    from pocketsr.runtime.photo import PhotoSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: Names of the options that ask for a size; one of them at a time.
_SIZES = ("scale", "width", "height", "fit", "longest", "megapixels")


class _Box(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """Columns and rows, as 1920x1080."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the two numbers."""
        sides = str(value).lower().replace("×", "x").split("x")
        if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and int(side) > 0 for side in sides):
            self.fail(f"a box is columns x rows, such as 1920x1080, not {value!r}", param, ctx)
        return int(sides[0]), int(sides[1])


_POSITIVE = click.IntRange(min=1)
_SIZE_OPTIONS = (
    click.option(
        "-s",
        "--scale",
        "--outscale",
        type=click.FloatRange(min=0, min_open=True),
        help="Factor, such as 2 or 2.5  [default: 3].",
    ),
    click.option("--width", type=_POSITIVE, help="Columns of the output, instead of a factor."),
    click.option("--height", type=_POSITIVE, help="Rows of the output."),
    click.option("--fit", type=_Box(), help="Largest size inside a box, such as 1920x1080."),
    click.option("--longest", type=_POSITIVE, help="Pixels of the longer side."),
    click.option("--megapixels", type=click.FloatRange(min=0, min_open=True), help="Million pixels of the output."),
)
_OPTIONS = (
    *_SIZE_OPTIONS,
    click.option(
        "--style",
        type=click.Choice(["auto", "photo", "clean", "jpeg", "jpeg-444", "jpeg-coarse", "gan"]),
        default="auto",
        help="Kind of model where none is named; auto and photo look at IN: clean or one for JPEG  [default: auto].",
    ),
    click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG, WebP, AVIF...  [default: 95; AVIF 90]."),
    click.option("--lossless", is_flag=True, help="Keep every pixel; WebP and JPEG XL have this as a choice."),
    click.option("--strip", is_flag=True, help="Leave out EXIF, XMP, IPTC, texts and resolution."),
    click.option(
        "--faithful/--no-faithful", default=False, help="Correct shifts of colour that a model makes  [default: no]."
    ),
)


def photo_options(command: _Command) -> _Command:
    """Give a command the options; it gets their values under their names."""
    return _with(command, _OPTIONS)


def size_options(command: _Command) -> _Command:
    """Give a command those of the options that ask for a size."""
    return _with(command, _SIZE_OPTIONS)


def _with(command: _Command, options: tuple[Callable[[_Command], _Command], ...]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command


def make_settings(values: Mapping[str, Any]) -> PhotoSettings:
    """Return the settings that the options ask for.

    Raises:
        SettingError: A size is asked for in two ways.
    """
    from pocketsr.runtime.photo import PhotoSettings

    return PhotoSettings(
        target=asked_size(values),
        quality=values["quality"],
        lossless=values["lossless"],
        is_stripped=values["strip"],
        is_faithful=values["faithful"],
        style=values["style"],
    )


def asked_size(values: Mapping[str, Any]) -> Target | None:
    """Return the size that the options ask for; None where they ask for none.

    Raises:
        SettingError: A size is asked for in two ways.
    """
    from pocketsr.runtime import Target

    sizes = {name: values[name] for name in _SIZES if values[name] is not None}
    if len(sizes) > 1:
        given = " and ".join("-s" if name == "scale" else f"--{name}" for name in sizes)
        advice = "; --fit WxH takes both" if set(sizes) == {"width", "height"} else ""
        raise SettingError(f"a size is asked for in one way; {given} came{advice}")
    return Target(**sizes) if sizes else None
