"""Photos in: an image file becomes a ``Photo``, or an error that says in one line why not.

    file -> format by content -> size check -> decode in bands of rows -> RGB + alpha -> upright

Pixels leave Pillow band by band, so the peak is 7 bytes a pixel for an RGB photo (4 in Pillow, 3 in the result); a
progressive JPEG adds libjpeg's coefficients while it decodes. Knows nothing of networks or of writing.
"""

from __future__ import annotations

import importlib
import math
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.errors import DataError, ImageFileError, ImageTooLargeError
from pocketsr.image.chatter import without_chatter
from pocketsr.image.ease import pillow_at_ease
from pocketsr.image.exif import split_orientation, turn_upright
from pocketsr.image.formats import FORMAT_NAMES, FORMATS, Format, format_from_content
from pocketsr.image.paths import exists, is_folder
from pocketsr.image.photo import Photo

#: Images with more pixels are refused unless the caller raises the limit: a small file can claim any size.
DEFAULT_MAX_PIXELS = 200_000_000

#: Pixels that leave Pillow at a time; small beside a photo, large beside the cost of a call.
_BAND_PIXELS = 1 << 20

#: Pages of a TIFF that are counted.
_MOST_PAGES = 100

#: What each of Pillow's modes is decoded to; the 16-bit ones are left to numpy. Others are refused.
_DECODED_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "I;16": "I;16", "I;16B": "I;16B", "I;16L": "I;16L", "I;16N": "I;16N",
    "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA", "CMYK": "RGB",
    "YCbCr": "RGB",
}  # fmt: skip


def read_image(path: Path | str, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Photo:
    """Read a photo. The format is told by the content, not by the name.

    Palettes become colours, grey becomes three equal channels, 16-bit samples keep their high byte, and the EXIF
    orientation is applied. Of an animation or a document with several pages the first picture is read. ``Photo.notes``
    says what was given up.

    Args:
        path: PNG, JPEG, WebP, AVIF, TIFF or BMP file.
        max_pixels: Refuse images with more pixels, before they are decoded; ``None`` lifts the limit.

    Returns:
        The photo, upright, 8 bits a sample.

    Raises:
        ImageTooLargeError: More pixels than ``max_pixels``, or than the memory holds.
        ImageFileError: The file is missing, a folder, empty, not an image, damaged, or cut short.
    """
    path = Path(path)
    if is_folder(path):
        raise ImageFileError(f"cannot read {path}: it is a folder, not an image file")
    if exists(path) and path.is_fifo():
        raise ImageFileError(f"cannot read {path}: it is a pipe; save the image as a file first")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ImageFileError(f"cannot read {path}: there is no such file") from None
    except OSError as error:
        raise ImageFileError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        start = file.read(16)
        if not start:
            raise ImageFileError(f"cannot read {path}: the file is empty (0 bytes)")
        kind = format_from_content(start)
        if kind is None:
            raise ImageFileError(f"cannot read {path}: its content is not {FORMAT_NAMES}; convert it to one of these")
        file.seek(0)
        try:
            with pillow_at_ease():
                return _decode(path, file, kind, max_pixels)
        except ImageFileError:
            raise
        except MemoryError as error:
            raise ImageTooLargeError(f"cannot read {path}: there is not enough memory for its pixels") from error
        except Exception as error:  # Pillow's parsers let through whatever a damaged file makes them trip over
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageFileError(
                f"cannot read {path}: this {kind.name} file is damaged or cut short ({reason}); get a whole copy of it"
            ) from error


def list_images(folder: Path | str) -> tuple[Path, ...]:
    """Return the image files of a folder in the order of their names, not looking into folders inside it.

    Args:
        folder: Where to look. Files are told by their ending; hidden files are left out.

    Raises:
        DataError: The folder is missing, is a file, or has no images.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise DataError(f"{folder} is not a folder of images: {'it is a file' if exists(folder) else 'it is missing'}")
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror or error}") from error
    found = tuple(
        path for path in inside if path.suffix.lower() in FORMATS and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise DataError(f"{folder} has no images; files ending in {', '.join(FORMATS)} count as images")
    return found


def _decode(path: Path, file: IO[bytes], kind: Format, max_pixels: int | None) -> Photo:
    module, reader = kind.reader
    with getattr(importlib.import_module(module), reader)(file, "") as image:
        width, height = image.size
        if max_pixels is not None and width * height > max_pixels:
            raise ImageTooLargeError(
                f"cannot read {path}: {width}×{height} is {width * height:,} pixels, more than the limit of "
                f"{max_pixels:,}; raise it with --max-pixels if you trust the file"
            )
        # The raw mode is known only until the pixels are loaded.
        stored = _stored_mode(image)
        with without_chatter() if kind.name == "TIFF" else nullcontext():
            image.load()
        if image.mode not in _DECODED_MODES:
            raise ImageFileError(
                f"cannot read {path}: samples of kind {image.mode!r} are not supported; convert it to 8- or 16-bit RGB"
            )
        # "LA;16B" is what Pillow calls grey with alpha of 16 bits; it decodes it to RGBA.
        is_grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I;16") or stored.startswith("LA")
        bits = 16 if "16" in stored or image.mode.startswith("I;16") else 1 if image.mode == "1" else 8
        notes = []
        if bits == 16:
            notes.append("16-bit samples were reduced to 8 bits")
        # A damaged TIFF may hold numbers where these bytes should be.
        icc_profile = _bytes_or_none(image.info.get("icc_profile"))
        if image.mode == "CMYK":
            notes.append("CMYK inks were converted to RGB without their colour profile")
            icc_profile = None
        pixels, alpha = _unpack(image)
        carried: dict[str, Any] = {}
        orientation, exif = split_orientation(_bytes_or_none(image.info.get("exif")) or b"")
        if exif:
            carried["exif"] = exif
        if icc_profile:
            carried["icc_profile"] = icc_profile
        if (dpi := _usable_dpi(image.info.get("dpi"))) is not None:
            carried["dpi"] = dpi
        if (pictures := _count_pictures(image, kind)) > 1:  # last, as it turns Pillow to another page
            words = f"{pictures}" if pictures < _MOST_PAGES else f"{pictures} or more"
            notes.append(f"only the first of {words} pictures in the file was read")
        return Photo(
            turn_upright(pixels, orientation),
            alpha=None if alpha is None else turn_upright(alpha, orientation),
            is_grey=is_grey,
            source_bits=bits,
            carried=carried,
            notes=tuple(notes),
        )


def _unpack(image: Image.Image) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    """Copy the pixels out of Pillow band by band, so that no second whole copy ever exists."""
    mode = _DECODED_MODES[image.mode]
    if image.has_transparency_data and not mode.startswith("I;16"):
        mode = "RGBA" if mode in ("RGB", "RGBA") else "LA"
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if mode in ("LA", "RGBA") else None
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        band = image.crop((0, rows.start, width, rows.stop))
        values = np.asarray(band if band.mode == mode else band.convert(mode))
        if mode.startswith("I;16"):
            values = (values >> 8).astype(np.uint8)
        if values.ndim == 2:
            values = values[..., None]
        channels = values.shape[2]
        pixels[rows] = values[..., :3] if channels >= 3 else values[..., :1]
        if alpha is not None:
            alpha[rows] = values[..., -1]
    return pixels, alpha


def _count_pictures(image: Any, kind: Format) -> int:
    """Return how many pictures a file has, at most ``_MOST_PAGES`` of a TIFF.

    Pillow finds a TIFF's pages by going through them, each with a look at all before it, and stumbles over one that is
    damaged; neither is the first page's business.
    """
    if kind.name != "TIFF":
        return int(getattr(image, "n_frames", 1))
    pages = 1
    with suppress(Exception):
        while pages < _MOST_PAGES:
            image.seek(pages)
            pages += 1
    return pages


def _stored_mode(image: Any) -> str:
    """Return Pillow's name for how the file stores its samples, such as ``RGB;16B``; empty where it does not say."""
    for tile in image.tile:
        arguments = tile[3]
        name = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        return name if isinstance(name, str) else ""
    return ""


def _bytes_or_none(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _usable_dpi(dpi: Any) -> tuple[float, float] | None:
    """Files claim resolutions of nought, infinity and worse; those are left out."""
    try:
        horizontal, vertical = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    good = all(math.isfinite(value) and 0 < value < 1e6 for value in (horizontal, vertical))
    return (horizontal, vertical) if good else None
