"""Photos out: a whole file under its name, or no file at all.

    photo or strips -> channels and bits the format can hold -> encoder -> temporary file beside the target -> rename

Knows nothing of networks or of reading.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.errors import ImageFileError, OutputExistsError, SettingError
from pocketsr.image.colour import rgb_to_grey, to_8_bits
from pocketsr.image.ease import pillow_at_ease
from pocketsr.image.encoding import Channels, encoder_options
from pocketsr.image.formats import Format, format_from_suffix
from pocketsr.image.paths import exists, is_folder
from pocketsr.image.photo import Photo, check_pixels
from pocketsr.image.streaming import deflate_strategy, write_jpeg_bands, write_png_bands
from pocketsr.image.tiff_strips import write_tiff_bands

#: Rows of an image as they are made: uint8 or uint16 pixels ``(rows, W, 3)`` and alpha ``(rows, W)`` or ``None``.
Strip = tuple[npt.NDArray[Any], npt.NDArray[Any] | None]

#: From here on strips are encoded as they come. Below, Pillow holds the image: quicker and, for PNG, a smaller file.
STREAM_PIXELS = 1 << 24

#: Pixels converted at a time, so that the temporaries stay small.
_BAND_PIXELS = 1 << 20


def write_image(
    path: Path | str,
    photo: Photo,
    *,
    quality: int | None = None,
    lossless: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a photo in the format that the file name ends in, with its metadata.

    The peak is 4 bytes a pixel on top of the photo (1 for grey) for PNG, JPEG and BMP, as Pillow keeps RGB in four
    bytes; TIFF takes next to nothing, and WebP and AVIF encoders take several times as much. ``write_strips`` does with
    less.

    Args:
        path: Ends in .png, .jpg, .jpeg, .webp, .avif, .tif, .tiff, .bmp or .gif; in .heic or .jxl where Pillow's plugin
            for it is installed.
        photo: What to write. Grey photos are written as grey where the format can; transparency is flattened onto
            white where the format has none.
        quality: 1 to 100; the default is 95 for JPEG and WebP and 90 for AVIF. JPEG and AVIF keep full chroma.
            PNG, TIFF and BMP are always lossless and take none.
        lossless: Keep every pixel as it is. WebP has such a mode; JPEG and AVIF as written here do not.
        overwrite: Replace a file of that name.

    Returns:
        What the format could not keep, each in words for the user; empty when nothing was lost.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is not set.
        SettingError: ``quality`` or ``lossless`` does not fit the format.
        ImageFileError: Unknown ending, an image too large for the format, or the file cannot be written (no such
            folder, no permission, disk full). Nothing is left behind then.
    """
    job = _Job.plan(Path(path), photo.height, photo.width, photo, quality=quality, lossless=lossless)
    return _write(job, [(photo.pixels, photo.alpha)], overwrite=overwrite, is_streamed=False)


def write_strips(
    path: Path | str,
    strips: Iterable[Strip],
    *,
    height: int,
    width: int,
    like: Photo,
    quality: int | None = None,
    lossless: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write an image whose rows arrive in strips from top to bottom, without ever holding all of it where possible.

    PNG and JPEG are encoded strip by strip once they are large: memory is that of a strip and its temporaries; so are
    PNG of 16 bits and TIFF always. Small ones, and BMP, WebP, AVIF and GIF of any size, which Pillow cannot encode in
    pieces, gather in 4 bytes a pixel first.

    Args:
        path: As ``write_image``.
        strips: Pairs of pixels and alpha, alpha always ``None`` if ``like`` has none. Strips may differ in height, and
            their memory may be used again for the next one. An error raised while they are made leaves no file behind.
        height: Rows of the image.
        width: Columns of the image.
        like: Photo whose grey, alpha and ``carried`` the file is given; its own pixels are not used.
        quality: As ``write_image``.
        lossless: As ``write_image``.
        overwrite: As ``write_image``.

    Returns:
        As ``write_image``.

    Raises:
        SettingError: As ``write_image``, or the strips do not fit together to an image of ``height`` × ``width``.
        OutputExistsError: As ``write_image``.
        ImageFileError: As ``write_image``.
    """
    job = _Job.plan(Path(path), height, width, like, quality=quality, lossless=lossless)
    return _write(job, strips, overwrite=overwrite, is_streamed=height * width >= STREAM_PIXELS)


def check_fits(path: Path, *, height: int, width: int) -> None:
    """Say before any work whether the format of a file name cannot hold an image of this size.

    Raises:
        ImageFileError: It cannot, or the name ends in nothing we know.

    >>> check_fits(Path("wall.webp"), height=4, width=20000)
    Traceback (most recent call last):
    ...
    pocketsr.errors.ImageFileError: cannot write wall.webp: WEBP holds up to 16,383 pixels a side and the image is \
20,000×4; write PNG instead
    """
    kind = format_from_suffix(path)
    if max(height, width) > kind.largest_side:
        raise ImageFileError(
            f"cannot write {path}: {kind.name} holds up to {kind.largest_side:,} pixels a side and the image is "
            f"{width:,}×{height:,}; write PNG instead"
        )
    if kind.largest_area is not None and height * width > kind.largest_area:
        raise ImageFileError(
            f"cannot write {path}: {kind.name} holds up to {kind.largest_area:,} pixels and the image has "
            f"{height * width:,}; write PNG instead"
        )


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give the name of a temporary file beside ``path`` to write to; rename it to ``path`` when all went well.

    On any failure, an interrupt included, the temporary file is removed and what stood under the name still does.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is not set.
        ImageFileError: The folder is missing or may not be written, the disk is full, or writing failed otherwise.
    """
    if is_folder(path):
        raise ImageFileError(f"cannot write {path}: it is a folder; name a file in it")
    if not overwrite and exists(path):
        raise OutputExistsError(f"{path} is there already; choose another name or add --overwrite to replace it")
    if not is_folder(path.parent):
        raise ImageFileError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    # Short whatever the target is called, so that a name of the greatest length still has a temporary file.
    temporary = path.with_name(f".pocketsr-{secrets.token_hex(8)}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise ImageFileError(
            f"cannot write {path}: {reason}; check that the folder may be written and the disk has space"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def file_channels(kind: Format, photo: Photo) -> Channels:
    """Return the channels that a file of a format has for a photo."""
    grey = photo.is_grey and kind.has_grey
    if photo.alpha is not None and kind.has_alpha:
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


@dataclasses.dataclass(frozen=True)
class _Job:
    """What is to be written, settled before the first row is made. ``notes`` grows while rows pass."""

    path: Path
    kind: Format
    height: int
    width: int
    has_alpha: bool
    channels: Channels
    has_16_bits: bool
    options: Mapping[str, Any]
    notes: list[str]

    @classmethod
    def plan(cls, path: Path, height: int, width: int, like: Photo, *, quality: int | None, lossless: bool) -> _Job:
        kind = format_from_suffix(path)
        if min(height, width) < 1:
            raise SettingError(f"an image has at least one pixel; {height}×{width} were announced")
        check_fits(path, height=height, width=width)
        channels = file_channels(kind, like)
        has_16_bits = like.is_deep and kind.has_16_bits
        options, notes = encoder_options(path, kind, channels, like.carried, quality, lossless)
        if like.is_deep and not has_16_bits:
            notes.append(f"16-bit samples were reduced to 8 bits: more is not written to {kind.name}")
        return cls(path, kind, height, width, like.alpha is not None, channels, has_16_bits, options, notes)


def _write(job: _Job, strips: Iterable[Strip], *, overwrite: bool, is_streamed: bool) -> tuple[str, ...]:
    writers: dict[str, Callable[..., None]] = {
        "PNG": write_png_bands,
        "JPEG": write_jpeg_bands,
        "TIFF": functools.partial(write_tiff_bands, width=job.width),
    }
    in_pieces = writers.get(job.kind.name)
    # Pillow writes no colour of 16 bits, and no TIFF of EXIF data and compression.
    is_streamed = is_streamed or job.has_16_bits or job.kind.name == "TIFF"
    with replacing(job.path, overwrite=overwrite) as temporary:
        if in_pieces is not None and is_streamed:
            with temporary.open("wb") as file, refusing_in_words(job.path):
                in_pieces(file, _bands(job, strips), height=job.height, options=job.options)
        else:
            _write_whole(temporary, job, strips)
    return tuple(job.notes)


def _write_whole(temporary: Path, job: _Job, strips: Iterable[Strip]) -> None:
    """Gather the strips, and encode them in one go."""
    image = Image.new(job.channels, (job.width, job.height))
    options, top = dict(job.options), 0
    for band in _bands(job, strips):
        if job.kind.name == "PNG":
            # Runs for a photograph in colour; of the two the greater number.
            options["compress_type"] = max(options.get("compress_type", 0), deflate_strategy(band))
        image.paste(Image.fromarray(band), (0, top))
        top += len(band)
    with _CheckedFile(temporary.open("wb", buffering=0)) as file, refusing_in_words(job.path):
        job.kind.import_reader()
        image.save(file, job.kind.name, **options)


@contextmanager
def refusing_in_words(path: Path) -> Iterator[None]:
    """Turn what Pillow's encoders raise where metadata does not fit, or for no reason given, into one line."""
    try:
        with pillow_at_ease():  # AVIF's writer reads the EXIF data again
            yield
    except (ValueError, TypeError, RuntimeError, SyntaxError, OverflowError, struct.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(
            f"cannot write {path}: {format_from_suffix(path).name} encoding failed ({reason}); try PNG"
        ) from error


class _CheckedFile(io.BufferedWriter):
    """A file that hides its descriptor.

    Pillow's encoders in C write to a descriptor where there is one, and take a short write for a whole one: on a full
    disk that leaves a file cut short and no error. Through Python every byte is written or an ``OSError`` raised.
    """

    def fileno(self) -> int:
        raise io.UnsupportedOperation("writing goes through Python")


def _bands(job: _Job, strips: Iterable[Strip]) -> Iterator[npt.NDArray[Any]]:
    """Check the strips and yield their rows with the channels of the file; the rows must come to the height."""
    rows = 0
    is_flattened = False
    for pixels, alpha in strips:
        check_pixels(pixels, alpha)
        rows += len(pixels)
        if pixels.shape[1] != job.width or rows > job.height or (alpha is not None) != job.has_alpha:
            wanted = f"{job.height} rows of width {job.width}, {'with' if job.has_alpha else 'without'} alpha"
            given = f"{rows} rows so far, of width {pixels.shape[1]}, {'without' if alpha is None else 'with'} alpha"
            raise SettingError(f"the strips do not make the image that was announced: needed {wanted}; got {given}")
        if alpha is not None and job.channels in ("L", "RGB") and not is_flattened and alpha.min() < _white(alpha):
            is_flattened = True
            job.notes.append(f"transparency was flattened onto white: it is not written to {job.kind.name}")
        if alpha is not None and not job.kind.has_soft_alpha:
            alpha = hard_alpha(alpha)
        # However tall the strips are, what follows is done in pieces, as it takes several times their memory.
        step = max(1, _BAND_PIXELS // job.width)
        for top in range(0, len(pixels), step):
            part = slice(top, top + step)
            yield file_bands(pixels[part], None if alpha is None else alpha[part], job.channels, deep=job.has_16_bits)
    if rows != job.height:
        raise SettingError(f"the strips do not make the image that was announced: needed {job.height} rows; got {rows}")


def file_bands(
    pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None, channels: Channels, *, deep: bool = False
) -> npt.NDArray[Any]:
    """Return rows with the channels of a file, and with 8 bits a sample unless ``deep``."""
    if alpha is not None and channels in ("L", "RGB"):
        pixels = _on_white(pixels, alpha)
    colour = pixels
    if channels in ("L", "LA"):  # of 16 bits the three channels of grey are equal
        colour = rgb_to_grey(pixels) if pixels.dtype == np.uint8 else pixels[:, :, 0]
    if alpha is not None and channels in ("LA", "RGBA"):
        colour = np.dstack([colour, alpha])
    if colour.dtype == np.uint16 and not deep:
        colour = to_8_bits(colour)
    return np.ascontiguousarray(colour)


def hard_alpha(alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return transparency for formats that know no half of it."""
    white = _white(alpha)
    return np.where(alpha > white // 2, white, 0).astype(alpha.dtype)


def _on_white(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # At most 255² + 127, which 16 bits hold, or the same with 65535 in 32.
    wide = np.dtype(np.uint16 if pixels.dtype == np.uint8 else np.uint32)
    white = wide.type(_white(pixels))
    opacity = alpha[..., None].astype(wide)
    mixed = pixels * opacity + (white - opacity) * white + white // wide.type(2)
    return np.asarray((mixed // white).astype(pixels.dtype))


def _white(pixels: npt.NDArray[Any]) -> int:
    return 255 if pixels.dtype == np.uint8 else 65535
