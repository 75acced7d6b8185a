"""Small good image files of every kind, and bad ones of the kinds that chance does not find."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from pocketsr.image.tiff_strips import TiffPage, write_tiff

_HEIGHT, _WIDTH = 13, 17


def good_files() -> dict[str, bytes]:
    """Return the bytes of one file of each kind that Pillow writes, by a name that ends as the file should."""
    colours = np.random.default_rng(0).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    image = Image.fromarray(colours)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    files = {
        "exif.jpg": _saved(image, "JPEG", exif=exif, icc_profile=profile, dpi=(72, 72)),
        "progressive.jpg": _saved(image, "JPEG", progressive=True, quality=95, subsampling=0),
        "cmyk.jpg": _saved(image.convert("CMYK"), "JPEG"),
        "grey.jpg": _saved(image.convert("L"), "JPEG"),
        "exif.png": _saved(image, "PNG", exif=exif, icc_profile=profile, dpi=(72, 72)),
        "palette.png": _saved(image.quantize(16), "PNG", transparency=3),
        "deep.png": _saved(Image.fromarray(colours[..., 0].astype(np.uint16) * 257), "PNG"),
        "moving.png": _saved(image, "PNG", save_all=True, append_images=[image.rotate(90), image.rotate(180)]),
        "exif.webp": _saved(image, "WEBP", exif=exif, icc_profile=profile),
        "lossless.webp": _saved(image.convert("RGBA"), "WEBP", lossless=True),
        "moving.webp": _saved(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
        "exif.avif": _saved(image, "AVIF", exif=exif, icc_profile=profile),
        "alpha.avif": _saved(image.convert("RGBA"), "AVIF"),
        "profile.tif": _saved(image, "TIFF", icc_profile=profile, dpi=(72, 72)),
        "pages.tif": _saved(image, "TIFF", save_all=True, append_images=[image.convert("L"), image]),
        "big.tif": _saved(image, "TIFF", big_tiff=True),
        "deep.tif": _saved(Image.fromarray(colours[..., 0].astype(np.uint16) * 257), "TIFF"),
        "deep_pages.tif": _deep_pages(colours),
        "ink.tif": _saved(image.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "palette.bmp": _saved(image.quantize(16), "BMP"),
        "colour.bmp": _saved(image, "BMP"),
        "moving.gif": _saved(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
    }
    for mode in ("1", "L", "LA", "RGB", "RGBA"):
        files[f"{mode}.png"] = _saved(image.convert(mode), "PNG")
    for compression in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "lzma", "zstd"):
        files[f"{compression}.tif"] = _saved(image, "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        files[f"{compression}.tif"] = _saved(image.convert("1"), "TIFF", compression=compression)
    return files


def bad_files() -> Iterator[tuple[str, bytes]]:
    """Yield files whose fault somebody had to think of, each with a name that ends as the file should."""
    good = good_files()
    yield "empty.png", b""
    for name, data in good.items():
        yield f"trailing-{name}", data + b"<script>" * 100
        yield f"head-{name}", data[:12]
        yield f"headless-{name}", b"\0" * 8 + data[8:]
        for part in range(1, 20):
            yield f"cut{part}-{name}", data[: len(data) * part // 20]
    starts = {name: data[:12] for name, data in good.items()}
    others = ("exif.jpg", "exif.png", "raw.tif", "colour.bmp", "exif.webp", "exif.avif")
    for first, second in zip(others, (*others[1:], others[0]), strict=True):
        yield f"swapped-{second}", good[first]
        yield f"grafted-{second}", starts[first] + good[second][12:]
    for side in (0, 1, 20_000, 65_535, 2**31 - 1, 2**32 - 1):
        yield f"side{side}.png", _png_of(side, side)
        yield f"wide{side}.png", _png_of(side, 1)
        yield f"side{side}.bmp", _patched(good["colour.bmp"], 18, struct.pack("<II", side, side))
        yield f"side{side}.tif", _with_tags(good["raw.tif"], {256: side, 257: side})
        yield f"rows{side}.tif", _with_tags(good["tiff_lzw.tif"], {257: side})
        yield f"strip{side}.tif", _with_tags(good["tiff_adobe_deflate.tif"], {278: side, 279: side})
    frame = good["grey.jpg"].index(b"\xff\xc0")
    for height, width in ((0, 0), (0, 17), (13, 0), (65_535, 65_535), (14_000, 14_000)):
        yield f"{height}x{width}.jpg", _patched(good["grey.jpg"], frame + 5, struct.pack(">HH", height, width))
    yield "circle.tif", _circular(good["pages.tif"])
    yield "samples.tif", _with_tags(good["raw.tif"], {277: 60_000})
    yield "bits.tif", _with_tags(good["deep.tif"], {258: 60_000})
    yield "compression.tif", _with_tags(good["raw.tif"], {259: 7})
    yield "bomb.png", _png_of(13_000, 13_000, rows=zlib.compress(bytes(13_000 * 3 + 1) * 100, 9))
    yield "text.png", good["exif.png"][:33] + _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9))
    for number, profile in enumerate((b"", b"x", b"\0" * 128, b"acsp" * 1000, bytes(range(256)) * 20)):
        image = Image.new("RGB", (_WIDTH, _HEIGHT))
        for ending, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("avif", "AVIF")):
            yield f"profile{number}.{ending}", _saved(image, kind, icc_profile=profile)
    for number, exif in enumerate(_bad_exif()):
        image = Image.new("RGB", (_WIDTH, _HEIGHT))
        yield f"exif{number}.jpg", _saved(image, "JPEG", exif=b"Exif\0\0" + exif)
        yield f"exif{number}.png", _saved(image, "PNG", exif=exif)
        yield f"exif{number}.webp", _saved(image, "WEBP", exif=exif)


def _bad_exif() -> Iterator[bytes]:
    def directory(*entries: tuple[int, int, int, int], next_one: int = 0) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", next_one)

    yield b""
    yield b"II*\0"
    yield b"MM\0*\xff\xff\xff\xff"
    for orientation in (0, 9, 255, 65_535):
        yield directory((0x0112, 3, 1, orientation))
    yield directory((0x0112, 4, 1, 6))
    yield directory((0x0112, 2, 2**31, 6))
    yield directory((0x0112, 3, 1, 6), next_one=8)  # its own successor
    yield directory((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x0112, 3, 1, 3))  # its own children
    yield b"II*\0" + struct.pack("<IH", 8, 65_535)
    yield b"Exif\0\0" * 5


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _deep_pages(colours: np.ndarray) -> bytes:
    """Return a TIFF of two pages of 16 bits in colour."""
    buffer = io.BytesIO()
    samples = colours.astype(np.uint16) * 257
    height, width = samples.shape[:2]
    pages = [
        TiffPage(bands=[samples], height=height, width=width),
        TiffPage(bands=[colours], height=height, width=width),
    ]
    write_tiff(buffer, pages, most_pixels=2 * height * width)
    return buffer.getvalue()


def _patched(data: bytes, at: int, put: bytes) -> bytes:
    return data[:at] + put + data[at + len(put) :]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_of(width: int, height: int, *, rows: bytes = zlib.compress(b"\0" * 100)) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _with_tags(data: bytes, values: dict[int, int]) -> bytes:
    """Return a TIFF (little-endian) with other values of some tags of its first directory."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, at)
        if tag in values:
            data = _patched(data, at + 2, struct.pack("<HII", 4, 1, values[tag]))
    return data


def _circular(data: bytes) -> bytes:
    """Return a TIFF whose first page says that it comes after itself."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    return _patched(data, start + 2 + 12 * count, struct.pack("<I", start))
