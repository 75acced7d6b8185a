"""Photos out: a whole file under its name, or no file at all.

    photo or strips -> channels the format can hold -> encoder -> temporary file beside the target -> rename

Knows nothing of networks or of reading.
"""

from __future__ import annotations

import dataclasses
import io
import secrets
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.errors import ImageFileError, OutputExistsError, SettingError
from pocketsr.image.colour import rgb_to_grey
from pocketsr.image.ease import pillow_at_ease
from pocketsr.image.formats import Format, format_from_suffix
from pocketsr.image.paths import exists, is_folder
from pocketsr.image.photo import Photo, check_pixels
from pocketsr.image.streaming import write_jpeg_bands, write_png_bands

#: Rows of an image as they are made: uint8 pixels ``(rows, W, 3)`` and alpha ``(rows, W)`` or ``None``.
Strip = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]

#: From here on strips are encoded as they come. Below, Pillow holds the image: quicker and, for PNG, a smaller file.
STREAM_PIXELS = 1 << 24

_Layout = Literal["L", "LA", "RGB", "RGBA"]

#: Pixels converted at a time, so that the temporaries stay small.
_BAND_PIXELS = 1 << 20
#: Pillow's PNG at level 3 takes a fraction of the time of its default, level 6, for files a few per cent larger.
_PNG_LEVEL = 3
#: Longest EXIF block, its prefix counted, that fits into the one segment that JPEG has for it.
_JPEG_EXIF_BYTES = 65533
#: A profile lies in up to 255 segments (ICC.1, §B.4); Pillow would begin to count again.
_JPEG_PROFILE_BYTES = 255 * 65519
_EXIF_PREFIX = b"Exif\0\0"


def write_image(
    path: Path | str,
    photo: Photo,
    *,
    quality: int | None = None,
    lossless: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a photo in the format that the file name ends in, with its metadata.

    The peak is 4 bytes a pixel on top of the photo (1 for grey) for PNG, JPEG, TIFF and BMP, as Pillow keeps RGB in
    four bytes; TIFF adds the size of the file, and WebP and AVIF encoders take several times as much. ``write_strips``
    does with less.

    Args:
        path: Ends in .png, .jpg, .jpeg, .webp, .avif, .tif, .tiff or .bmp.
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
    with replacing(job.path, overwrite=overwrite) as temporary:
        _write_whole(temporary, job, [(photo.pixels, photo.alpha)])
    return tuple(job.notes)


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

    PNG and JPEG are encoded strip by strip once they are large: memory is that of a strip and its temporaries. Small
    ones, and TIFF, BMP, WebP and AVIF of any size, which Pillow cannot encode in pieces, gather in 4 bytes a pixel
    first.

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
    in_pieces = {"PNG": write_png_bands, "JPEG": write_jpeg_bands}.get(job.kind.name)
    with replacing(job.path, overwrite=overwrite) as temporary:
        if in_pieces is None or height * width < STREAM_PIXELS:
            _write_whole(temporary, job, strips)
        else:
            with temporary.open("wb") as file, _refusing_in_words(job):
                in_pieces(file, _bands(job, strips), height=height, options=job.options)
    return tuple(job.notes)


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


def _layout(kind: Format, photo: Photo) -> _Layout:
    grey = photo.is_grey and kind.has_grey
    if photo.alpha is not None and kind.has_alpha:
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


def _encoder_options(
    path: Path, kind: Format, layout: _Layout, carried: Mapping[str, Any], quality: int | None, lossless: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return what Pillow's ``save`` is told for this format, and which metadata does not fit."""
    if lossless and not kind.can_be_lossless:
        raise SettingError(f"cannot write {path} lossless: {kind.name} as written here is lossy; use PNG or WebP")
    if quality is not None and kind.default_quality is None:
        raise SettingError(f"cannot write {path} with quality {quality}: {kind.name} is always lossless; leave it out")
    if quality is not None and not 1 <= quality <= 100:
        raise SettingError(f"quality is a whole number from 1 to 100, not {quality}")
    quality = kind.default_quality if quality is None else quality
    options: dict[str, Any] = {}
    match kind.name:
        case "PNG":
            options = {"compress_level": _PNG_LEVEL}
        case "JPEG":
            options = {"quality": quality, "subsampling": 0}
        case "WEBP":
            # Lossless keeps the colour under transparent pixels, too; quality is then the effort.
            options = {"lossless": True, "exact": True, "quality": 75} if lossless else {"quality": quality}
        case "AVIF":
            options = {"quality": quality} if layout == "L" else {"quality": quality, "subsampling": "4:4:4"}
        case "TIFF":
            options = {"compression": "tiff_adobe_deflate"}
        case _:
            pass
    metadata, notes = _fitting_metadata(kind.name, carried, is_grey=layout in ("L", "LA"))
    return options | metadata, notes


def _fitting_metadata(
    format_name: str, carried: Mapping[str, Any], *, is_grey: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return what of ``Photo.carried`` a format can hold, as Pillow's ``save`` takes it, and notes on the rest.

    Args:
        format_name: As ``format_of`` gives it.
        carried: EXIF, profile and resolution of the source.
        is_grey: The file will have one channel of colour.
    """
    kept: dict[str, Any] = {}
    notes = []
    if (dpi := carried.get("dpi")) and format_name in ("PNG", "JPEG", "TIFF", "BMP"):
        kept["dpi"] = dpi
    if profile := carried.get("icc_profile"):
        if format_name == "BMP":
            notes.append("the colour profile was left out: it is not written to BMP")
        elif format_name == "JPEG" and len(profile) > _JPEG_PROFILE_BYTES:
            notes.append(f"the colour profile was left out: its {len(profile):,} bytes do not fit into a JPEG file")
        elif profile[16:20] == b"GRAY" and not is_grey:  # the profile's colour space (ICC.1, §7.2.8)
            notes.append(f"the grey colour profile was left out: this {format_name} file is in colour")
        else:
            kept["icc_profile"] = profile
    if exif := carried.get("exif", b"").removeprefix(_EXIF_PREFIX):
        if format_name in ("TIFF", "BMP"):
            notes.append(f"the EXIF data was left out: it is not written to {format_name}")
        elif format_name != "JPEG":
            kept["exif"] = exif
        elif len(_EXIF_PREFIX) + len(exif) <= _JPEG_EXIF_BYTES:
            kept["exif"] = _EXIF_PREFIX + exif
        else:
            notes.append(f"the EXIF data was left out: its {len(exif):,} bytes do not fit into a JPEG file")
    return kept, notes


@dataclasses.dataclass(frozen=True)
class _Job:
    """What is to be written, settled before the first row is made. ``notes`` grows while rows pass."""

    path: Path
    kind: Format
    height: int
    width: int
    has_alpha: bool
    layout: _Layout
    options: Mapping[str, Any]
    notes: list[str]

    @classmethod
    def plan(cls, path: Path, height: int, width: int, like: Photo, *, quality: int | None, lossless: bool) -> _Job:
        kind = format_from_suffix(path)
        if min(height, width) < 1:
            raise SettingError(f"an image has at least one pixel; {height}×{width} were announced")
        check_fits(path, height=height, width=width)
        layout = _layout(kind, like)
        options, notes = _encoder_options(path, kind, layout, like.carried, quality, lossless)
        return cls(path, kind, height, width, like.alpha is not None, layout, options, notes)


def _write_whole(temporary: Path, job: _Job, strips: Iterable[Strip]) -> None:
    """Gather the strips in Pillow, which encodes them in one go."""
    image = Image.new(job.layout, (job.width, job.height))
    top = 0
    for band in _bands(job, strips):
        image.paste(Image.fromarray(band), (0, top))
        top += len(band)
    with _CheckedFile(temporary.open("wb", buffering=0)) as file, _refusing_in_words(job):
        image.save(file, job.kind.name, **job.options)


@contextmanager
def _refusing_in_words(job: _Job) -> Iterator[None]:
    """Turn what Pillow's encoders raise where metadata does not fit, or for no reason given, into one line."""
    try:
        with pillow_at_ease():  # AVIF's writer reads the EXIF data again
            yield
    except (ValueError, TypeError, RuntimeError, SyntaxError, OverflowError, struct.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(f"cannot write {job.path}: {job.kind.name} encoding failed ({reason}); try PNG") from error


class _CheckedFile(io.BufferedWriter):
    """A file that hides its descriptor.

    Pillow's encoders in C write to a descriptor where there is one, and take a short write for a whole one: on a full
    disk that leaves a file cut short and no error. Through Python every byte is written or an ``OSError`` raised.
    """

    def fileno(self) -> int:
        raise io.UnsupportedOperation("writing goes through Python")


def _bands(job: _Job, strips: Iterable[Strip]) -> Iterator[npt.NDArray[np.uint8]]:
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
        if alpha is not None and job.layout in ("L", "RGB") and not is_flattened and alpha.min() < 255:
            is_flattened = True
            job.notes.append(f"transparency was flattened onto white: it is not written to {job.kind.name}")
        # However tall the strips are, what follows is done in pieces, as it takes several times their memory.
        step = max(1, _BAND_PIXELS // job.width)
        for top in range(0, len(pixels), step):
            yield _band(pixels[top : top + step], None if alpha is None else alpha[top : top + step], job.layout)
    if rows != job.height:
        raise SettingError(f"the strips do not make the image that was announced: needed {job.height} rows; got {rows}")


def _band(pixels: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None, layout: _Layout) -> npt.NDArray[np.uint8]:
    """Return the rows with the channels of the file."""
    if alpha is not None and layout in ("L", "RGB"):
        pixels = _on_white(pixels, alpha)
    colour = rgb_to_grey(pixels) if layout in ("L", "LA") else pixels
    if alpha is not None and layout in ("LA", "RGBA"):
        colour = np.dstack([colour, alpha])
    return np.ascontiguousarray(colour)


def _on_white(pixels: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    opacity = alpha[..., None].astype(np.uint16)
    # At most 255² + 127, which 16 bits hold.
    mixed = pixels * opacity + (255 - opacity) * np.uint16(255) + np.uint16(127)
    return (mixed // 255).astype(np.uint8)
