"""How low-resolution images come about: a chain of steps from high resolution, one of which shrinks.

A recipe names the steps in order. What is random in them comes from the generator that is passed in and from nothing
else, so that an image degraded once is degraded the same in every run.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError
from pocketsr.image.resize import downscale

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
    """Blur by a Gaussian with mirrored borders, rounded once.

    Pillow's blur is boxes that come near a Gaussian; on fine detail it is off by ten grey levels and more.

    Args:
        scale: Of no influence.
        sigma: Standard deviation, in pixels of the image as it stands at this place of the chain; 0 changes nothing.
    """
    low, high = _ends("blur", "sigma", sigma, 0, 100)
    return lambda image, random: _blurred(image, _drawn(low, high, random))


def noise(scale: int, *, level: Range = 5.0, grey: bool = False) -> Step:  # noqa: ARG001
    """Add Gaussian noise.

    Args:
        scale: Of no influence.
        level: Standard deviation in grey levels, of 255.
        grey: The same noise in all three channels.
    """
    low, high = _ends("noise", "level", level, 0, 255)
    if not isinstance(grey, bool):
        raise SettingError(f"degradation 'noise': grey is true or false, not {grey!r}")

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


def check_degradation(chain: Sequence[Choice]) -> None:
    """Refuse a chain that cannot be, before any image is read.

    Raises:
        UnknownNameError: A step does not exist.
        SettingError: One does not take its options, or the chain does not shrink exactly once.

    >>> check_degradation([Choice(name="jpeg")])
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: a degradation shrinks exactly once, by bicubic or pil-bicubic; this is jpeg
    """
    make_degradation(chain, 1)


def degrade(high: Pixels, scale: int, chain: Sequence[Choice], random: np.random.Generator) -> Pixels:
    """Make one low-resolution image; ``make_degradation`` is for many.

    Args:
        high: uint8 ``(H, W, 3)``, H and W at least ``scale``.
        scale: Factor, at least 1.
        chain: Steps in order.
        random: Where all that is random in them is drawn from.

    Returns:
        uint8 ``(H // scale, W // scale, 3)``.

    Raises:
        UnknownNameError: A step does not exist.
        SettingError: One does not take its options, or the chain does not shrink exactly once.

    >>> degrade(np.zeros((7, 9, 3), np.uint8), 3, BICUBIC, np.random.default_rng(0)).shape
    (2, 3, 3)
    """
    return make_degradation(chain, scale)(high, random)


def _blurred(image: Pixels, sigma: float) -> Pixels:
    """Return the image under a Gaussian that ends at four deviations: beyond lies less than 1/30 of a grey level."""
    radius = math.ceil(4 * sigma)
    if radius == 0:
        return image
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    soft = image.astype(np.float32)
    for axis in (0, 1):
        size, border = image.shape[axis], [(0, 0)] * image.ndim
        border[axis] = (radius, radius)
        wide = np.moveaxis(np.pad(soft, border, mode="symmetric"), axis, 0)
        soft = np.zeros_like(np.moveaxis(soft, axis, 0))
        for tap, weight in enumerate(weights):
            soft += wide[tap : tap + size] * weight
        soft = np.moveaxis(soft, 0, axis)
    return np.ascontiguousarray(np.clip(np.rint(soft), 0, 255).astype(np.uint8))


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
