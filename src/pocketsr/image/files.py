"""Photos in and out through Pillow: nothing partial is ever left, nothing surprising happens to the pixels.

In memory a photo is uint8 RGB with its transparency beside it. Orientation is applied on reading; EXIF, colour profile
and resolution travel along. Knows nothing of networks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from pocketsr.errors import DataError, ImageFileError, ImageTooLargeError, OutputExistsError

Pixels = npt.NDArray[np.uint8]

#: Pixels that an image may have before it is refused unread: a small file can unpack to a huge one.
DEFAULT_MAX_PIXELS = 200_000_000

#: Format by suffix. The one list of what can be read and written.
FORMATS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

#: How each format is written: visually lossless where it is lossy, full colour resolution, and quickly.
_SAVE_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "PNG": {"compress_level": 3},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
}
_WITHOUT_ALPHA = ("JPEG", "BMP")
_CARRIED = ("exif", "icc_profile", "dpi")


@dataclasses.dataclass(frozen=True)
class Photo:
    """A decoded image and what belongs to it.

    Attributes:
        pixels: uint8 ``(H, W, 3)`` RGB, upright.
        alpha: uint8 ``(H, W)``, 255 opaque; None where the file has no transparency.
        is_grey: The file has one channel of colour; ``pixels`` holds it three times.
        source_bits: Bits a channel in the file; 16-bit files are reduced to 8 by their high byte.
        carried: What is handed on to the output: ``exif``, ``icc_profile``, ``dpi``.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    is_grey: bool = False
    source_bits: int = 8
    carried: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def list_images(folder: Path) -> tuple[Path, ...]:
    """Return the images of a folder by their suffix, sorted by name; folders below are not searched.

    Raises:
        DataError: The folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    files = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in FORMATS and path.is_file()))
    if not files:
        raise DataError(f"{folder} holds no images; known suffixes: {', '.join(FORMATS)}")
    return files


def read_image(path: Path, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Photo:
    """Read one image.

    Args:
        path: A file in any of ``FORMATS``; the content decides, not the suffix.
        max_pixels: Refuse larger images before decoding; None for no limit.

    Raises:
        ImageTooLargeError: More pixels than ``max_pixels``.
        ImageFileError: The file is missing, empty, damaged, cut short or not an image.
    """
    if path.is_dir():
        raise ImageFileError(f"{path} is a folder; an image file is needed")
    if not path.exists():
        raise ImageFileError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise ImageFileError(f"{path} is empty (0 bytes)")
    try:
        # Our own limit, stated and adjustable, takes the place of Pillow's warning at 89 megapixels.
        with warnings.catch_warnings(), _without_pillow_limit():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=sorted(set(FORMATS.values()) | {"MPO"})) as image:
                if max_pixels is not None and image.width * image.height > max_pixels:
                    raise ImageTooLargeError(
                        f"{path} has {image.width}×{image.height} pixels, more than the limit of {max_pixels:,}; "
                        "raise it with --max-pixels if the file can be trusted"
                    )
                return _photo(image)
    except UnidentifiedImageError as error:
        raise ImageFileError(f"{path} is not an image that can be read ({', '.join(sorted(set(FORMATS.values())))})") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageFileError(f"{path} cannot be decoded: {error}; the file is damaged or cut short") from error


def write_image(path: Path, photo: Photo, *, overwrite: bool = False) -> None:
    """Write one image in the format of the suffix: whole, or not at all.

    Transparency is laid on white where the format has none (JPEG, BMP).

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is false.
        ImageFileError: The suffix is unknown or the file cannot be written.
    """
    format_ = format_of(path)
    with replacing(path, overwrite=overwrite) as temporary:
        _image(photo, with_alpha=format_ not in _WITHOUT_ALPHA).save(
            temporary, format=format_, **_SAVE_OPTIONS[format_], **photo.carried
        )


def format_of(path: Path) -> str:
    """Return the format that a file name asks for.

    Raises:
        ImageFileError: The suffix is not one of ``FORMATS``.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ImageFileError(f"{path}: the suffix says no known image format; use one of {', '.join(FORMATS)}") from None


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary file beside ``path`` to write to; rename it over ``path`` when all went well, else remove it.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is false.
        ImageFileError: The folder is missing, the disk is full, or writing failed otherwise.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is there already; add --overwrite to replace it")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageFileError(f"{path} cannot be written: {error}; nothing was left behind") from error


@contextlib.contextmanager
def _without_pillow_limit() -> Iterator[None]:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _photo(image: Image.Image) -> Photo:
    carried = {key: image.info[key] for key in _CARRIED if image.info.get(key)}
    is_grey, bits = image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;16"), _bits(image)
    turned = ImageOps.exif_transpose(image)
    if "exif" in carried:
        # Upright now: the tag that says how to turn it is gone from here.
        carried["exif"] = turned.getexif().tobytes()
    if turned.mode.startswith("I"):
        levels = np.asarray(turned).astype(np.int64) >> 8
        turned = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    alpha = None
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        alpha = np.asarray(turned.getchannel("A"))
    rgb = turned if turned.mode == "RGB" else turned.convert("RGB")
    return Photo(np.asarray(rgb), alpha, is_grey, bits, carried)


def _bits(image: Image.Image) -> int:
    if image.mode.startswith("I") or image.mode == "F":
        return 16
    return 1 if image.mode == "1" else 8


def _image(photo: Photo, *, with_alpha: bool) -> Image.Image:
    """Return the photo as Pillow's image: L, LA, RGB or RGBA."""
    colour = Image.fromarray(np.ascontiguousarray(photo.pixels))
    if photo.is_grey:
        colour = Image.fromarray(np.ascontiguousarray(photo.pixels[:, :, 1]))
    if photo.alpha is None:
        return colour
    alpha = Image.fromarray(np.ascontiguousarray(photo.alpha))
    if with_alpha:
        colour.putalpha(alpha)
        return colour
    white = Image.new(colour.mode, colour.size, "white")
    white.paste(colour, mask=alpha)
    return white
