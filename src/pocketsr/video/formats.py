"""Pixel formats and containers: what each holds, and which fits best what came. Knows nothing of frames' contents."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from pocketsr.errors import SettingError, VideoFileError
from pocketsr.video.pyav import load_av

#: Containers by the ending of a file name, as libavformat calls them.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".nut": "nut",
    ".y4m": "yuv4mpegpipe",
}
#: Endings of image sequences and what encodes them.
SEQUENCES = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg", ".tif": "tiff", ".tiff": "tiff", ".bmp": "bmp"}
#: What may go to standard output, as libavformat calls it.
PIPES = {"y4m": "yuv4mpegpipe", "raw": "rawvideo", "nut": "nut", "mkv": "matroska", "ts": "mpegts"}
#: Formats that hold pictures alone: no sound, no chapters, one constant rate.
PICTURES_ONLY = ("yuv4mpegpipe", "rawvideo", "image2")


@dataclasses.dataclass(frozen=True)
class PixelFormat:
    """What a pixel format holds.

    Attributes:
        name: As libavutil calls it.
        bits: Of a component.
        is_rgb: Whether components are red, green and blue.
        is_grey: Whether there is brightness only.
        has_alpha: Whether there is transparency.
        is_planar: Whether each component has a plane of its own.
        across: Luma samples for a chroma sample along a row: 1 or 2 (or 4).
        down: Likewise along a column.
    """

    name: str
    bits: int
    is_rgb: bool
    is_grey: bool
    has_alpha: bool
    is_planar: bool
    across: int
    down: int

    @property
    def planar(self) -> str:
        """The planar YUV format of the same chroma and depth, without transparency."""
        if self.is_grey:
            return "gray" if self.bits == 8 else f"gray{self.bits}le"
        chroma = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}.get((self.across, self.down), "444")
        return f"yuv{chroma}p" if self.bits == 8 else f"yuv{chroma}p{self.bits}le"


@functools.cache
def pixel_format(name: str) -> PixelFormat:
    """Return what a pixel format holds.

    Raises:
        SettingError: No such format.

    >>> pixel_format("yuv420p10le").bits
    10
    """
    av = load_av()
    try:
        form = av.VideoFormat(name, 64, 64)
    except ValueError as error:
        raise SettingError(f"no pixel format is called {name!r}; yuv420p, yuv444p and yuv420p10le are some") from error
    components = form.components
    colours = [component for component in components if not component.is_alpha]
    return PixelFormat(
        name=name,
        bits=max(component.bits for component in colours),
        is_rgb=bool(form.is_rgb) or bool(form.has_palette),
        is_grey=len(colours) == 1 and not form.has_palette,
        has_alpha=len(components) > len(colours),
        is_planar=len({component.plane for component in components}) == len(components),
        across=64 // max(1, form.chroma_width(64)),
        down=64 // max(1, form.chroma_height(64)),
    )


def choose_format(source: str, offered: Sequence[str], *, height: int, width: int) -> tuple[str, tuple[str, ...]]:
    """Choose the encoder's pixel format that is nearest to the source's.

    In this order: sides that fit (4:2:0 and 4:2:2 want even ones), as many bits, no less chroma, no more of either than
    needed. RGB sources become YUV with the least chroma offered unless the encoder takes RGB itself: what players show.

    Args:
        source: Pixel format of the input.
        offered: What the encoder takes; empty for anything.
        height: Of the output, pixels.
        width: Of the output, pixels.

    Returns:
        The name, and what is lost, in words.

    Raises:
        SettingError: The encoder takes nothing that fits.
    """
    came = pixel_format(source)
    names = [name for name in (offered or (came.planar,)) if not name.startswith("yuvj") and name != "pal8"]
    known = [pixel_format(name) for name in names]
    # Encoders of hardware may know formats only whose two kinds of chroma share a plane.
    forms = [form for form in known if form.is_planar or form.is_rgb] or known
    forms = [form for form in forms if form.bits >= 8 and not _has_twin(form.name, names)] or forms
    fitting = [form for form in forms if width % form.across == 0 and height % form.down == 0]
    if not fitting:
        raise SettingError(
            f"the output is {width}×{height} and the encoder takes even sides only ({', '.join(names[:6])}); "
            "choose another with -c, as ffv1"
        )

    def distance(form: PixelFormat) -> tuple[int, ...]:
        across, down = (2, 2) if came.is_rgb and not came.is_grey else (came.across, came.down)
        lost_chroma = 0 if came.is_grey else max(0, form.across - across) + max(0, form.down - down)
        return (
            int(form.is_grey and not came.is_grey),
            max(0, came.bits - form.bits),
            int(came.is_rgb and not form.is_rgb) if _takes_both(forms) else int(form.is_rgb),
            lost_chroma,
            max(0, form.bits - came.bits),
            max(0, across - form.across) + max(0, down - form.down),
            int(form.is_grey != came.is_grey),
            int(form.has_alpha),
        )

    best = min(fitting, key=distance)
    return best.name, lost_between(came, best)


def lost_between(came: PixelFormat, goes: PixelFormat) -> tuple[str, ...]:
    """Return what one format holds that another cannot, in words for the user."""
    notes = []
    if goes.bits < came.bits:
        notes.append(f"{came.bits} bits are rounded to {goes.bits}: the encoder takes no more")
    if came.has_alpha:
        notes.append("transparency is dropped")
    if came.is_rgb and not goes.is_rgb:
        notes.append(f"RGB becomes {goes.name} (BT.709); --pix-fmt chooses another")
    elif not came.is_grey and goes.across * goes.down > came.across * came.down:
        notes.append(f"chroma of {came.name} becomes that of {goes.name}")
    return tuple(notes)


def _has_twin(name: str, names: Sequence[str]) -> bool:
    """Whether a big-endian format is there little-endian, too."""
    return name.endswith("be") and f"{name[:-2]}le" in names


def _takes_both(forms: Sequence[PixelFormat]) -> bool:
    """Whether an encoder is one for RGB and YUV alike, as lossless ones are, and not one where RGB is a rarity."""
    return any(form.name in ("bgr0", "rgb24", "bgr24") for form in forms)


def container_of(target: Path | str) -> str:
    """Return libavformat's name for the container that a file name ends in.

    Raises:
        VideoFileError: The ending is unknown, or an image that is no sequence.

    >>> container_of("holiday.mkv"), container_of("frames/%05d.png")
    ('matroska', 'image2')
    """
    suffix = Path(target).suffix.lower()
    if suffix in CONTAINERS:
        return CONTAINERS[suffix]
    if suffix in SEQUENCES and is_sequence(target):
        return "image2"
    if suffix in SEQUENCES:
        raise VideoFileError(f"{target} names one image; for a sequence write a number into it, as %05d{suffix}")
    raise VideoFileError(
        f"{target} ends in no container that is known; {', '.join(CONTAINERS)} and %05d.png are, and '-' is a Y4M pipe"
    )


def is_sequence(name: Path | str) -> bool:
    """Say whether a name stands for numbered images.

    >>> is_sequence("frame-%04d.png"), is_sequence("100%.png")
    (True, False)
    """
    import re

    return re.search(r"%0?\d*d", Path(name).name) is not None
