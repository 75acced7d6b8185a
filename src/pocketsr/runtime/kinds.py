"""Images in memory of any kind, and the same kind back: arrays, Pillow's images, the bytes of a file.

array, Image, bytes ──> photo ──> enlarger ──> photo ──> array of the same type and channels, Image, bytes
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.image import Photo, photo_from_pillow, read_image
from pocketsr.image.formats import format_from_content
from pocketsr.runtime.enlarge import Enlarger
from pocketsr.runtime.photo import PhotoSettings, enlarged, photo_of, write_upscaled
from pocketsr.runtime.upscaler import Progress, Upscaler

if TYPE_CHECKING:
    from PIL import Image


def upscale_array(
    enlarger: Enlarger, image: npt.NDArray[Any], *, on_progress: Progress | None = None
) -> npt.NDArray[Any]:
    """Upscale an array.

    Args:
        enlarger: What makes it larger.
        image: ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` with alpha: uint8, uint16, or floating point of 0..1,
            which is worked on in 16 bits and clipped.
        on_progress: Called as the model goes on with (parts done, parts in all).

    Returns:
        An array of the same type and number of channels.

    Raises:
        SettingError: Another type or shape, no pixels, or values that are no numbers.
    """
    photo = photo_of_array(image)
    made = enlarged(enlarger, photo, on_progress=on_progress)
    pixels = made.pixels[:, :, 0] if image.ndim == 2 else made.pixels
    if made.alpha is not None:
        pixels = np.dstack([pixels, made.alpha])
    if image.dtype.kind == "f":
        return (pixels / np.float64(65535)).astype(image.dtype)
    return np.ascontiguousarray(pixels)


def upscale_pixels(enlarger: Enlarger, photo: Photo, *, on_progress: Progress | None = None) -> npt.NDArray[np.uint8]:
    """Upscale a photo of 8 bits and return its pixels: uint8 ``(sH, sW, 3)``, or ``(sH, sW)`` where it is grey."""
    pixels = dataclasses.replace(photo, alpha=None)  # what is transparent is not asked for
    made = enlarged(enlarger, pixels, on_progress=on_progress).pixels
    return np.ascontiguousarray(made[:, :, 0] if photo.is_grey else made)


def upscale_pillow(enlarger: Enlarger, image: Image.Image, *, on_progress: Progress | None = None) -> Image.Image:
    """Upscale an image of Pillow's.

    Args:
        enlarger: What makes it larger.
        image: Of any mode that a file may have: 1-bit becomes grey, a palette becomes colours, inks become sRGB.
        on_progress: As ``upscale_array``.

    Returns:
        An image of mode L, LA, RGB, RGBA or I;16, with the colour profile of the source.

    Raises:
        SettingError: Samples of a kind that is not supported.
    """
    from PIL import Image

    photo = photo_from_pillow(image)
    made = enlarged(enlarger, photo, on_progress=on_progress)
    pixels = made.pixels[:, :, 0] if made.is_grey else made.pixels
    if made.alpha is not None:
        pixels = np.dstack([pixels, made.alpha])
    output = Image.fromarray(np.ascontiguousarray(pixels))
    if "icc_profile" in made.carried:
        output.info["icc_profile"] = made.carried["icc_profile"]
    return output


def upscale_bytes(
    models: Upscaler | Sequence[Upscaler],
    data: bytes,
    *,
    settings: PhotoSettings,
    on_progress: Progress | None = None,
) -> bytes:
    """Upscale an image file that is held in memory.

    Args:
        models: A model that is ready, or one for each scale there is.
        data: The file, in any format that is known.
        settings: Size, quality and metadata.
        on_progress: As ``upscale_array``.

    Returns:
        A file of the same format. Of several pictures it has the first.

    Raises:
        ImageFileError: The bytes are no image, or the result does not fit the format.
    """
    photo = read_image(data, deep=True)
    kind = format_from_content(data[:16])
    assert kind is not None, "or it could not have been read"
    with tempfile.TemporaryDirectory(prefix="pocketsr-") as folder:
        target = Path(folder) / f"made{kind.suffixes[0]}"
        write_upscaled(models, photo, target, settings=settings, on_progress=on_progress)
        return target.read_bytes()


def photo_of_array(image: npt.NDArray[Any]) -> Photo:
    """Return an array of any kind that ``upscale_array`` takes as a photo of 8 or 16 bits."""
    return photo_of(_as_samples(image))


def _as_samples(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    is_float = image.dtype.kind == "f" and image.dtype.itemsize <= 8
    is_known = (is_float or image.dtype in (np.uint8, np.uint16)) and image.ndim in (2, 3) and image.size > 0
    if not is_known or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise SettingError(
            "an image needs to be (H, W), (H, W, 3) or (H, W, 4), uint8, uint16 or floating point of 0..1, "
            f"not {image.dtype} {image.shape}"
        )
    if is_float:
        if not np.isfinite(image).all():
            raise SettingError("an image of floating point needs to be numbers of 0..1; there are some that are none")
        return np.rint(np.clip(image.astype(np.float64), 0, 1) * 65535).astype(np.uint16)
    return image
