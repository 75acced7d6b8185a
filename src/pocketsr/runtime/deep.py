"""Samples of 16 bits made larger: by the float32 form of a model as they are, or by one of 8 bits in two passes.

    samples ──> levels in float32 ──> network in float32 ──> 16 bits

That is exact, and what the models for clean images that come along do. A model that has no such form is an 8-bit one,
as some for JPEG are, which has 8 bits itself; then it is its detail on the exact samples:

    samples ──> 8 bits, rounded in two ways ──> network, twice ──> mean ─┐
                        └────────────> mean ──> bicubic ──────────────(−)┴─> detail ──> calmed ─┐
    samples ──> bicubic ──────────────────────────────────────────────────────────────────(+)───┴─> 16 bits

What the network adds to bicubic is its detail; added to bicubic of the samples, nothing of them is lost. Its own
rounding to 8 bits would still show as bands in a smooth sky. Two passes whose roundings differ by half a level halve
it, and where the detail nearby is all within the rounding it is left out: there is nothing there but a ramp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pocketsr.image import resize_bicubic
from pocketsr.runtime.tiling import Span, spans
from pocketsr.runtime.upscaler import Progress, Upscaler

Samples = npt.NDArray[np.uint16]

#: Networks run on each part, their input rounded up from a quarter and from three quarters of a level.
_PASSES = 2
#: Levels of 8 bits: detail of less everywhere nearby is rounding, detail of more somewhere nearby is kept whole.
_CALM_LEVELS, _LIVELY_LEVELS = 1.5, 3.0
#: Rows that bicubic looks at on either side, and those that decide what is calm.
_BICUBIC_REACH, _CALM_REACH = 3, 1
#: Pixels of the result that are worked on at once; their temporaries take some 60 bytes each.
_SLAB_PIXELS = 1 << 20
#: The same in float32, where they take some 30.
_FLOAT_SLAB_PIXELS = 1 << 21
#: Steps of 16 bits in one level of 8.
_LEVEL = 257


def deep_strips(upscaler: Upscaler, image: Samples, *, on_progress: Progress | None = None) -> Iterator[Samples]:
    """Upscale samples of 16 bits strip by strip, from top to bottom.

    Args:
        upscaler: A model of any kind; its float32 form is taken where it has one.
        image: uint16 ``(H, W, 3)`` RGB or ``(H, W)`` grey, white being 65535.
        on_progress: Called after every pass over a part with (passes done, passes in all).

    Yields:
        uint16 ``(h, sW, 3)`` or ``(h, sW)``.
    """
    upscaler = upscaler.for_16_bits()
    run = _in_float if upscaler.takes_levels else _in_two_passes
    yield from run(upscaler, image, on_progress)


def _in_float(upscaler: Upscaler, image: Samples, on_progress: Progress | None) -> Iterator[Samples]:
    """Run a model of float32 on the samples themselves."""
    scale = upscaler.scale
    parts = _parts(upscaler, image, _FLOAT_SLAB_PIXELS, upscaler.spec.receptive_field or 0)
    for number, part in enumerate(parts, 1):
        made = upscaler(np.divide(image[part.start : part.stop], _LEVEL, dtype=np.float32))
        first = (part.keep_start - part.start) * scale
        kept = made[first : first + (part.keep_stop - part.keep_start) * scale]
        yield np.asarray(np.rint(kept * np.float32(_LEVEL)).astype(np.uint16))
        if on_progress is not None:
            on_progress(number, len(parts))


def _in_two_passes(upscaler: Upscaler, image: Samples, on_progress: Progress | None) -> Iterator[Samples]:
    scale = upscaler.scale
    reach = max(upscaler.spec.receptive_field or 0, _BICUBIC_REACH) + _CALM_REACH + 1
    parts = _parts(upscaler, image, _SLAB_PIXELS, reach)
    done = 0
    for part in parts:
        slab = image[part.start : part.stop]
        passes = []
        for rounded in _rounded_two_ways(slab):
            passes.append((rounded, upscaler(rounded)))
            done += 1
            if on_progress is not None:
                on_progress(done, len(parts) * _PASSES)
        made = _joined(slab, passes, scale)
        first = (part.keep_start - part.start) * scale
        yield made[first : first + (part.keep_stop - part.keep_start) * scale]


def _parts(upscaler: Upscaler, image: Samples, most_pixels: int, reach: int) -> tuple[Span, ...]:
    """Return the rows that are worked on at once.

    A network that looks at the whole image gets it whole, and so does one that counts rows in multiples.
    """
    height, width = image.shape[:2]
    if upscaler.spec.receptive_field is None or upscaler.spec.size_multiple > 1:
        return spans(height, height, 0)
    rows = max(1, most_pixels // (width * upscaler.scale**2))
    return spans(height, rows + 2 * reach, reach)


def _rounded_two_ways(slab: Samples) -> Iterator[npt.NDArray[np.uint8]]:
    wide = slab.astype(np.uint32)
    for number in range(_PASSES):
        yield ((wide + _LEVEL * (2 * number + 1) // (2 * _PASSES)) // _LEVEL).astype(np.uint8)


def _joined(slab: Samples, passes: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]], scale: int) -> Samples:
    """Return the samples enlarged by bicubic, with the detail that the network adds on average."""
    height, width = slab.shape[0] * scale, slab.shape[1] * scale
    given = np.asarray(np.mean([rounded for rounded, _ in passes], axis=0, dtype=np.float32))
    detail = np.asarray(np.mean([enlarged for _, enlarged in passes], axis=0, dtype=np.float32))
    detail -= resize_bicubic(given, height, width)
    detail *= _liveliness(detail, scale)
    # In double precision, as 16 bits times bicubic's overshoot need more digits than single has to spare.
    made = resize_bicubic(slab.astype(np.float64), height, width)
    made += np.float32(_LEVEL) * detail
    return np.asarray(np.clip(np.rint(made), 0, 65535).astype(np.uint16))


def _liveliness(detail: npt.NDArray[np.float32], scale: int) -> npt.NDArray[np.float32]:
    """Return 0 where all detail within a pixel of the input is rounding, 1 where some is sure to be more.

    Args:
        detail: ``(sH, sW)`` or ``(sH, sW, 3)``, in levels of 8 bits.
        scale: s.

    Returns:
        Of the shape of ``detail``, or with one channel.
    """
    strength = np.abs(detail) if detail.ndim == 2 else np.abs(detail).max(axis=2)
    height, width = strength.shape[0] // scale, strength.shape[1] // scale
    largest = strength.reshape(height, scale, width, scale).max(axis=(1, 3))
    padded = np.pad(largest, _CALM_REACH, mode="edge")
    sides = range(2 * _CALM_REACH + 1)
    near = np.max([padded[down : down + height, right : right + width] for down in sides for right in sides], axis=0)
    weight: npt.NDArray[np.float32] = np.clip((near - _CALM_LEVELS) / (_LIVELY_LEVELS - _CALM_LEVELS), 0, 1).astype(
        np.float32
    )
    weight = weight.repeat(scale, axis=0).repeat(scale, axis=1)
    return weight if detail.ndim == 2 else weight[:, :, None]
