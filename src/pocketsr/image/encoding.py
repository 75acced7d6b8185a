"""What Pillow's encoders are told: quality, and the metadata that a format can hold, with a word on the rest.

Knows nothing of pixels or files.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image, PngImagePlugin

from pocketsr.errors import SettingError
from pocketsr.image.carried import ORIENTATION_TAG, STORAGE_TAGS
from pocketsr.image.formats import Format

#: Channels of a file, as Pillow names them.
Channels = Literal["L", "LA", "RGB", "RGBA"]

#: Pillow's PNG at level 3 takes a fraction of the time of its default, level 6, for files a few per cent larger.
_PNG_LEVEL = 3
#: Longest EXIF block, its prefix counted, that fits into the one segment that JPEG has for it.
_JPEG_EXIF_BYTES = 65533
#: A profile lies in up to 255 segments (ICC.1, §B.4); Pillow would begin to count again.
_JPEG_PROFILE_BYTES = 255 * 65519
_JPEG_XMP_BYTES = 65533 - len(b"http://ns.adobe.com/xap/1.0/\0")
_EXIF_PREFIX = b"Exif\0\0"
_WITH_EXIF = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF", "JXL")
_WITH_XMP = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF", "JXL")
_WITH_PROFILE = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF", "JXL")
_WITH_IPTC = ("JPEG", "TIFF")
#: Tags of the first directory that lead to others: EXIF's own, and GPS.
_EXIF_DIRECTORIES = (34665, 34853)
#: What a PNG says its values mean when it holds the usual sRGB curve.
_USUAL_GAMMA = 0.45455


def encoder_options(
    path: Path, kind: Format, channels: Channels, carried: Mapping[str, Any], quality: int | None, lossless: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return what Pillow's ``save`` is told for a format, and which metadata does not fit.

    Args:
        path: For messages.
        kind: The format.
        channels: What the file will hold.
        carried: As ``Photo`` has it.
        quality: 1 to 100, or None for the usual one of the format.
        lossless: Keep every pixel as it is.

    Raises:
        SettingError: ``quality`` or ``lossless`` does not fit the format.
    """
    if lossless and not kind.can_be_lossless:
        raise SettingError(f"cannot write {path} lossless: {kind.name} as written here is lossy; use PNG or WebP")
    if quality is not None and kind.default_quality is None:
        what = "has no quality" if kind.name == "GIF" else "is always lossless"
        raise SettingError(f"cannot write {path} with quality {quality}: {kind.name} {what}; leave it out")
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
            options = {"quality": quality} if channels == "L" else {"quality": quality, "subsampling": "4:4:4"}
        case "HEIF":
            options = {"quality": quality, "chroma": 444}
        case "JXL":
            options = {"lossless": True} if lossless else {"quality": quality}
        case _:
            pass
    metadata, notes = _fitting_metadata(kind.name, carried, is_grey=channels in ("L", "LA"))
    return options | metadata, notes


def _fitting_metadata(name: str, carried: Mapping[str, Any], *, is_grey: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what of ``Photo.carried`` a format can hold, as Pillow's ``save`` takes it, and notes on the rest."""
    kept: dict[str, Any] = {}
    notes = []
    if (dpi := carried.get("dpi")) and name in ("PNG", "JPEG", "TIFF", "BMP"):
        kept["dpi"] = dpi
    if profile := carried.get("icc_profile"):
        if name not in _WITH_PROFILE:
            notes.append(f"the colour profile was left out: it is not written to {name}")
        elif name == "JPEG" and len(profile) > _JPEG_PROFILE_BYTES:
            notes.append(f"the colour profile was left out: its {len(profile):,} bytes do not fit into a JPEG file")
        elif profile[16:20] == b"GRAY" and not is_grey:  # the profile's colour space (ICC.1, §7.2.8)
            notes.append(f"the grey colour profile was left out: this {name} file is in colour")
        else:
            kept["icc_profile"] = profile
    if exif := carried.get("exif", b"").removeprefix(_EXIF_PREFIX):
        if name not in _WITH_EXIF:
            notes.append(f"the EXIF data was left out: it is not written to {name}")
        elif name != "JPEG":
            kept["exif"] = exif
        elif len(_EXIF_PREFIX) + len(exif) <= _JPEG_EXIF_BYTES:
            kept["exif"] = _EXIF_PREFIX + exif
        else:
            notes.append(f"the EXIF data was left out: its {len(exif):,} bytes do not fit into a JPEG file")
    if xmp := carried.get("xmp"):
        if name not in _WITH_XMP:
            notes.append(f"the XMP data was left out: it is not written to {name}")
        elif name == "JPEG" and len(xmp) > _JPEG_XMP_BYTES:
            notes.append(f"the XMP data was left out: its {len(xmp):,} bytes do not fit into a JPEG file")
        else:
            kept["xmp"] = xmp
    if iptc := carried.get("iptc"):
        segment = _iptc_segment(iptc)
        if name not in _WITH_IPTC or (name == "JPEG" and len(segment) > 65535):
            notes.append(f"the IPTC data was left out: it is not written to {name}")
        else:
            kept["iptc"] = iptc
    if carried.get("text") and name != "PNG":
        notes.append(f"the texts of the PNG were left out: they are not written to {name}")
    gamma = carried.get("gamma", _USUAL_GAMMA)
    if name != "PNG" and abs(gamma - _USUAL_GAMMA) > 0.001:
        notes.append(f"the gamma {gamma:g} of the PNG was left out: it is not written to {name}")
    return _as_pillow_takes_it(name, kept, carried), notes


def _as_pillow_takes_it(name: str, kept: dict[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    iptc, xmp = kept.pop("iptc", b""), kept.get("xmp", b"")
    if name == "JPEG" and iptc:
        kept["extra"] = _iptc_segment(iptc)
    elif name == "PNG":
        kept.pop("xmp", None)
        chunks = PngImagePlugin.PngInfo()
        if "gamma" in carried:
            chunks.add(b"gAMA", struct.pack(">I", round(carried["gamma"] * 100000)))
        if "chromaticity" in carried:
            chunks.add(b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in carried["chromaticity"])))
        if xmp:
            chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        for key, value in carried.get("text", {}).items():
            chunks.add_text(key, value)
        if chunks.chunks:
            kept["pnginfo"] = chunks
    elif name == "TIFF":
        kept.pop("xmp", None)
        tags = {tag: value for tag, value in ((700, xmp), (33723, iptc)) if value}
        if tags:
            kept["tiffinfo"] = tags
    return kept


def tiff_exif(block: bytes) -> tuple[dict[int, Any], dict[int, Mapping[int, Any]]]:
    """Return an EXIF block as a TIFF file has it, without what says how pixels are stored.

    Returns:
        Tags of the first directory, and further directories (EXIF's own, GPS) by their tag.
    """
    exif = Image.Exif()
    if block:
        exif.load(block)
    directories = {tag: exif.get_ifd(tag) for tag in _EXIF_DIRECTORIES if tag in exif}
    # Pixels are upright; an orientation that is still there makes no sense, and libtiff would say so.
    left_out = {*STORAGE_TAGS, *directories, ORIENTATION_TAG}
    tags = {tag: exif[tag] for tag in exif if tag not in left_out}
    return tags, {tag: values for tag, values in directories.items() if values}


def _iptc_segment(iptc: bytes) -> bytes:
    """Return IPTC data as JPEG holds it: a resource of Photoshop's in the segment APP13."""
    padded = iptc + b"\0" * (len(iptc) % 2)
    content = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc)) + padded
    return b"\xff\xed" + struct.pack(">H", min(len(content) + 2, 65535)) + content
