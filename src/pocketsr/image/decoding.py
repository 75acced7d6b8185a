"""Pixels out of an open image file: any kind of samples becomes RGB with alpha, of 8 or 16 bits.

    Pillow's image ──> bands of rows ──> uint8 RGB + alpha
    16 bits, floating point ──> whole ──> uint16 RGB + alpha  (──> high bytes, where 8 bits are asked for)

Knows nothing of paths, limits or metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.image.deep_png import read_deep_png
from pocketsr.image.deep_tiff import DeepTiff
from pocketsr.image.inks import to_srgb
from pocketsr.image.png_bands import PngBands

#: Pixels that leave Pillow at a time; small beside a photo, large beside the cost of a call.
_BAND_PIXELS = 1 << 20

#: Bytes from the start of an AVIF or HEIF file within which its properties lie, but for very long metadata.
_PROPERTIES_WITHIN = 1 << 16

#: What each of Pillow's modes is decoded to; the 16-bit ones are left to numpy. Others are refused.
DECODED_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "I;16": "I;16", "I;16B": "I;16B", "I;16L": "I;16L", "I;16N": "I;16N",
    "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA", "CMYK": "RGB",
    "YCbCr": "RGB", "LAB": "RGB",
}  # fmt: skip


class Decoded(NamedTuple):
    """Pixels as stored, not yet upright, and what is known of them; fields as ``Photo`` has them."""

    pixels: npt.NDArray[Any]
    alpha: npt.NDArray[Any] | None
    is_grey: bool
    source_bits: int
    notes: tuple[str, ...] = ()
    is_srgb: bool = False


def decode(
    image: Image.Image,
    file: IO[bytes],
    *,
    deep_tiff: DeepTiff | None,
    deep: bool,
    png_bands: PngBands | None = None,
) -> Decoded | None:
    """Decode a file that Pillow has opened.

    Args:
        image: From ``deep_tiff.data`` or ``png_bands.skeleton`` where these are given; loaded here.
        file: The file itself.
        deep_tiff: What ``open_deep_tiff`` made of it.
        deep: Keep 16 bits where there are so many; else their high byte is kept.
        png_bands: What ``open_png_bands`` made of it, for files that are not to be held by Pillow.

    Returns:
        The pixels; None for kinds of samples that are not supported.
    """
    # The raw mode is known only until the pixels are loaded.
    stored = _stored_mode(image)
    if deep_tiff is not None:
        image.load()
        # Pillow's lower-case a: colours were multiplied by alpha.
        made = _split(deep_tiff.samples(np.asarray(image)), is_premultiplied=image.mode.endswith("a"))
        if image.mode == "RGBX":
            made = made._replace(alpha=None)
        return made if deep else _high_bytes(made)
    if image.format == "PNG" and "16" in stored:
        made = _split(read_deep_png(file))
        return made if deep else _high_bytes(made)
    image.load()
    if image.mode not in DECODED_MODES:
        return None
    if image.mode.startswith("I;16"):
        made = _split(np.asarray(image).astype(np.uint16)[:, :, None])
        return made if deep else _high_bytes(made)
    notes: tuple[str, ...] = ()
    if image.format in ("AVIF", "HEIF") and (bits := _coded_bits(file)) > 8:
        notes = (f"{bits}-bit samples were reduced to 8 bits",)
    mode, is_grey, is_inks = image.mode, image.mode in ("1", "L", "LA", "La"), image.mode in ("CMYK", "LAB")
    if is_inks:
        image, note = to_srgb(image, image.info.get("icc_profile"))
        notes = (*notes, note) if note else notes
    size = (png_bands.width, png_bands.height) if png_bands else image.size
    bands = _bands(image) if png_bands is None else png_bands.bands()
    pixels, alpha = _unpack(bands, size, mode, has_alpha=image.has_transparency_data)
    return Decoded(pixels, alpha, is_grey, 1 if mode == "1" else 8, notes, is_srgb=is_inks)


def _split(samples: npt.NDArray[Any], *, is_premultiplied: bool = False) -> Decoded:
    """Return samples ``(H, W, C)``, uint16, uint32 or of floating point, as pixels and alpha of 16 bits."""
    notes: tuple[str, ...] = ()
    bits = 8 * samples.itemsize
    if samples.dtype == np.uint32:
        notes = ("32-bit samples were reduced to 16 bits",)
        samples = (samples >> 16).astype(np.uint16)
    elif samples.dtype.kind == "f":
        is_outside = not bool(np.all((samples >= 0) & (samples <= 1)))
        notes = ("floating-point samples were clipped to 0..1",) if is_outside else ()
        samples = np.nan_to_num(np.clip(samples, 0, 1), nan=0.0)
        samples = np.rint(samples.astype(np.float64) * 65535).astype(np.uint16)
    channels = samples.shape[2]
    colour = samples[:, :, :1] if channels < 3 else samples[:, :, :3]
    alpha = np.ascontiguousarray(samples[:, :, -1]) if channels in (2, 4) else None
    if is_premultiplied and alpha is not None:
        share = np.maximum(alpha, 1)[:, :, None]
        colour = np.minimum((colour * np.uint32(65535) + share // 2) // share, 65535).astype(np.uint16)
    pixels = np.repeat(colour, 3, axis=2) if channels < 3 else np.ascontiguousarray(colour)
    return Decoded(pixels, alpha, channels < 3, bits, notes)


def _high_bytes(made: Decoded) -> Decoded:
    return made._replace(
        pixels=(made.pixels >> 8).astype(np.uint8),
        alpha=None if made.alpha is None else (made.alpha >> 8).astype(np.uint8),
        notes=(f"{made.source_bits}-bit samples were reduced to 8 bits", *made.notes),
    )


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    width, height = image.size
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        yield image.crop((0, top, width, min(top + step, height)))


def _unpack(
    bands: Iterable[Image.Image], size: tuple[int, int], mode: str, *, has_alpha: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    """Copy the pixels out of Pillow band by band, so that no second whole copy ever exists."""
    mode = DECODED_MODES[mode]
    if has_alpha:
        mode = "RGBA" if mode in ("RGB", "RGBA") else "LA"
    width, height = size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if mode in ("LA", "RGBA") else None
    top = 0
    for band in bands:
        rows = slice(top, top + band.size[1])
        top = rows.stop
        values = np.asarray(band if band.mode == mode else band.convert(mode))
        if values.ndim == 2:
            values = values[..., None]
        channels = values.shape[2]
        pixels[rows] = values[..., :3] if channels >= 3 else values[..., :1]
        if alpha is not None:
            alpha[rows] = values[..., -1]
    return pixels, alpha


def _coded_bits(file: IO[bytes]) -> int:
    """Return the bits a sample of an AVIF or HEIF file, of which the decoder gives 8; 8 where it does not say.

    Source:
        ISO/IEC 23008-12, §6.5.6: the property ``pixi`` has a version, the number of channels, and the bits of each.
    """
    file.seek(0)
    start = file.read(_PROPERTIES_WITHIN)
    place = start.find(b"pixi")
    bits = start[place + 9 : place + 10] if place >= 0 else b""
    return max(8, bits[0]) if bits else 8


def _stored_mode(image: Any) -> str:
    """Return Pillow's name for how the file stores its samples, such as ``RGB;16B``; empty where it does not say."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3]
        name = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        return name if isinstance(name, str) else ""
    return ""
