"""Verification: does the file that ships still do what the network it was made from did?

    images ─────────┐                          ┌─ quality: PSNR drop, worst image
    flat, edges ────┼─► artefact, reference ───┼─ darkening: mean shift of each colour
    smooth ramps ───┘                          ├─ black and white: are they reached
                                               ├─ banding: steps on ramps
                                               └─ odd sizes run at all

A PSNR within 0.1 dB hides what people see: a picture half a level darker, whites that end at 251, skies in steps. Each
is a check of its own with a bound, and a word on what to do. Knows functions from image to image, not files or torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.benchmarks import Upscale
from pocketsr.evaluate.metrics import psnr

Image = npt.NDArray[np.uint8]

#: Odd sizes that a file must run at: single pixels, lines, primes.
_SIZES = ((1, 1), (1, 7), (7, 1), (3, 5), (17, 13))
#: Low-resolution width of a ramp. Its levels rise by one every fourth pixel: far slower than any texture.
_RAMP = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much worse an artefact may be than its reference.

    Attributes:
        drop_db: Mean PSNR lost, dB.
        worst_db: PSNR lost on any one image, dB.
        shift: Mean shift of any colour over all images, levels of 255.
        ends: Levels that black and white may be off beyond the reference's.
        banding: Largest step between neighbours on a smooth ramp beyond the reference's, levels. Rounding alone, one
            level up here and one down there, makes two.
    """

    drop_db: float = 0.1
    worst_db: float = 0.5
    shift: float = 0.25
    ends: float = 1.0
    banding: float = 2.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value >= 0:
                raise SettingError(f"bound {name} must be 0 or more, not {value}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Word for it.
        figure: What was found.
        bound: What is allowed.
        words: The figure in a sentence.
        advice: What to do where it fails.
    """

    name: str
    figure: float
    bound: float
    words: str
    advice: str

    @property
    def passed(self) -> bool:
        """Whether the figure is within its bound; what is not a number is not."""
        return self.figure <= self.bound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found.

    Attributes:
        checks: Everything that was looked at.
        images: PSNR of artefact and reference by image, dB.
    """

    checks: tuple[Check, ...]
    images: dict[str, tuple[float, float]]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        checks = [{**dataclasses.asdict(check), "passed": check.passed} for check in self.checks]
        images = {name: {"artefact_db": ours, "reference_db": theirs} for name, (ours, theirs) in self.images.items()}
        return {"passed": self.passed, "checks": checks, "images": images}


def verify(
    artefact: Upscale,
    reference: Upscale,
    truths: Iterable[tuple[str, Image, Image]],
    *,
    bounds: Bounds | None = None,
) -> Verification:
    """Compare what ships with what it was made from.

    Args:
        artefact: The file, run as it will be.
        reference: The float network, or any other function of the same scale.
        truths: Name, low-resolution and high-resolution image of each; uint8 ``(H, W, 3)`` and ``(sH, sW, 3)``.
        bounds: What is allowed.

    Raises:
        DataError: There are no images.
        SettingError: The two make images of different sizes.
    """
    bounds = bounds or Bounds()
    images: dict[str, tuple[float, float]] = {}
    shifts = []
    for name, low, high in truths:
        ours, theirs = artefact(low), reference(low)
        if not ours.shape == theirs.shape == high.shape:
            raise SettingError(
                f"{name}: artefact {ours.shape}, reference {theirs.shape} and truth {high.shape} differ in size; "
                "both must upscale by the same factor"
            )
        images[name] = (psnr(ours, high), psnr(theirs, high))
        shifts.append((ours.astype(np.float64) - theirs).mean(axis=(0, 1)))
    if not images:
        raise DataError("verification needs at least one image")
    checks = (
        *_quality(images, bounds),
        _darkening(np.mean(shifts, axis=0), bounds),
        _ends(artefact, reference, bounds),
        _banding(artefact, reference, bounds),
        _odd_sizes(artefact, reference),
    )
    return Verification(checks=checks, images=images)


def _quality(images: dict[str, tuple[float, float]], bounds: Bounds) -> tuple[Check, Check]:
    lost = {name: _lost(*both) for name, both in images.items()}
    drop, worst = fmean(lost.values()), max(lost, key=lambda name: lost[name])
    return (
        Check(
            name="quality",
            figure=drop,
            bound=bounds.drop_db,
            words=f"PSNR is {drop:+.3f} dB below the reference's on average",
            advice="train a stage of integer arithmetic instead of quantising after training; if you did, train it "
            "longer or at a smaller learning rate",
        ),
        Check(
            name="worst image",
            figure=lost[worst],
            bound=bounds.worst_db,
            words=f"{worst} loses {lost[worst]:+.3f} dB",
            advice=f"look at {worst}: ranges were taken from images unlike it; calibrate with some of its kind",
        ),
    )


def _lost(ours: float, theirs: float) -> float:
    return 0.0 if ours == theirs else theirs - ours  # infinity less infinity is no number


def _darkening(shift: npt.NDArray[np.float64], bounds: Bounds) -> Check:
    largest = float(np.abs(shift).max())
    colours = ", ".join(f"{name} {value:+.2f}" for name, value in zip(("red", "green", "blue"), shift, strict=False))
    return Check(
        name="darkening",
        figure=largest,
        bound=bounds.shift,
        words=f"mean shift in levels: {colours}",
        advice="biases were rounded too coarsely or an activation is cut off: calibrate with --extremes, or train a "
        "stage of integer arithmetic",
    )


def _ends(artefact: Upscale, reference: Upscale, bounds: Bounds) -> Check:
    edge = np.zeros((16, 16, 3), np.uint8)
    edge[:, 8:] = 255
    off, words = 0.0, []
    for name, image, level in (("black", edge * 0, 0), ("white", edge * 0 + 255, 255), ("edge", edge, None)):
        ours, theirs = artefact(image), reference(image)
        for end in (0, 255) if level is None else (level,):
            reached = [float(abs(int(made.min() if end == 0 else made.max()) - end)) for made in (ours, theirs)]
            if level is not None:  # of a flat image every pixel counts
                reached = [float(np.abs(made.astype(int) - end).max()) for made in (ours, theirs)]
            off = max(off, reached[0] - reached[1])
            words.append(f"{name} to {end}: off by {reached[0]:.0f} (reference {reached[1]:.0f})")
    return Check(
        name="black and white",
        figure=off,
        bound=bounds.ends,
        words="; ".join(words),
        advice="the output's range ends before black or white: calibrate with --extremes, and let the last operator "
        "saturate at scale 1 instead of clipping",
    )


def _banding(artefact: Upscale, reference: Upscale, bounds: Bounds) -> Check:
    """Look for steps on slopes that have none.

    A ramp rises by one level every ``4·scale`` output pixels. Upscaled well, neighbours differ by 0 or 1; an artefact
    whose activations are too coarse jumps by several levels at once and stays flat in between. The figure is the
    largest step between neighbours, borders aside, beyond the reference's largest.
    """
    figure, where = 0.0, "grey"
    steps = [0.0, 0.0]
    levels = (96 + np.arange(_RAMP) // 4).astype(np.uint8)
    for name, colours in (("grey", (0, 1, 2)), ("red", (0,)), ("green", (1,)), ("blue", (2,))):
        ramp = np.full((24, _RAMP, 3), 96, np.uint8)
        ramp[:, :, colours] = levels[None, :, None]
        for image in (ramp, ramp.swapaxes(0, 1)):
            found = [
                _largest_step(upscale(np.ascontiguousarray(image)), image.shape) for upscale in (artefact, reference)
            ]
            if found[0] - found[1] > figure:
                figure, where = found[0] - found[1], name
            steps = [max(pair) for pair in zip(steps, found, strict=True)]
    return Check(
        name="banding",
        figure=figure,
        bound=bounds.banding,
        words=f"largest step on a smooth ramp: {steps[0]:.0f} levels (reference {steps[1]:.0f}), worst in {where}",
        advice='activations are too coarse for smooth areas: train scales (activation_scales = "learnt"), calibrate '
        'with "mse", or leave the skip out of the convolutions (equivalent = false)',
    )


def _largest_step(made: Image, low_shape: Sequence[int]) -> float:
    border = 8 * made.shape[0] // low_shape[0]
    inside = made[border:-border, border:-border].astype(int)
    axis = 1 if low_shape[1] > low_shape[0] else 0
    return float(np.abs(np.diff(inside, axis=axis)).max())


def _odd_sizes(artefact: Upscale, reference: Upscale) -> Check:
    failed = []
    for height, width in _SIZES:
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        if artefact(image).shape != reference(image).shape:
            failed.append(f"{height}×{width}")
    return Check(
        name="odd sizes",
        figure=float(len(failed)),
        bound=0.0,
        words=f"sizes that come out wrong: {', '.join(failed) or 'none'}",
        advice="the file has a fixed size or pads wrongly: export it again without --size",
    )
