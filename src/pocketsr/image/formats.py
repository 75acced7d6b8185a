"""The file formats that pocketsr reads and writes, as one list, and their limits."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.errors import ImageFileError, MissingExtraError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """One file format.

    Attributes:
        name: Pillow's name for it.
        suffixes: File name endings in lower case; the first is the usual one.
        signatures: (offset, bytes) pairs, any of which marks a file as this format.
        reader: Module and class that read it, in Pillow or a plugin of it. Named so that only this module is imported,
            which keeps the command line quick to start.
        has_alpha: Transparency can be kept.
        has_soft_alpha: Pixels can be half transparent, and not only wholly so or not at all.
        has_grey: One channel of grey can be kept.
        largest_side: Pixels that height and width may have.
        largest_area: Pixels that it may have in all; None for no limit but that.
        default_quality: 1 to 100; ``None`` where every file is lossless.
        can_be_lossless: Whether ``lossless=True`` can be honoured.
        has_16_bits: Samples of 16 bits can be kept.
        has_many: Several pictures can be kept: an animation, or pages.
        package: The plugin of Pillow that reads and writes it; empty where Pillow itself does.
    """

    name: str
    suffixes: tuple[str, ...]
    signatures: tuple[tuple[int, bytes], ...]
    reader: tuple[str, str]
    has_alpha: bool
    has_grey: bool
    largest_side: int
    largest_area: int | None = None
    default_quality: int | None = None
    can_be_lossless: bool = True
    has_soft_alpha: bool = True
    has_16_bits: bool = False
    has_many: bool = False
    package: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether the plugin that it needs is there."""
        return not self.package or importlib.util.find_spec(self.reader[0].partition(".")[0]) is not None

    def import_reader(self) -> Any:
        """Return the class that opens a file of this format; its module registers the writer with Pillow.

        Raises:
            MissingExtraError: The plugin is not installed.
        """
        if not self.is_installed:
            raise MissingExtraError(
                f"{self.name} files need the package {self.package!r}: pip install {self.package}; "
                "or convert the image to PNG"
            )
        module = importlib.import_module(self.reader[0])
        if self.name == "HEIF":
            importlib.import_module("pillow_heif").register_heif_opener()
        return getattr(module, self.reader[1])


#: Qualities: where differences to the lossless file stop being visible; a network's output is too dear to blur again.
_FORMATS = (
    Format(
        name="PNG",
        suffixes=(".png",),
        signatures=((0, b"\x89PNG\r\n\x1a\n"),),
        reader=("PIL.PngImagePlugin", "PngImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=2**31 - 1,
        has_16_bits=True,
        has_many=True,
    ),
    Format(
        name="JPEG",
        suffixes=(".jpg", ".jpeg"),
        signatures=((0, b"\xff\xd8\xff"),),
        reader=("PIL.JpegImagePlugin", "JpegImageFile"),
        has_alpha=False,
        has_grey=True,
        largest_side=65500,  # libjpeg's JPEG_MAX_DIMENSION
        default_quality=95,
        can_be_lossless=False,
    ),
    Format(
        name="WEBP",
        suffixes=(".webp",),
        signatures=((8, b"WEBP"),),
        reader=("PIL.WebPImagePlugin", "WebPImageFile"),
        has_alpha=True,
        has_grey=False,
        largest_side=16383,
        default_quality=95,
        has_many=True,
    ),
    Format(
        name="AVIF",
        suffixes=(".avif",),
        signatures=((4, b"ftypavif"), (4, b"ftypavis"), (4, b"ftypmif1"), (4, b"ftypmsf1")),
        reader=("PIL.AvifImagePlugin", "AvifImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=32768,  # what libavif decodes; it writes 65,536
        largest_area=16384**2,
        default_quality=90,
        can_be_lossless=False,
        has_many=True,
    ),
    Format(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        signatures=((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        reader=("PIL.TiffImagePlugin", "TiffImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=2**31 - 1,
        has_16_bits=True,
        has_many=True,
    ),
    Format(
        name="BMP",
        suffixes=(".bmp",),
        signatures=((0, b"BM"),),
        reader=("PIL.BmpImagePlugin", "BmpImageFile"),
        has_alpha=False,
        has_grey=True,
        largest_side=2**31 - 1,
    ),
    Format(
        name="GIF",
        suffixes=(".gif",),
        signatures=((0, b"GIF87a"), (0, b"GIF89a")),
        reader=("PIL.GifImagePlugin", "GifImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=65535,
        can_be_lossless=False,  # at most 256 colours
        has_soft_alpha=False,
        has_many=True,
    ),
    Format(
        name="HEIF",
        suffixes=(".heic", ".heif"),
        signatures=tuple((4, b"ftyp" + brand) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")),
        reader=("pillow_heif.as_plugin", "HeifImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=16384,
        default_quality=90,
        can_be_lossless=False,
        package="pillow-heif",
    ),
    Format(
        name="JXL",
        suffixes=(".jxl",),
        signatures=((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n")),
        reader=("pillow_jxl.JpegXLImagePlugin", "JXLImageFile"),
        has_alpha=True,
        has_grey=True,
        largest_side=2**30 - 1,
        default_quality=95,
        package="pillow-jxl-plugin",
    ),
)

#: Format name by file name ending, in lower case: all that can be read and written here.
FORMATS: Mapping[str, str] = {suffix: kind.name for kind in _FORMATS if kind.is_installed for suffix in kind.suffixes}

#: The formats in words, for messages.
FORMAT_NAMES = "PNG, JPEG, WebP, AVIF, TIFF, BMP, GIF, HEIC or JPEG XL"


def format_of(path: Path) -> str:
    """Return the name of the format that a file name asks for, such as ``"PNG"``.

    Raises:
        ImageFileError: The name ends in nothing we know.

    >>> format_of(Path("holiday.JPG"))
    'JPEG'
    """
    return format_from_suffix(path).name


def format_from_suffix(path: Path) -> Format:
    """Return the whole entry of the format that a file of this name is written in.

    Raises:
        ImageFileError: The name ends in nothing we know.

    >>> format_from_suffix(Path("holiday.webp")).largest_side
    16383
    """
    for kind in _FORMATS:
        if path.suffix.lower() in kind.suffixes:
            return kind
    ending = f"the ending {path.suffix!r}" if path.suffix else "no ending"
    raise ImageFileError(f"cannot write {path}: it has {ending}; end the name in one of {', '.join(FORMATS)}")


def takes_quality(path: Path) -> bool:
    """Whether the format that a file name asks for is one of qualities from 1 to 100.

    >>> takes_quality(Path("a.jpg")), takes_quality(Path("a.png"))
    (True, False)
    """
    return format_from_suffix(path).default_quality is not None


def format_from_content(start: bytes) -> Format | None:
    """Return the format of a file from its first 16 bytes, whatever it is called; ``None`` for anything else.

    >>> format_from_content(b"BM and so forth").name
    'BMP'
    """
    for kind in _FORMATS:
        if any(start.startswith(mark, offset) for offset, mark in kind.signatures):
            return kind
    return None
