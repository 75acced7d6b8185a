"""Files of several pictures: animations with their timing, and documents with their pages.

All pictures are held at once, as Pillow's encoders want them so. Knows nothing of networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from pocketsr.errors import ImageFileError
from pocketsr.image.encoding import encoder_options
from pocketsr.image.formats import Format, format_from_suffix
from pocketsr.image.photo import Photo
from pocketsr.image.reading import DEFAULT_MAX_PIXELS, decode_picture, from_file, refuse_too_large
from pocketsr.image.writing import check_fits, file_bands, hard_alpha, replacing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames:
    """Several pictures of one file.

    Attributes:
        photos: In order, 8 bits a sample; of an animation each is whole, whatever the file stores of it.
        durations_ms: How long each is shown; empty for pages.
        loop: How often the animation runs, 0 for ever; None where the file does not say, which is once.
    """

    photos: tuple[Photo, ...]
    durations_ms: tuple[float, ...] = ()
    loop: int | None = None


def has_several(path: Path) -> bool:
    """Whether a format is one that holds several pictures; its name says so, and nothing is opened.

    >>> has_several(Path("a.gif")), has_several(Path("a.jpg"))
    (True, False)
    """
    return format_from_suffix(path).has_many


def read_frames(path: Path | str, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Frames | None:
    """Read all pictures of a file.

    Args:
        path: An image file.
        max_pixels: Refuse files whose pictures together have more; None lifts the limit.

    Returns:
        The pictures; None where there is only one.

    Raises:
        ImageTooLargeError: More pixels than that, or than the memory holds.
        ImageFileError: As ``read_image``.
        MissingExtraError: As ``read_image``.
    """
    return from_file(path, lambda name, file, kind: _read(name, file, kind, max_pixels))


def _read(name: str, file: IO[bytes], kind: Format, max_pixels: int | None) -> Frames | None:
    if not kind.has_many:
        return None
    try:
        opened = kind.import_reader()(file, "")
    except SyntaxError:  # Pillow does not know these samples; who reads the first picture may
        return None
    with opened as image:
        count = getattr(image, "n_frames", 1)
        # An APNG may begin with a picture for those who do not know APNG.
        first = 1 if kind.name == "PNG" and getattr(image, "default_image", False) else 0
        if count - first < 2:
            return None
        photos, durations, pixels = [], [], 0
        for number in range(first, count):
            image.seek(number)
            pixels += image.size[0] * image.size[1]
            if number == first and kind.name != "TIFF":  # the frames of an animation have one size
                pixels *= count - first
            what = f"{image.size[0]}×{image.size[1]} in {count - first} pictures"
            refuse_too_large(name, what, pixels, max_pixels)
            photos.append(decode_picture(name, image, file))
            durations.append(float(image.info.get("duration", 0) or 0))
            if kind.name != "TIFF":
                pixels = 0
        loop = image.info.get("loop")
        if kind.name == "TIFF":
            return Frames(photos=tuple(photos))
        return Frames(photos=tuple(photos), durations_ms=tuple(durations), loop=loop if isinstance(loop, int) else None)


def write_frames(
    path: Path,
    photos: Iterable[Photo],
    *,
    like: Frames,
    quality: int | None = None,
    lossless: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write several pictures into one file, whole or not at all.

    Args:
        path: In a format that holds several, as ``has_several`` tells.
        photos: What to write, as many as ``like`` has; the metadata of the first is the file's.
        like: Timing and loops.
        quality: As ``write_image``.
        lossless: As ``write_image``.
        overwrite: As ``write_image``.

    Returns:
        What the format could not keep, each in words for the user.

    Raises:
        SettingError: As ``write_image``.
        OutputExistsError: As ``write_image``.
        ImageFileError: As ``write_image``.
    """
    kind = format_from_suffix(path)
    is_colour = not kind.has_grey or any(not photo.is_grey for photo in like.photos)
    has_alpha = any(photo.alpha is not None for photo in like.photos)
    channels = ("RGBA" if is_colour else "LA") if has_alpha else ("RGB" if is_colour else "L")
    first, *rest = photos
    check_fits(path, height=first.height, width=first.width)
    options, notes = encoder_options(path, kind, channels, first.carried, quality, lossless)  # type: ignore[arg-type]
    if kind.name == "TIFF":
        if options.pop("exif", b""):
            notes.append("the EXIF data was left out: it is not written to TIFF of several pages")
    elif like.durations_ms:
        options["duration"] = [round(duration) for duration in like.durations_ms]
        if like.loop is not None:
            options["loop"] = like.loop
        if kind.name == "WEBP" and has_alpha:
            # Else libwebp cuts out what is opaque, and marks the file as one without transparency.
            options |= {"kmin": 1, "kmax": 1}
        if kind.name == "GIF" and has_alpha:
            options["disposal"] = 2  # each picture on an empty ground, or what was transparent would show the last
    images = [_as_image(photo, channels, is_hard=not kind.has_soft_alpha) for photo in (first, *rest)]
    with replacing(path, overwrite=overwrite) as temporary:
        kind.import_reader()
        try:
            images[0].save(temporary, kind.name, save_all=True, append_images=images[1:], **options)
        except (ValueError, RuntimeError, SyntaxError) as error:
            raise ImageFileError(f"cannot write {path}: {kind.name} encoding failed ({error}); try PNG") from error
    return tuple(notes)


def _as_image(photo: Photo, channels: Any, *, is_hard: bool) -> Image.Image:
    alpha = photo.alpha
    if alpha is not None and is_hard:
        alpha = hard_alpha(alpha)
    if alpha is None and channels.endswith("A"):
        alpha = np.full(photo.pixels.shape[:2], np.iinfo(photo.pixels.dtype).max, photo.pixels.dtype)
    return Image.fromarray(file_bands(photo.pixels, alpha, channels))
