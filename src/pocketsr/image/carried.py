"""What a file says beside its pixels, gathered for the output: ``Photo.carried``.

Knows nothing of pixels or of writing.
"""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

_XMP_TEXT = "XML:com.adobe.xmp"
_IPTC_RESOURCE, _IPTC_TAG = 0x0404, 33723
ORIENTATION_TAG = 274
#: Tags of a first directory that say how pixels are stored, or are carried otherwise.
STORAGE_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 301, 317, 318, 319, 320, 322, 323,
     324, 325, 330, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531, 532, 700, 33723, 34377, 34675}
)  # fmt: skip
#: A text of more bytes is no remark but a payload.
_LONGEST_TEXT = 1 << 20


def gather(image: Image.Image) -> dict[str, Any]:
    """Return what an open file says about itself, without EXIF, by the names that ``Photo.carried`` lists."""
    info = image.info
    carried: dict[str, Any] = {}
    if isinstance(profile := info.get("icc_profile"), bytes) and profile:
        carried["icc_profile"] = profile
    if (dpi := _usable_dpi(info.get("dpi"))) is not None:
        carried["dpi"] = dpi
    xmp = info.get("xmp") or info.get(_XMP_TEXT)
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if isinstance(xmp, bytes) and xmp:
        carried["xmp"] = xmp
    if iptc := _iptc(image):
        carried["iptc"] = iptc
    if image.format == "PNG":
        texts = {
            key: str(value)
            for key, value in getattr(image, "text", {}).items()
            if key != _XMP_TEXT and len(value) <= _LONGEST_TEXT
        }
        if texts:
            carried["text"] = texts
        gamma = info.get("gamma")
        if isinstance(gamma, float) and 0 < gamma < 1000 and "icc_profile" not in carried and "srgb" not in info:
            carried["gamma"] = gamma
            primaries = info.get("chromaticity")
            if isinstance(primaries, tuple) and len(primaries) == 8 and all(0 <= value < 10 for value in primaries):
                carried["chromaticity"] = primaries
    return carried


def exif_block(image: Image.Image) -> bytes:
    """Return the EXIF block of an open file, empty where it has none.

    A TIFF file is such a block itself: of its tags those that do not say how pixels are stored are taken, and no
    orientation, which Pillow applies to it.
    """
    if image.format != "TIFF":
        block = image.info.get("exif", b"")
        return block if isinstance(block, bytes) else b""
    exif = image.getexif()
    for tag in (*STORAGE_TAGS, ORIENTATION_TAG):
        exif.pop(tag, None)
    return exif.tobytes() if len(exif) else b""


def _iptc(image: Image.Image) -> bytes:
    resources = image.info.get("photoshop")
    found = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    if found is None and hasattr(image, "tag_v2"):
        found = image.tag_v2.get(_IPTC_TAG)
    return found if isinstance(found, bytes) else b""


def _usable_dpi(dpi: Any) -> tuple[float, float] | None:
    """Files claim resolutions of nought, infinity and worse; those are left out."""
    try:
        horizontal, vertical = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 is what a TIFF of no resolution is said to have.
    good = all(math.isfinite(value) and 1 < value < 1e6 for value in (horizontal, vertical))
    return (horizontal, vertical) if good else None
