"""Photos through an upscaler: colour by the network, transparency by bicubic, files written whole or not at all.

    photo ──> strips of colour (network) ──┐
          └─> strips of alpha (bicubic) ───┴──> encoder

The enlarged photo is never held here: strips go to the encoder as they are made. Knows nothing of tiles or encoders.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pocketsr.errors import OutputExistsError
from pocketsr.image import DEFAULT_MAX_PIXELS, Photo, Strip, read_image, resize_bicubic, write_strips
from pocketsr.image.paths import exists
from pocketsr.runtime.pixels import Pixels
from pocketsr.runtime.tiling import spans
from pocketsr.runtime.upscaler import Progress, Upscaler

#: Pixels handed to an encoder at once. Its temporaries are several times that; a row of tiles of a wide image is much.
_STRIP_PIXELS = 1 << 20
#: Rows on either side that bicubic looks at when it enlarges.
_BICUBIC_REACH = 3
#: Longest side of a piece of transparency that is enlarged at once.
_ALPHA_TILE = 512


def upscale_file(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    *,
    overwrite: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_progress: Progress | None = None,
) -> tuple[str, ...]:
    """Upscale one image file into another.

    Args:
        upscaler: A model that is ready.
        source: Image file to read.
        target: Image file to write, in the format of its ending.
        overwrite: Replace the target if it is there. The source itself is never replaced.
        max_pixels: Refuse larger sources before decoding; None for no limit.
        on_progress: Called after every tile with (tiles done, tiles in all).

    Returns:
        What reading and writing gave up, each in words for the user.

    Raises:
        OutputExistsError: The target is there and ``overwrite`` is false, or it is the source.
        ImageTooLargeError: The source has more than ``max_pixels``.
        ImageFileError: The source cannot be read, or the target not written. Nothing is left behind then.
    """
    if exists(target) and exists(source) and target.samefile(source):
        raise OutputExistsError(f"{target} is the input itself; choose another output")
    if exists(target) and not overwrite:  # said before a large image is decoded; the writer looks again
        raise OutputExistsError(f"{target} is there already; add --overwrite to replace it")
    photo = read_image(source, max_pixels=max_pixels)
    return write_upscaled(upscaler, photo, target, overwrite=overwrite, on_progress=on_progress)


def write_upscaled(
    upscaler: Upscaler,
    photo: Photo,
    target: Path,
    *,
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
    """
    notes = write_strips(
        target,
        upscaled_strips(upscaler, photo, on_progress=on_progress),
        height=photo.height * upscaler.scale,
        width=photo.width * upscaler.scale,
        like=photo,
        overwrite=overwrite,
    )
    return photo.notes + notes


def upscaled_strips(upscaler: Upscaler, photo: Photo, *, on_progress: Progress | None = None) -> Iterator[Strip]:
    """Yield the enlarged photo from top to bottom: pixels ``(h, sW, 3)`` with alpha ``(h, sW)`` or None."""
    step = max(1, _STRIP_PIXELS // (photo.width * upscaler.scale))
    alphas = None if photo.alpha is None else _Rows(alpha_strips(photo.alpha, upscaler.scale))
    for strip in upscaler.strips(network_input(photo), on_progress=on_progress):
        for first in range(0, len(strip), step):
            rows = strip[first : first + step]
            pixels = rows if rows.ndim == 3 else np.broadcast_to(rows[:, :, None], (*rows.shape, 3))
            yield pixels, None if alphas is None else alphas.take(len(rows))


def network_input(photo: Photo) -> Pixels:
    """Return what an upscaler takes of a photo: ``(H, W, 3)``, or ``(H, W)`` where the file was grey."""
    return photo.pixels[:, :, 0] if photo.is_grey else photo.pixels


def photo_of(image: Pixels) -> Photo:
    """Return an array as a photo: uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey.

    >>> photo_of(np.zeros((4, 6), np.uint8)).is_grey
    True
    """
    if image.ndim == 2:
        return Photo(pixels=np.broadcast_to(image[:, :, None], (*image.shape, 3)), is_grey=True)
    return Photo(pixels=image)


def alpha_strips(alpha: Pixels, scale: int) -> Iterator[Pixels]:
    """Enlarge transparency by bicubic, in pieces that overlap by as much as bicubic looks at.

    Args:
        alpha: uint8 ``(H, W)``.
        scale: Output height over input height.

    Yields:
        uint8 ``(h, sW)`` from top to bottom, together what ``resize_bicubic`` makes of the whole.
    """
    height, width = alpha.shape
    for rows in spans(height, _ALPHA_TILE, _BICUBIC_REACH):
        strip = np.empty(((rows.keep_stop - rows.keep_start) * scale, width * scale), np.uint8)
        for columns in spans(width, _ALPHA_TILE, _BICUBIC_REACH):
            piece = alpha[rows.start : rows.stop, columns.start : columns.stop]
            enlarged = resize_bicubic(piece, piece.shape[0] * scale, piece.shape[1] * scale)
            top, left = (rows.keep_start - rows.start) * scale, (columns.keep_start - columns.start) * scale
            kept = slice(columns.keep_start * scale, columns.keep_stop * scale)
            strip[:, kept] = enlarged[top : top + len(strip), left : left + kept.stop - kept.start]
        yield strip


class _Rows:
    """Rows out of strips of other heights."""

    def __init__(self, strips: Iterator[Pixels]) -> None:
        self._strips = strips
        self._rest: list[Pixels] = []

    def take(self, count: int) -> Pixels:
        """Return the next rows."""
        while sum(map(len, self._rest)) < count:
            self._rest.append(next(self._strips))
        rows = np.concatenate(self._rest)
        self._rest = [rows[count:]]
        return rows[:count]
