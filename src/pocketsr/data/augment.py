"""Changes drawn for each patch: symmetries first, then what makes new images of old ones.

A change takes both sides of a patch and keeps them aligned. The low side may be None: it is then made from the high
side afterwards.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError
from pocketsr.image import downscale, resize_bicubic
from pocketsr.image.degrade import Pixels


@dataclasses.dataclass(frozen=True)
class Patch:
    """Both sides of a patch.

    Attributes:
        low: uint8 ``(P, P, 3)``, or None where it is made later.
        high: uint8 ``(scale·P, scale·P, 3)``.
        scale: Factor between them.
        guide: What a teacher made of ``low``, as ``high``, if there is one.
    """

    low: Pixels | None
    high: Pixels
    scale: int
    guide: Pixels | None = None

    def both(self, change: Callable[[Pixels], Pixels]) -> Patch:
        """Return the patch with the same change on both sides, and on the teacher's."""
        low, guide = (None if side is None else change(side) for side in (self.low, self.guide))
        return dataclasses.replace(self, low=low, high=change(self.high), guide=guide)


#: The patch, where to draw from, and a way to get another patch of the same data.
Augmentation = Callable[[Patch, np.random.Generator, Callable[[], Patch]], Patch]


def flip() -> Augmentation:
    """Mirror rows, and columns, each half of the time."""

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        rows, columns = (slice(None, None, -1 if random.random() < 0.5 else 1) for _ in range(2))
        return patch.both(lambda pixels: pixels[rows, columns])

    return change


def transpose() -> Augmentation:
    """Swap rows and columns half of the time."""

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        return patch.both(lambda pixels: pixels.swapaxes(0, 1)) if random.random() < 0.5 else patch

    return change


def rotate_any(*, degrees: float = 90.0, probability: float = 0.5) -> Augmentation:
    """Rotate the high side by any angle within ± ``degrees``, with black corners, bicubic: F2SRGAN's.

    The low side has to be made from it afterwards.
    """
    _require_number("rotate-any", "degrees", degrees, "above 0 and up to 180", lambda value: 0 < value <= 180)
    _require_probability("rotate-any", probability)

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        assert patch.low is None  # make_augmentations sees to it
        if random.random() >= probability:
            return patch
        picture = Image.fromarray(np.ascontiguousarray(patch.high))
        angle = float(random.uniform(-degrees, degrees))
        return dataclasses.replace(patch, high=np.asarray(picture.rotate(angle, Image.Resampling.BICUBIC)))

    return change


def shuffle_colours(*, probability: float = 0.5) -> Augmentation:
    """Put red, green and blue in another order: SCSRN's channel shuffle."""
    _require_probability("shuffle-colours", probability)

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        if random.random() >= probability:
            return patch
        order = random.permutation(3)
        return patch.both(lambda pixels: pixels[..., order])

    return change


def intensity(*, factors: Sequence[float] = (1.0, 0.7, 0.5)) -> Augmentation:
    """Darken both sides by one of the factors, drawn evenly: XLSR's."""
    if not isinstance(factors, list | tuple) or not factors:
        raise SettingError(f"augmentation 'intensity': factors are above 0 and up to 1, one or more, not {factors!r}")
    for factor in factors:
        _require_number("intensity", "each factor", factor, "above 0 and up to 1", lambda value: 0 < value <= 1)

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        factor = np.float32(factors[int(random.integers(len(factors)))])
        return patch if factor == 1 else patch.both(lambda pixels: np.rint(pixels * factor).astype(np.uint8))

    return change


def mixup(*, alpha: float = 1.2, probability: float = 0.5) -> Augmentation:
    """Blend with another patch, in shares drawn from Beta(alpha, alpha).

    Source:
        Zhang et al., "mixup", 2018; the values for super-resolution are Yoo et al.'s, CVPR 2020.
    """
    _require_probability("mixup", probability)
    _require_number("mixup", "alpha", alpha, "above 0", lambda value: 0 < value < math.inf)

    def change(patch: Patch, random: np.random.Generator, another: Callable[[], Patch]) -> Patch:
        if random.random() >= probability:
            return patch
        share, other = np.float32(random.beta(alpha, alpha)), another()

        def blend(one: Pixels, two: Pixels) -> Pixels:
            return np.rint(one * share + two * (1 - share)).astype(np.uint8)

        low = None if patch.low is None or other.low is None else blend(patch.low, other.low)
        return dataclasses.replace(patch, low=low, high=blend(patch.high, other.high))

    return change


def cutblur(*, probability: float = 0.5, ratio: float = 0.7) -> Augmentation:
    """Blur a rectangle, so that the network learns how much to sharpen, and where not to.

    Args:
        probability: How often.
        ratio: Sides of the rectangle over those of the patch, at most.

    Source:
        Yoo et al., "Rethinking Data Augmentation for Image Super-resolution", CVPR 2020. There networks take an input
        as large as their output, and pixels of one are pasted into the other. Here the input is small, and the same
        lesson is taught from the other end: the ground truth is blurred within the rectangle (shrunk and enlarged by
        bicubic), and the input there is that shrunk again.
    """
    _require_probability("cutblur", probability)
    _require_number("cutblur", "ratio", ratio, "above 0 and up to 1", lambda value: 0 < value <= 1)

    def change(patch: Patch, random: np.random.Generator, _: Callable[[], Patch]) -> Patch:
        if random.random() >= probability:
            return patch
        scale, size = patch.scale, patch.high.shape[0] // patch.scale
        sides = [max(1, round(size * ratio * float(random.random()))) for _ in range(2)]
        top, left = (int(random.integers(size - side + 1)) for side in sides)
        rows, columns = slice(top, top + sides[0]), slice(left, left + sides[1])
        soft = resize_bicubic(downscale(np.ascontiguousarray(patch.high), scale), *patch.high.shape[:2])
        high = patch.high.copy()
        large = tuple(slice(part.start * scale, part.stop * scale) for part in (rows, columns))
        high[large] = soft[large]
        low = patch.low
        if low is not None:
            low = low.copy()
            low[rows, columns] = downscale(soft, scale)[rows, columns]
        return dataclasses.replace(patch, low=low, high=high)

    return change


AUGMENTATIONS: Mapping[str, Callable[..., Augmentation]] = {
    "flip": flip,
    "transpose": transpose,
    "rotate-any": rotate_any,
    "shuffle-colours": shuffle_colours,
    "intensity": intensity,
    "mixup": mixup,
    "cutblur": cutblur,
}


def make_augmentations(choices: Sequence[Choice], *, degrades_patches: bool) -> tuple[Augmentation, ...]:
    """Return the changes that are chosen, in order.

    Args:
        choices: Rows of ``AUGMENTATIONS``.
        degrades_patches: Whether the low side of each patch is made after them.

    Raises:
        UnknownNameError: One does not exist.
        SettingError: One does not take its options, or needs the low side made after it.

    >>> make_augmentations([Choice(name="rotate-any")], degrades_patches=False)
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: augmentation 'rotate-any' needs patches degraded after it: degrade_patches = true
    """
    made = tuple(make("augmentation", AUGMENTATIONS, choice) for choice in choices)
    if not degrades_patches and any(choice.name == "rotate-any" for choice in choices):
        raise SettingError("augmentation 'rotate-any' needs patches degraded after it: degrade_patches = true")
    return made


def _require_probability(name: str, probability: Any) -> None:
    _require_number(name, "probability", probability, "0 to 1", lambda value: 0 <= value <= 1)


def _require_number(name: str, option: str, value: Any, needed: str, is_good: Callable[[float], bool]) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not is_good(value):
        raise SettingError(f"augmentation {name!r}: {option} is {needed}, not {value!r}")
