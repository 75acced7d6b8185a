"""How low-resolution images come about: a chain of steps from high resolution, one of which shrinks.

A recipe names the steps in order. What is random in them comes from the generator that is passed in and from nothing
else, so that an image degraded once is degraded the same in every run.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError
from pocketsr.image import downscale

Pixels = npt.NDArray[np.uint8]
#: uint8 ``(H, W, 3)`` and where to draw from, to uint8.
Step = Callable[[Pixels, np.random.Generator], Pixels]
#: A number, or the two ends of a range that one is drawn from evenly for each image.
Range = float | Sequence[float]


def bicubic(scale: int) -> Step:
    """Shrink as MATLAB does, cropping to a multiple of the scale: what most papers mean by bicubic."""
    return lambda image, _: downscale(image, scale)


def pil_bicubic(scale: int) -> Step:
    """Shrink by Pillow's bicubic, which LRSRN and F2SRGAN use; it rounds once where MATLAB rounds twice."""

    def shrink(image: Pixels, _: np.random.Generator) -> Pixels:
        height, width = image.shape[0] // scale, image.shape[1] // scale
        cropped = Image.fromarray(np.ascontiguousarray(image[: height * scale, : width * scale]))
        return np.array(cropped.resize((width, height), Image.Resampling.BICUBIC))

    return shrink


def jpeg(scale: int, *, quality: Range = 90, subsampling: str = "4:2:0") -> Step:  # noqa: ARG001 - all take a scale
    """Compress and decompress.

    Args:
        scale: Of no influence.
        quality: libjpeg's, 1 to 100.
        subsampling: Of colour: 4:4:4, 4:2:2 or 4:2:0.
    """
    low, high = _ends("jpeg", "quality", quality, 1, 100)
    if subsampling not in ("4:4:4", "4:2:2", "4:2:0"):
        raise SettingError(f"degradation 'jpeg': subsampling is 4:4:4, 4:2:2 or 4:2:0, not {subsampling!r}")

    def compress(image: Pixels, random: np.random.Generator) -> Pixels:
        file = io.BytesIO()
        chosen = round(_drawn(low, high, random))
        Image.fromarray(np.ascontiguousarray(image)).save(file, "JPEG", quality=chosen, subsampling=subsampling)
        return np.array(Image.open(file))

    return compress


def blur(scale: int, *, sigma: Range = 1.0) -> Step:  # noqa: ARG001
    """Blur by a Gaussian, as Pillow approximates it.

    Args:
        scale: Of no influence.
        sigma: Standard deviation, in pixels of the image as it stands at this place of the chain.
    """
    low, high = _ends("blur", "sigma", sigma, 0, 100)

    def soften(image: Pixels, random: np.random.Generator) -> Pixels:
        picture = Image.fromarray(np.ascontiguousarray(image))
        return np.array(picture.filter(ImageFilter.GaussianBlur(_drawn(low, high, random))))

    return soften


def noise(scale: int, *, level: Range = 5.0, grey: bool = False) -> Step:  # noqa: ARG001
    """Add Gaussian noise.

    Args:
        scale: Of no influence.
        level: Standard deviation in grey levels, of 255.
        grey: The same noise in all three channels.
    """
    low, high = _ends("noise", "level", level, 0, 255)

    def roughen(image: Pixels, random: np.random.Generator) -> Pixels:
        shape = (*image.shape[:2], 1) if grey else image.shape
        noisy = image + random.normal(0, _drawn(low, high, random), shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return roughen


#: Each is called with the scale and its options.
DEGRADATIONS: Mapping[str, Callable[..., Step]] = {
    "bicubic": bicubic,
    "pil-bicubic": pil_bicubic,
    "jpeg": jpeg,
    "blur": blur,
    "noise": noise,
}
_SHRINKING = ("bicubic", "pil-bicubic")
BICUBIC = (Choice(name="bicubic"),)


def make_degradation(chain: Sequence[Choice], scale: int) -> Step:
    """Return the whole chain as one step.

    Raises:
        UnknownNameError: A step does not exist.
        SettingError: One does not take its options, or the chain does not shrink exactly once.
    """
    steps = [make("degradation", DEGRADATIONS, choice, scale) for choice in chain]
    names = [choice.name for choice in chain]
    if sum(name in _SHRINKING for name in names) != 1:
        raise SettingError(
            f"a degradation shrinks exactly once, by {' or '.join(_SHRINKING)}; this is {', '.join(names) or 'empty'}"
        )

    def degrade(image: Pixels, random: np.random.Generator) -> Pixels:
        for step in steps:
            image = step(image, random)
        return image

    return degrade


def _ends(step: str, option: str, value: Any, least: float, most: float) -> tuple[float, float]:
    """Return the two ends of a number or a range."""
    ends = list(value) if isinstance(value, list | tuple) else [value, value]
    is_number = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or not is_number or not least <= ends[0] <= ends[1] <= most:
        raise SettingError(
            f"degradation {step!r}: {option} is a number or [low, high] within {least:g}..{most:g}, not {value!r}"
        )
    return float(ends[0]), float(ends[1])


def _drawn(low: float, high: float, random: np.random.Generator) -> float:
    return low if low == high else float(random.uniform(low, high))
