"""Photo files through an enlarger: written whole or not at all, with what the source said beside its pixels.

    file ──> photo ──> strips ──> encoder
               └─> metadata, made true for the new size ─┘

The enlarged photo is never held here: strips go to the encoder as they are made. Knows nothing of tiles or encoders.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import OutputExistsError
from pocketsr.image import (
    DEFAULT_MAX_PIXELS,
    Frames,
    Photo,
    Strip,
    format_of,
    has_several,
    read_frames,
    read_image,
    takes_quality,
    write_frames,
    write_strips,
)
from pocketsr.image.exif import resize_exif
from pocketsr.image.paths import exists
from pocketsr.runtime.enlarge import Enlarger, network_input
from pocketsr.runtime.style import StyleChoice
from pocketsr.runtime.target import Target
from pocketsr.runtime.upscaler import Progress, Upscaler

__all__ = [
    "PhotoSettings",
    "enlarged",
    "network_input",
    "photo_of",
    "upscale_file",
    "upscaled_strips",
    "write_upscaled",
]

#: What says how colours are to be shown, and nothing of who took the photo, where and with what.
_COLOUR = ("icc_profile", "gamma", "chromaticity")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """What is made of a photo beside running a model.

    Attributes:
        target: Size of the output; None is the model's scale.
        quality: 1 to 100, for formats that have one; None takes the format's usual one.
        lossless: Keep every pixel, in formats with such a mode.
        is_stripped: Leave out all metadata but the colour profile.
        is_faithful: Correct shifts of colour.
        style: What kind of model it wants: ``auto`` looks at each photo.
    """

    target: Target | None = None
    quality: int | None = None
    lossless: bool = False
    is_stripped: bool = False
    is_faithful: bool = False
    style: StyleChoice = "auto"


_USUAL = PhotoSettings()


def upscale_file(
    models: Upscaler | Sequence[Upscaler],
    source: Path,
    target: Path,
    *,
    settings: PhotoSettings = _USUAL,
    overwrite: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_progress: Progress | None = None,
) -> tuple[str, ...]:
    """Upscale one image file into another.

    Args:
        models: A model that is ready, or one for each scale there is.
        source: Image file to read.
        target: Image file to write, in the format of its ending.
        settings: Size, quality and metadata.
        overwrite: Replace the target if it is there. The source itself is never replaced.
        max_pixels: Refuse larger sources before decoding; None for no limit.
        on_progress: Called as the last model goes on with (parts done, parts in all).

    Returns:
        What reading and writing gave up, each in words for the user.

    Raises:
        OutputExistsError: The target is there and ``overwrite`` is false, or it is the source.
        ImageTooLargeError: The source has more than ``max_pixels``.
        ImageFileError: The source cannot be read, or the target not written. Nothing is left behind then.
        SettingError: The settings do not fit the format or the size of the source.
    """
    if exists(target) and exists(source) and target.samefile(source):
        raise OutputExistsError(f"{target} is the input itself; choose another output")
    if exists(target) and not overwrite:  # said before a large image is decoded; the writer looks again
        raise OutputExistsError(f"{target} is there already; add --overwrite to replace it")
    frames = None
    if has_several(target):  # pages are no animation
        frames = read_frames(source, max_pixels=max_pixels, with_pages=format_of(target) == "TIFF")
    if frames is not None:
        return _write_all(models, frames, target, settings=settings, overwrite=overwrite, on_progress=on_progress)
    photo = read_image(source, max_pixels=max_pixels, deep=True)
    return write_upscaled(models, photo, target, settings=settings, overwrite=overwrite, on_progress=on_progress)


def write_upscaled(
    models: Upscaler | Sequence[Upscaler],
    photo: Photo,
    target: Path,
    *,
    settings: PhotoSettings = _USUAL,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> tuple[str, ...]:
    """Upscale a photo into a file: whole, or not at all.

    Returns:
        What reading and writing gave up, each in words for the user.

    Raises:
        OutputExistsError: The target is there and ``overwrite`` is false.
        ImageFileError: The ending is unknown, the enlarged image too large for its format, or the file cannot be
            written. Nothing is left behind then.
        SettingError: The settings do not fit the format or the size of the photo.
    """
    enlarger = _enlarger(models, settings)
    height, width = enlarger.size(photo.height, photo.width)
    notes = (*photo.notes, *filter(None, [enlarger.choice(photo)]))
    if max(height, width) <= max(photo.height, photo.width):
        notes = (*notes, f"{width}×{height} is no larger than the input: it was resized without a model")
    has_quality = takes_quality(target)
    if settings.quality is not None and not has_quality:
        notes = (*notes, f"the quality was not used: {target.suffix.lstrip('.')} files have none")
    return notes + write_strips(
        target,
        enlarger.strips(photo, on_progress=on_progress),
        height=height,
        width=width,
        like=dataclasses.replace(photo, carried=_carried(photo, height, width, is_stripped=settings.is_stripped)),
        quality=settings.quality if has_quality else None,
        lossless=settings.lossless,
        overwrite=overwrite,
    )


def _write_all(
    models: Upscaler | Sequence[Upscaler],
    frames: Frames,
    target: Path,
    *,
    settings: PhotoSettings,
    overwrite: bool,
    on_progress: Progress | None,
) -> tuple[str, ...]:
    """Upscale an animation, or a document of several pages."""
    enlarger = _enlarger(models, settings)
    enlarger.settle(frames.photos[0])

    def made() -> Iterator[Photo]:
        for number, photo in enumerate(frames.photos, 1):
            yield enlarged(enlarger, photo, is_stripped=settings.is_stripped)
            if on_progress is not None:
                on_progress(number, len(frames.photos))

    pixels = sum(math.prod(enlarger.size(photo.height, photo.width)) for photo in frames.photos)
    said = [*(note for photo in frames.photos for note in photo.notes), enlarger.choice(frames.photos[0])]
    notes = tuple(filter(None, dict.fromkeys(said)))
    has_quality = takes_quality(target)
    quality = settings.quality if has_quality else None
    return notes + write_frames(
        target,
        made(),
        like=frames,
        pixels=pixels,
        quality=quality,
        lossless=settings.lossless,
        overwrite=overwrite,
    )


def _enlarger(models: Upscaler | Sequence[Upscaler], settings: PhotoSettings) -> Enlarger:
    return Enlarger(models, target=settings.target, is_faithful=settings.is_faithful, style=settings.style)


def enlarged(
    enlarger: Enlarger, photo: Photo, *, is_stripped: bool = False, on_progress: Progress | None = None
) -> Photo:
    """Return the enlarged photo in one piece, with metadata that is true for it."""
    strips = list(enlarger.strips(photo, on_progress=on_progress))
    pixels = np.concatenate([strip for strip, _ in strips])
    alphas = [part for _, part in strips if part is not None]
    carried = _carried(photo, *pixels.shape[:2], is_stripped=is_stripped)
    return dataclasses.replace(photo, pixels=pixels, alpha=np.concatenate(alphas) if alphas else None, carried=carried)


def upscaled_strips(
    models: Upscaler | Sequence[Upscaler], photo: Photo, *, on_progress: Progress | None = None
) -> Iterator[Strip]:
    """Yield the photo at a model's scale from top to bottom: pixels ``(h, sW, 3)`` with alpha ``(h, sW)`` or None."""
    return Enlarger(models).strips(photo, on_progress=on_progress)


def photo_of(image: npt.NDArray[Any]) -> Photo:
    """Return an array as a photo: uint8 or uint16, ``(H, W, 3)`` RGB, ``(H, W, 4)`` with alpha, or ``(H, W)`` grey.

    Raises:
        SettingError: It has another shape or type.

    >>> photo_of(np.zeros((4, 6), np.uint8)).is_grey
    True
    """
    if image.ndim == 2:
        return Photo(pixels=np.broadcast_to(image[:, :, None], (*image.shape, 3)), is_grey=True)
    if image.ndim == 3 and image.shape[2] == 4:
        return Photo(pixels=image[:, :, :3], alpha=image[:, :, 3])
    return Photo(pixels=image)


def _carried(photo: Photo, height: int, width: int, *, is_stripped: bool) -> dict[str, Any]:
    """Return what goes along, true for the new size: on paper the photo stays as large as it was."""
    carried = dict(photo.carried)
    if is_stripped:
        return {key: value for key, value in carried.items() if key in _COLOUR}
    factors = width / photo.width, height / photo.height
    if "dpi" in carried:
        carried["dpi"] = tuple(dots * factor for dots, factor in zip(carried["dpi"], factors, strict=True))
    if "exif" in carried:
        carried["exif"] = resize_exif(carried["exif"], width=width, height=height, factors=factors)
    return carried
