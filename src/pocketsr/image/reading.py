"""Photos in: an image file becomes a ``Photo``, or an error that says in one line why not.

    file -> format by content -> size check -> decode in bands of rows -> RGB + alpha -> upright

Pixels leave Pillow band by band, so the peak is 7 bytes a pixel for an RGB photo (4 in Pillow, 3 in the result), and 3
for a large PNG, of which Pillow only gets bands; a progressive JPEG adds libjpeg's coefficients while it decodes, and
16 bits take several times that. Knows nothing of networks or of writing.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TypeVar

from PIL import Image

from pocketsr.errors import DataError, ImageFileError, ImageTooLargeError, MissingExtraError, SettingError
from pocketsr.image.carried import exif_block, gather
from pocketsr.image.chatter import without_chatter
from pocketsr.image.decoding import decode
from pocketsr.image.deep_tiff import DeepTiff, count_pages, open_deep_tiff
from pocketsr.image.ease import pillow_at_ease
from pocketsr.image.exif import split_orientation, turn_upright
from pocketsr.image.formats import FORMAT_NAMES, FORMATS, Format, format_from_content
from pocketsr.image.jpeg_traces import quality_of_tables
from pocketsr.image.paths import exists, is_folder
from pocketsr.image.photo import Photo
from pocketsr.image.png_bands import PngBands, open_png_bands

#: Images with more pixels are refused unless the caller raises the limit: a small file can claim any size.
DEFAULT_MAX_PIXELS = 200_000_000

#: Pixels from which on a PNG is decoded in bands: a third of the memory, for the same time.
_IN_BANDS = 1 << 22

#: Pages of a TIFF that are counted.
MOST_PAGES = 100

_Made = TypeVar("_Made")


def read_image(path: Path | str | bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS, deep: bool = False) -> Photo:
    """Read a photo. The format is told by the content, not by the name.

    Palettes become colours, grey becomes three equal channels, inks and Lab become sRGB, 16-bit samples keep their high
    byte, and the EXIF orientation is applied. Of an animation or a document with several pages the first picture is
    read. ``Photo.notes`` says what was given up.

    Args:
        path: PNG, JPEG, WebP, AVIF, TIFF, BMP or GIF file, or its bytes; HEIC and JPEG XL where Pillow's plugin for it
            is installed.
        max_pixels: Refuse images with more pixels, before they are decoded; ``None`` lifts the limit.
        deep: Keep samples of 16 bits, and floating-point ones of 0..1, as uint16.

    Returns:
        The photo, upright, 8 bits a sample unless ``deep``.

    Raises:
        ImageTooLargeError: More pixels than ``max_pixels``, or than the memory holds.
        ImageFileError: The file is missing, a folder, empty, not an image, damaged, or cut short.
        MissingExtraError: The plugin that HEIC or JPEG XL needs is not installed.
    """
    return from_file(path, lambda name, file, kind: _decode(name, file, kind, max_pixels, deep))


def photo_from_pillow(image: Image.Image) -> Photo:
    """Return an open image of Pillow's as a photo, upright; 16 bits of grey are kept.

    Raises:
        SettingError: Its samples are of a kind that is not supported.
        ImageFileError: The file behind it is damaged.
    """
    with pillow_at_ease():
        try:
            image.load()
            loaded = image.copy()  # what is in memory has no file to look into
        except (OSError, SyntaxError, ValueError) as error:
            raise ImageFileError(f"cannot read the image: its file is damaged or cut short ({error})") from error
        made = decode(loaded, io.BytesIO(), deep_tiff=None, deep=True)
        if made is None:
            raise SettingError(f"an image of mode {image.mode!r} is not supported; convert it to RGB or L")
        orientation, exif = split_orientation(exif_block(image))
    carried = gather(image)
    if made.is_srgb:
        carried.pop("icc_profile", None)
    if exif:
        carried["exif"] = exif
    alpha = None if made.alpha is None else turn_upright(made.alpha, orientation)
    return Photo(
        turn_upright(made.pixels, orientation),
        alpha,
        made.is_grey,
        made.source_bits,
        carried,
        made.notes,
        jpeg_quality=_jpeg_quality(image),
        jpeg_halves_colour=_halves_colour(image),
    )


def from_file(path: Path | str | bytes, work: Callable[[str, IO[bytes], Format], _Made]) -> _Made:
    """Open an image file, tell its format, and let ``work`` do the rest; whatever goes wrong is an error of ours.

    Args:
        path: A file, or the bytes of one.
        work: Gets the name for messages, the open file, and its format.

    Raises:
        ImageTooLargeError: There is not the memory, or ``work`` says so.
        ImageFileError: The file is missing, a folder, empty, not an image, damaged, or cut short.
        MissingExtraError: The plugin that its format needs is not installed.
    """
    name = "the image" if isinstance(path, bytes) else str(path)
    with io.BytesIO(path) if isinstance(path, bytes) else _opened(Path(path)) as file:
        start = file.read(16)
        if not start:
            raise ImageFileError(f"cannot read {name}: the file is empty (0 bytes)")
        kind = format_from_content(start)
        if kind is None:
            raise ImageFileError(f"cannot read {name}: its content is not {FORMAT_NAMES}; convert it to one of these")
        file.seek(0)
        try:
            with pillow_at_ease():
                return work(name, file, kind)
        except (ImageFileError, MissingExtraError):
            raise
        except MemoryError as error:
            raise ImageTooLargeError(f"cannot read {name}: there is not enough memory for its pixels") from error
        except Exception as error:  # Pillow's parsers let through whatever a damaged file makes them trip over
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageFileError(
                f"cannot read {name}: this {kind.name} file is damaged or cut short ({reason}); get a whole copy of it"
            ) from error


def _opened(path: Path) -> IO[bytes]:
    if is_folder(path):
        raise ImageFileError(f"cannot read {path}: it is a folder, not an image file")
    if exists(path) and path.is_fifo():
        raise ImageFileError(f"cannot read {path}: it is a pipe; save the image as a file first")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise ImageFileError(f"cannot read {path}: there is no such file") from None
    except OSError as error:
        raise ImageFileError(f"cannot read {path}: {error.strerror or error}") from error


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


def _decode(name: str, file: IO[bytes], kind: Format, max_pixels: int | None, deep: bool) -> Photo:
    reader = kind.import_reader()
    deep_tiff = open_deep_tiff(file) if kind.name == "TIFF" else None
    file.seek(0)
    with reader(io.BytesIO(deep_tiff.data) if deep_tiff else file, "") as image:
        width, height = deep_tiff.width if deep_tiff else image.size[0], image.size[1]
        refuse_too_large(name, f"{width}×{height}", width * height, max_pixels)
        if kind.name == "PNG" and width * height >= _IN_BANDS and (png_bands := open_png_bands(file)) is not None:
            with reader(io.BytesIO(png_bands.skeleton), "") as skeleton:
                return decode_picture(name, skeleton, file, png_bands=png_bands)
        file.seek(0)
        with without_chatter() if kind.name == "TIFF" else nullcontext():
            photo = decode_picture(name, image, file, deep_tiff=deep_tiff, deep=deep)
        pictures = count_pages(file, MOST_PAGES) if kind.name == "TIFF" else int(getattr(image, "n_frames", 1))
        if pictures > 1:
            words = f"{pictures}" if kind.name != "TIFF" or pictures < MOST_PAGES else f"{pictures} or more"
            note = f"only the first of {words} pictures in the file was read"
            photo = dataclasses.replace(photo, notes=(*photo.notes, note))
        return photo


def refuse_too_large(name: str, what: str, pixels: int, max_pixels: int | None) -> None:
    """Raise ``ImageTooLargeError`` where there are more pixels than the limit."""
    if max_pixels is not None and pixels > max_pixels:
        raise ImageTooLargeError(
            f"cannot read {name}: {what} is {pixels:,} pixels, more than the limit of "
            f"{max_pixels:,}; raise it with --max-pixels if you trust the file"
        )


def decode_picture(
    name: str,
    image: Image.Image,
    file: IO[bytes],
    *,
    deep_tiff: DeepTiff | None = None,
    png_bands: PngBands | None = None,
    deep: bool = False,
) -> Photo:
    """Return the picture at which an open file stands, upright and with what the file says about it."""
    made = decode(image, file, deep_tiff=deep_tiff, deep=deep, png_bands=png_bands)
    if made is None:
        raise ImageFileError(
            f"cannot read {name}: samples of kind {image.mode!r} are not supported; convert it to 8- or 16-bit RGB"
        )
    carried = gather(image)
    if made.is_srgb:
        carried.pop("icc_profile", None)
    orientation, exif = split_orientation(exif_block(image))
    orientation = deep_tiff.orientation if deep_tiff else orientation
    if exif:
        carried["exif"] = exif
    return Photo(
        turn_upright(made.pixels, orientation),
        alpha=None if made.alpha is None else turn_upright(made.alpha, orientation),
        is_grey=made.is_grey,
        source_bits=made.source_bits,
        carried=carried,
        notes=made.notes,
        jpeg_quality=_jpeg_quality(image),
        jpeg_halves_colour=_halves_colour(image),
    )


def _jpeg_quality(image: Image.Image) -> float | None:
    tables = getattr(image, "quantization", None)
    return quality_of_tables(tables) if image.format in ("JPEG", "MPO") and tables else None


def _halves_colour(image: Image.Image) -> bool:
    """Whether brightness has more samples than colour has, along either side."""
    layers = getattr(image, "layer", []) if image.format in ("JPEG", "MPO") else []  # (number, across, down, table)
    return len(layers) >= 3 and any(layers[0][axis] > layers[1][axis] for axis in (1, 2))
