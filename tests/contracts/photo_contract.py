"""What the tests of the photo contract share: files made larger, and what has to come out.

A small random model does the work where it does not matter which; what it makes of the pixels that Pillow sees is what
has to be in the output.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from pocketsr.runtime import Upscaler
from pocketsr.runtime.photo import PhotoSettings, upscale_file

#: Levels by which an output of lossy coding may be off on average.
LOSSY_LEVELS = 3
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
#: Levels by which the int8 model leaves a flat colour near the border of an image.
RINGING_LEVELS = 5
#: A profile of RGB that is not sRGB, as far as anyone can tell who does not look inside.
WIDE_RGB = bytes(16) + b"RGB " + bytes(108)


def enlarged_file(upscaler: Upscaler, source: Path, ending: str = "", **settings: object) -> Path:
    target = source.with_name("out" + (ending or source.suffix))
    upscale_file(upscaler, source, target, settings=PhotoSettings(**settings), overwrite=True)  # type: ignore[arg-type]
    return target


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def is_what_the_model_makes(upscaler: Upscaler, source: Path, levels: float = 0, ending: str = "") -> None:
    """The output, as Pillow reads it, is the model's of the input, as Pillow reads that."""
    with Image.open(source) as image:
        expected = upscaler(np.asarray(image.convert("RGB"))).astype(float)
    with Image.open(enlarged_file(upscaler, source, ending)) as image:
        made = np.asarray(image.convert("RGB"))
    assert np.abs(made - expected).mean() <= levels
