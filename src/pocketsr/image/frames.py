"""Files of several pictures: animations with their timing, and documents with their pages.

All pictures of an animation are held at once, as Pillow's encoders want them so; pages are written one by one. Knows
nothing of networks.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from pocketsr.errors import ImageFileError
from pocketsr.image.chatter import without_chatter
from pocketsr.image.deep_tiff import count_pages, open_deep_tiff, page_first
from pocketsr.image.encoding import Channels, encoder_options
from pocketsr.image.formats import Format, format_from_suffix
from pocketsr.image.photo import Photo
from pocketsr.image.reading import DEFAULT_MAX_PIXELS, decode_picture, from_file, refuse_too_large
from pocketsr.image.tiff_strips import TiffPage, write_tiff
from pocketsr.image.writing import check_fits, file_bands, file_channels, hard_alpha, refusing_in_words, replacing

#: Pages of a TIFF that are read; a small file can claim to have any number.
_MOST_PAGES = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames:
    """Several pictures of one file.

    Attributes:
        photos: In order; of an animation each is whole, whatever the file stores of it, and has 8 bits a sample. Pages
            are each of their own size, depth and channels.
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


def read_frames(
    path: Path | str, *, max_pixels: int | None = DEFAULT_MAX_PIXELS, with_pages: bool = True
) -> Frames | None:
    """Read all pictures of a file.

    Args:
        path: An image file.
        max_pixels: Refuse files whose pictures together have more; None lifts the limit.
        with_pages: Read the pages of a document, too, and not animations only.

    Returns:
        The pictures; None where there is only one, or none that is wanted.

    Raises:
        ImageTooLargeError: More pixels than that, or than the memory holds.
        ImageFileError: As ``read_image``.
        MissingExtraError: As ``read_image``.
    """
    return from_file(path, lambda name, file, kind: _read(name, file, kind, max_pixels, with_pages))


def _read(name: str, file: IO[bytes], kind: Format, max_pixels: int | None, with_pages: bool) -> Frames | None:
    if not kind.has_many or (kind.name == "TIFF" and not with_pages):
        return None
    if kind.name == "TIFF":
        return _read_pages(name, file, kind, max_pixels)
    with kind.import_reader()(file, "") as image:
        count = getattr(image, "n_frames", 1)
        # An APNG may begin with a picture for those who do not know APNG.
        first = 1 if kind.name == "PNG" and getattr(image, "default_image", False) else 0
        if count - first < 2:
            return None
        photos, durations, pixels = [], [], 0
        for number in range(first, count):
            image.seek(number)
            pixels += image.size[0] * image.size[1]
            if number == first:  # the frames of an animation have one size
                pixels *= count - first
            what = f"{image.size[0]}×{image.size[1]} in {count - first} pictures"
            refuse_too_large(name, what, pixels, max_pixels)
            photos.append(decode_picture(name, image, file))
            durations.append(float(image.info.get("duration", 0) or 0))
            pixels = 0
        loop = image.info.get("loop")
        return Frames(photos=tuple(photos), durations_ms=tuple(durations), loop=loop if isinstance(loop, int) else None)


def _read_pages(name: str, file: IO[bytes], kind: Format, max_pixels: int | None) -> Frames | None:
    """Read a TIFF page by page, each with all its bits."""
    count = count_pages(file, _MOST_PAGES + 1)
    if count < 2:
        return None
    if count > _MOST_PAGES:
        raise ImageFileError(f"cannot read {name}: it has more than {_MOST_PAGES:,} pages; split it")
    photos, pixels = [], 0
    with without_chatter():
        for number in range(count):
            deep_tiff = open_deep_tiff(file, page=number)
            data = page_first(file, number) if deep_tiff is None else deep_tiff.data
            with kind.import_reader()(io.BytesIO(data), "") as image:
                width = deep_tiff.width if deep_tiff else image.size[0]
                pixels += width * image.size[1]
                refuse_too_large(name, f"{width}×{image.size[1]} in {count} pictures", pixels, max_pixels)
                photos.append(decode_picture(name, image, file, deep_tiff=deep_tiff, deep=True))
    return Frames(photos=tuple(photos))


def write_frames(
    path: Path,
    photos: Iterable[Photo],
    *,
    like: Frames,
    pixels: int | None = None,
    quality: int | None = None,
    lossless: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write several pictures into one file, whole or not at all.

    Args:
        path: In a format that holds several, as ``has_several`` tells.
        photos: What to write, as many as ``like`` has. The metadata of the first is the file's; of TIFF, each page has
            its own, and the next one is asked for only when the one before is written.
        like: Timing and loops, and pictures that have the transparency and grey of those that come.
        pixels: Of all pictures together, which decide how TIFF counts; None is those of ``like``.
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
    if kind.name == "TIFF":
        if pixels is None:
            pixels = sum(photo.height * photo.width for photo in like.photos)
        notes: list[str] = []
        encoder_options(path, kind, "RGB", {}, quality, lossless)  # refuses what does not fit before any work
        with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file, refusing_in_words(path):
            write_tiff(file, _pages(path, kind, photos, quality, lossless, notes), most_pixels=pixels)
        if like.durations_ms:
            notes.append("the timing of the animation was left out: TIFF has pages")
        return tuple(dict.fromkeys(notes))
    is_colour = not kind.has_grey or any(not photo.is_grey for photo in like.photos)
    has_alpha = any(photo.alpha is not None for photo in like.photos)
    channels = ("RGBA" if is_colour else "LA") if has_alpha else ("RGB" if is_colour else "L")
    first, *rest = photos
    check_fits(path, height=first.height, width=first.width)
    options, notes = encoder_options(path, kind, channels, first.carried, quality, lossless)  # type: ignore[arg-type]
    if like.durations_ms:
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
        with refusing_in_words(path):
            images[0].save(temporary, kind.name, save_all=True, append_images=images[1:], **options)
    return tuple(notes)


def _pages(
    path: Path, kind: Format, photos: Iterable[Photo], quality: int | None, lossless: bool, notes: list[str]
) -> Iterator[TiffPage]:
    for photo in photos:
        check_fits(path, height=photo.height, width=photo.width)
        channels: Channels = file_channels(kind, photo)
        options, said = encoder_options(path, kind, channels, photo.carried, quality, lossless)
        notes += said
        bands = file_bands(photo.pixels, photo.alpha, channels, deep=photo.is_deep)
        yield TiffPage(bands=[bands], height=photo.height, width=photo.width, options=options)


def _as_image(photo: Photo, channels: Any, *, is_hard: bool) -> Image.Image:
    alpha = photo.alpha
    if alpha is not None and is_hard:
        alpha = hard_alpha(alpha)
    if alpha is None and channels.endswith("A"):
        alpha = np.full(photo.pixels.shape[:2], np.iinfo(photo.pixels.dtype).max, photo.pixels.dtype)
    return Image.fromarray(file_bands(photo.pixels, alpha, channels))
