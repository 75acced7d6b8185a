"""Everything about an output that is fixed before its first picture. Knows nothing of how it is written."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr.errors import SettingError
from pocketsr.runtime import Target as Size
from pocketsr.video.colour import Colour
from pocketsr.video.encoder import choose_codec, encoder_options, offered_formats
from pocketsr.video.formats import (
    PICTURES_ONLY,
    PIPES,
    SEQUENCES,
    choose_format,
    container_of,
    lost_between,
    pixel_format,
)
from pocketsr.video.settings import Encoding


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Everything about an output that is fixed before its first picture.

    Attributes:
        name: File, numbered images, or ``-``.
        container: As libavformat calls it.
        codec: Encoder.
        pixel_format: What it is given.
        height: Pixels.
        width: Pixels.
        time_base: Seconds of a unit of the pictures' times.
        rate: Pictures a second.
        aspect: Width of a pixel over its height; None where the input does not say.
        colour: What the numbers mean.
        rotation: Nine numbers of the display matrix; None for none.
        options: Of the encoder.
        container_options: Of the container.
        is_preview: Whether the left half is the input, enlarged by bicubic; ``width`` is that of both halves.
    """

    name: str
    container: str
    codec: str
    pixel_format: str
    height: int
    width: int
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    colour: Colour
    rotation: tuple[int, ...] | None
    options: dict[str, str]
    container_options: dict[str, str] = dataclasses.field(default_factory=dict)
    is_preview: bool = False

    @property
    def has_one_rate(self) -> bool:
        """Whether the output numbers its pictures instead of timing them."""
        return self.container in PICTURES_ONLY

    def configure(self, context: Any) -> None:
        """Tell an encoder that is not open yet all of this but its options."""
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixel_format
        context.time_base = 1 / self.rate if self.has_one_rate else self.time_base
        context.framerate = self.rate
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect
        context.color_primaries, context.color_trc = self.colour.primaries, self.colour.transfer
        if not pixel_format(self.pixel_format).is_rgb:
            context.colorspace, context.color_range = self.colour.matrix, self.colour.range
        asked = self.options.get("b", "")
        context.bit_rate = int(asked) if asked.isdecimal() else 0  # by quality; or 2M, which the encoder reads itself


def plan_target(
    name: str,
    source: Any,
    frame: Any,
    *,
    scale: int,
    size: Size | None = None,
    colour: Colour,
    encoding: Encoding,
) -> tuple[Target, tuple[str, ...]]:
    """Decide how an output is encoded.

    Args:
        name: File, numbered images, or ``-`` for standard output.
        source: The ``Source``.
        frame: Its first decoded picture.
        scale: Output height over input height where no size is asked for.
        size: What is asked for.
        colour: What the input's numbers mean.
        encoding: What the user asked for.

    Returns:
        The plan, and what is lost, in words.

    Raises:
        VideoFileError: The file's ending is unknown.
        SettingError: Codec, options, pixel format and size do not go together.
        UnknownNameError: There is no such encoder.
    """
    container = PIPES[encoding.pipe] if name == "-" else container_of(name)
    image_codec = SEQUENCES[Path(name).suffix.lower()] if container == "image2" else ""
    codec = choose_codec(container, encoding.codec, image_codec=image_codec)
    came = pixel_format(frame.format.name)
    height, width = sides(size or Size(scale=scale), frame.height, frame.width, is_even=came.across * came.down > 1)
    offered = offered_formats(codec)
    if encoding.pixel_format:
        asked = pixel_format(encoding.pixel_format)
        if offered and asked.name not in offered:
            raise SettingError(f"{codec} does not take {asked.name}; it takes {', '.join(offered)}")
        chosen, notes = asked.name, lost_between(came, asked)
    else:
        chosen, notes = choose_format(frame.format.name, offered, height=height, width=width)
    if codec == "mjpeg" or chosen.startswith("yuvj"):
        colour = dataclasses.replace(colour, is_full=True)
    options = encoder_options(codec, encoding)
    goes = pixel_format(chosen)
    if encoding.is_preview and width % goes.across:
        raise SettingError(
            f"the halves of a preview would be {width} pixels wide, and {chosen} joins even ones only; "
            "leave out --pix-fmt, or choose another --width"
        )
    if colour.place and not goes.is_rgb and (goes.across, goes.down) == (2, 2):
        options = {"chroma_sample_location": colour.place, **options}
    target = Target(
        name=name,
        container=container,
        codec=codec,
        pixel_format=chosen,
        height=height,
        width=2 * width if encoding.is_preview else width,
        time_base=source.time_base,
        rate=source.rate,
        aspect=source.video.sample_aspect_ratio or None,
        colour=colour,
        rotation=_display_matrix(frame),
        options=options,
        container_options=dict(encoding.container_options),
        is_preview=encoding.is_preview,
    )
    return target, notes


def sides(size: Size, height: int, width: int, *, is_even: bool) -> tuple[int, int]:
    """Return rows and columns of the output.

    Args:
        size: What is asked for.
        height: Of the input.
        width: Of the input.
        is_even: Whether chroma wants even sides: one that only follows from what is asked for is made such.

    >>> sides(Size(height=480), 360, 639, is_even=True), sides(Size(scale=1.5), 361, 639, is_even=False)
    ((480, 852), (542, 959))
    """
    rows, columns = size.size(height, width)
    if size.scale is not None and size.scale == int(size.scale):
        return rows, columns
    asked = {size.height, size.width, size.longest, *(size.fit or ())}
    if not is_even:
        return rows, columns
    return tuple(side if side in asked else max(2, side - side % 2) for side in (rows, columns))  # type: ignore[return-value]


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return tuple(int(value) for value in np.frombuffer(data, np.int32))
    return None
