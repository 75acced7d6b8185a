"""Sizes of frames: as height by width of the input, or by the name of the output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from pocketsr.errors import SettingError

Size: TypeAlias = tuple[int, int]

#: Outputs by the names of screens, (height, width).
OUTPUTS: Mapping[str, Size] = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
#: More than any frame: 8K twice over on each side.
_LONGEST = 16384


def input_size(text: str, scale: int, multiple: int = 1) -> Size:
    """Return the (height, width) of the low-resolution frame that a size on the command line stands for.

    Args:
        text: ``360x640``, height by width of the input; or ``720p``, ``1080p``, ``4K``, about the output.
        scale: Of the model.
        multiple: Of which the model wants sides; an output's are rounded up to it.

    Raises:
        SettingError: It is neither, or a side is 0 or beyond reason.

    >>> input_size("360x640", 3), input_size("1080p", 3), input_size("4k", 4)
    ((360, 640), (360, 640), (540, 960))
    """
    for name, output in OUTPUTS.items():
        if text.lower() == name.lower():
            height, width = (-(-side // (scale * multiple)) * multiple for side in output)
            return height, width
    found = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text.strip().lower())
    if found is None or not all(1 <= int(side) <= _LONGEST for side in found.groups()):
        names = ", ".join(OUTPUTS)
        raise SettingError(
            f"a size is HEIGHTxWIDTH of the input, such as 360x640, or an output ({names}), not {text!r}"
        )
    return int(found.group(1)), int(found.group(2))


def frames_per_second(megapixels_per_s: float) -> dict[str, float]:
    """Return frames a second of each named output at a throughput of output pixels.

    >>> frames_per_second(103.68)["1080p"]
    50.0
    """
    return {name: round(1e6 * megapixels_per_s / (height * width), 3) for name, (height, width) in OUTPUTS.items()}
