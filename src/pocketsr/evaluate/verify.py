"""Verification: does the file that ships still do what the network it was made from did?

    photographs ──> artefact, reference ──> quality, worst image, pixels, darkening
    charts ───────> artefact, reference ──> black and white, banding, grid
    odd sizes ────> artefact ─────────────> runs at all

A PSNR within 0.1 dB hides what people see: a picture half a level darker, whites that end at 251, skies in steps. Each
is a check of its own with a bound, and a word on what to do. Knows functions from image to image, not files or torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate.benchmarks import Upscale
from pocketsr.evaluate.charts import Image, cell_pattern, edge, flat, ramps, step_height
from pocketsr.evaluate.findings import Bounds, Check, Compared, Verification
from pocketsr.evaluate.metrics import psnr

#: Odd sizes that a file must run at: single pixels, lines, primes.
ODD_SIZES = ((1, 1), (1, 7), (7, 1), (3, 5), (17, 13))
#: Share of values that ``pixels`` judges; the rest may be far off, as single pixels at sharp edges are.
_SHARE = 0.999
_COLOURS = ("red", "green", "blue")
#: A figure beyond the reference's, the artefact's, the reference's, and the chart it was read off.
_Found: TypeAlias = tuple[float, float, float, str]


def verify(
    artefact: Upscale,
    reference: Upscale,
    pairs: Iterable[tuple[str, Image, Image]],
    *,
    bounds: Bounds | None = None,
) -> Verification:
    """Compare what ships with what it was made from.

    Args:
        artefact: The file, run as it will be.
        reference: The float network, or any other function of the same scale.
        pairs: Name, low-resolution and high-resolution image of each photograph; uint8 ``(h, w, 3)`` and
            ``(s·h, s·w, 3)``. Taken one by one.
        bounds: What is allowed.

    Raises:
        DataError: There are no images.
        SettingError: Artefact, reference and pairs are not all of one scale.

    >>> from pocketsr.evaluate import bicubic
    >>> low = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    >>> verify(bicubic(2), bicubic(2), [("noise", low, low.repeat(2, 0).repeat(2, 1))]).passed
    True
    """
    bounds = bounds or Bounds()
    images: list[Compared] = []
    differences = np.zeros(256, np.int64)
    scale = 0
    for name, low, high in pairs:
        scale = scale or high.shape[0] // low.shape[0]
        ours, theirs = artefact(low), reference(low)
        expected = (scale * low.shape[0], scale * low.shape[1], 3)
        if not ours.shape == theirs.shape == high.shape == expected:
            raise SettingError(
                f"{name}: enlarged by {scale} it is {expected}, but the artefact made {ours.shape}, the reference "
                f"{theirs.shape} and the truth is {high.shape}; all three need one scale"
            )
        difference = ours.astype(np.int16) - theirs
        counts = np.bincount(np.abs(difference).ravel(), minlength=256)
        differences += counts
        images.append(
            Compared(
                name=name,
                artefact_db=psnr(ours, high),
                reference_db=psnr(theirs, high),
                shift=tuple(difference.mean(axis=(0, 1)).tolist()),
                largest=int(counts.nonzero()[0].max()),
            )
        )
    if not images:
        raise DataError("verification needs at least one image")
    checks = (
        *_quality(images, bounds),
        _pixels(images, differences, bounds),
        _darkening(images, bounds),
        _ends(artefact, reference, bounds),
        *_ramps(artefact, reference, scale, bounds),
        _odd_sizes(artefact, reference, scale),
    )
    return Verification(checks=checks, images=tuple(images))


def _quality(images: Sequence[Compared], bounds: Bounds) -> tuple[Check, Check]:
    ours, theirs, drop = (
        fmean(getattr(image, name) for image in images) for name in ("artefact_db", "reference_db", "drop_db")
    )
    worst = max(images, key=lambda image: image.drop_db)
    return (
        Check(
            name="quality",
            figure=drop,
            bound=bounds.drop_db,
            unit="dB",
            words=f"PSNR {ours:.3f} dB, reference {theirs:.3f} dB; mean of {len(images)}",
            advice="train a stage of integer arithmetic instead of quantising after training; if you did, train it "
            "longer or at a smaller learning rate",
            measures={"artefact_db": ours, "reference_db": theirs},
        ),
        Check(
            name="worst image",
            figure=worst.drop_db,
            bound=bounds.worst_db,
            unit="dB",
            words=f"{worst.name}: PSNR {worst.artefact_db:.3f} dB, reference {worst.reference_db:.3f} dB",
            advice=f"look at {worst.name}: ranges were taken from images unlike it; calibrate with more images, some "
            "of its kind among them, or with another --ptq",
            measures={"image": worst.name},
        ),
    )


def _pixels(images: Sequence[Compared], differences: npt.NDArray[np.int64], bounds: Bounds) -> Check:
    share = np.cumsum(differences) / differences.sum()
    within = int(np.argmax(share >= _SHARE))
    farthest = max(images, key=lambda image: image.largest)
    return Check(
        name="pixels",
        figure=float(within),
        bound=bounds.pixels,
        unit="levels",
        words=f"99.9 % within {within}, the largest {farthest.largest} in {farthest.name}",
        advice=f"values overflow their range, look at {farthest.name}: calibrate by minmax with --extremes, or train a "
        "stage of integer arithmetic longer",
        measures={"largest": farthest.largest, "image": farthest.name, "equal": float(share[0])},
    )


def _darkening(images: Sequence[Compared], bounds: Bounds) -> Check:
    shift = np.mean([image.shift for image in images], axis=0).tolist()
    colours = dict(zip(_COLOURS, shift, strict=True))
    return Check(
        name="darkening",
        figure=max(abs(value) for value in shift),
        bound=bounds.shift,
        unit="levels",
        words=", ".join(f"{name} {value:+.3f}" for name, value in colours.items()),
        advice="biases were rounded too coarsely or an activation is cut off: calibrate with --extremes, or train a "
        "stage of integer arithmetic, longer if you did",
        measures=colours,
    )


def _ends(artefact: Upscale, reference: Upscale, bounds: Bounds) -> Check:
    """Look whether black and white come out as such: on flat images at every pixel, beside an edge somewhere."""
    measures: dict[str, float | str] = {}
    beyond = []
    for name, level in (("black", 0), ("white", 255)):
        ours, theirs = (_off(upscale(flat(level)), level) for upscale in (artefact, reference))
        beyond.append(float((ours - theirs).max()))
        measures |= {f"{name}_artefact": abs(level - float(ours.max())), f"{name}_reference": abs(level - theirs.max())}
    sharp = artefact(edge()), reference(edge())
    for name, level in (("lowest", 0), ("highest", 255)):
        reached, wanted = (int(made.min() if level == 0 else made.max()) for made in sharp)
        beyond.append(float(abs(reached - level) - abs(wanted - level)))
        measures |= {f"edge_{name}_artefact": reached, f"edge_{name}_reference": wanted}
    return Check(
        name="black and white",
        figure=max(0.0, *beyond),
        bound=bounds.ends,
        unit="levels",
        words=f"black becomes {measures['black_artefact']:.0f} at worst, white {measures['white_artefact']:.0f}; an "
        f"edge reaches {measures['edge_lowest_artefact']:.0f} and {measures['edge_highest_artefact']:.0f}",
        advice="the output's range ends before black or white: calibrate with --extremes, let the last operator "
        "saturate at scale 1 instead of clipping, or train a stage of integer arithmetic longer",
        measures=measures,
    )


def _off(made: Image, level: int) -> npt.NDArray[np.float64]:
    return np.abs(made.astype(np.float64) - level)


def _ramps(artefact: Upscale, reference: Upscale, scale: int, bounds: Bounds) -> tuple[Check, Check]:
    """Look at slopes for steps and for a pattern that repeats in every cell."""
    steps: list[_Found] = []
    patterns: list[_Found] = []
    for name, image in ramps():
        ours, theirs = artefact(image), reference(image)
        for found, measure in ((steps, step_height), (patterns, cell_pattern)):
            pair = measure(ours, scale=scale), measure(theirs, scale=scale)
            found.append((pair[0] - pair[1], *pair, name))
    banding, grid = max(steps), max(patterns)
    return (
        Check(
            name="banding",
            figure=max(0.0, banding[0]),
            bound=bounds.banding,
            unit="levels",
            words=f"steps of {banding[1]:.2f}, reference {banding[2]:.2f}; {banding[3]}",
            advice='activations are too coarse for smooth areas: train scales (activation_scales = "learnt"), '
            'calibrate with "mse", or leave the skip out of the convolutions (equivalent = false)',
            measures={"artefact": banding[1], "reference": banding[2], "image": banding[3]},
        ),
        Check(
            name="grid",
            figure=max(0.0, grid[0]),
            bound=bounds.grid,
            unit="levels",
            words=f"cells vary by {grid[1]:.2f}, reference {grid[2]:.2f}; {grid[3]}",
            advice="the last convolution makes each pixel of a cell in a channel of its own, rounded on its own: let "
            "the network add its input as an image (a residual such as ABPN's), or train the stage of integer "
            "arithmetic longer",
            measures={"artefact": grid[1], "reference": grid[2], "image": grid[3]},
        ),
    )


def _odd_sizes(artefact: Upscale, reference: Upscale, scale: int) -> Check:
    """Run odd sizes; what the reference cannot do either is not the artefact's fault."""
    failed = [size for size in ODD_SIZES if not _runs(artefact, size, scale) and _runs(reference, size, scale)]
    words = ", ".join(f"{height}×{width}" for height, width in failed)
    return Check(
        name="odd sizes",
        figure=float(len(failed)),
        bound=0.0,
        unit="sizes",
        words=f"fails at {words}" if failed else f"all {len(ODD_SIZES)} run",
        advice="the file is bound to one size or pads wrongly: export it again with `pocketsr export`",
        measures={"failed": words},
    )


def _runs(upscale: Upscale, size: tuple[int, int], scale: int) -> bool:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    try:
        return upscale(image).shape == (scale * size[0], scale * size[1], 3)
    except Exception:  # whatever a runtime raises, it did not run
        return False
