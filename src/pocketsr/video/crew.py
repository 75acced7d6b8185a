"""Who enlarges the pictures of one video: two at once where there are threads for it, each with models of its own.

    picture equal to the one before? ──> left out ─────────────────────────────┐
    others ──> model, or several in a row ──> resized to the size asked for ───┴──> in order

Two pictures at once with half the threads each keep processor cores busier than one picture with all of them: nobody
waits for the others after every layer. Knows nothing of files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pocketsr.runtime import Upscaler
from pocketsr.runtime.tiling import WINDOW_PIXELS
from pocketsr.video.colour import Colour, Converter, is_same_picture, plane_of
from pocketsr.video.enlarge import Enlarger
from pocketsr.video.formats import pixel_format
from pocketsr.video.items import Item, Picture
from pocketsr.video.reuse import LastPicture
from pocketsr.video.target import Target

#: Pictures in work at the same time, at most. Each needs the memory of a model at work.
_AT_ONCE = 2


class Crew:
    """Enlarges the pictures of one video.

    Attributes:
        works: Each enlarges one item at a time; packets come back as they are.
        pictures_reused: Pictures that were those before, and were not run.
    """

    def __init__(
        self, models: Sequence[Upscaler], colour: Colour, size: tuple[int, int], target: Target, *, reuse: bool
    ) -> None:
        """Prepare for a video.

        Args:
            models: What enlarges, one after the other, on all threads there are; empty where nothing is enlarged.
            colour: What the input's numbers mean.
            size: Rows and columns of the input.
            target: The plan.
            reuse: Whether what did not change is left out.
        """
        threads = max([1, *(model.threads for model in models)])
        shares = _shares(threads)
        lasts = [LastPicture() for _ in models]
        form = target.pixel_format.replace("yuvj", "yuv")  # libswscale takes the former for full range, always
        self._hands = []
        for share in shares:
            own = list(models)
            if len(shares) > 1:
                tiles = [_half(model, *size) if model is models[0] else None for model in models]
                own = [model.twin(share, tile=tile) for model, tile in zip(models, tiles, strict=True)]
            enlargers = [
                Enlarger(model, colour, form, reuse=reuse, last=last) for model, last in zip(own, lasts, strict=True)
            ]
            self._hands.append(_Hand(enlargers, Converter(colour), target))
        self.works: list[Callable[[Item], Item]] = [hand.enlarged for hand in self._hands]
        self._reuse = reuse
        self.pictures_reused = 0

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles that were run, and tiles of all pictures that were not equal to the one before."""
        pairs = [enlarger.tiles for hand in self._hands for enlarger in hand.enlargers]
        return sum(run for run, _ in pairs), sum(whole for _, whole in pairs)

    @property
    def colour_s(self) -> float:
        """Seconds spent on colour conversion and resizing so far, by all."""
        return sum(enlarger.colour_s for hand in self._hands for enlarger in hand.enlargers)

    @property
    def network_s(self) -> float:
        """Seconds spent in networks so far, by all."""
        return sum(enlarger.network_s for hand in self._hands for enlarger in hand.enlargers)

    def without_repeats(self, items: Iterator[Item]) -> Iterator[Item]:
        """Take the frame from pictures that are equal to the one before."""
        last: Any = None
        for item in items:
            if isinstance(item, Picture):
                is_same = self._reuse and is_same_picture(last, item.frame)
                last = item.frame
                self.pictures_reused += is_same
                yield dataclasses.replace(item, frame=None) if is_same else item
            else:
                yield item

    def with_repeats(self, items: Iterator[Item]) -> Iterator[Item]:
        """Give them the enlarged frame of the one before."""
        last: Any = None
        for item in items:
            if isinstance(item, Picture) and item.frame is None:
                yield dataclasses.replace(item, frame=last)
            else:
                last = item.frame if isinstance(item, Picture) else last
                yield item


class _Hand:
    """One thread's part of the work."""

    def __init__(self, enlargers: Sequence[Enlarger], converter: Converter, target: Target) -> None:
        self.enlargers, self._converter, self._target = enlargers, converter, target

    def enlarged(self, item: Item) -> Item:
        """Return a picture enlarged, anything else as it is."""
        if not isinstance(item, Picture) or item.frame is None:
            return item
        target = self._target
        frame, width = item.frame, target.width // 2 if target.is_preview else target.width
        for enlarger in self.enlargers:
            frame = enlarger(frame)
        frame = self._finished(frame, width)
        if target.is_preview:
            frame = beside(self._converter, self._finished(item.frame, width), frame)
        return dataclasses.replace(item, frame=frame)

    def _finished(self, frame: Any, width: int) -> Any:
        target = self._target
        is_full = target.colour.is_full
        return self._converter.resized(frame, target.pixel_format, target.height, width, is_full=is_full)


def beside(converter: Converter, left: Any, right: Any) -> Any:
    """Return two frames of one size and pixel format as one of twice the width."""
    form = pixel_format(left.format.name)
    planar = ("gbrp" if form.bits == 8 else "gbrp16le") if form.is_rgb else form.planar
    both = [converter.converted(frame, planar) for frame in (left, right)]
    joined = converter.empty(left.height, 2 * left.width, planar)
    for index in range(len(joined.planes)):
        plane_of(joined, index)[...] = np.hstack([plane_of(frame, index) for frame in both])
    return converter.converted(joined, form.name)


def _half(model: Upscaler, height: int, width: int) -> int | None:
    """Return the tile with which a picture that would be run whole is run in two halves; None where that is no use.

    Two models at work on whole pictures hold twice the memory of one, and the border of two halves is little work.
    """
    reach, multiple = model.spec.receptive_field, model.spec.size_multiple
    if reach is None or not WINDOW_PIXELS // 4 < height * width <= WINDOW_PIXELS:
        return None
    short, long = sorted((height, width))
    tile = max(short, -(-long // 2) + reach + multiple)
    return tile if tile > 4 * (reach + multiple) else None


def _shares(threads: int) -> list[int]:
    """Return the threads of each picture at work.

    >>> _shares(1), _shares(2), _shares(5)
    ([1], [1, 1], [3, 2])
    """
    count = min(_AT_ONCE, threads)
    return [threads // count + (index < threads % count) for index in range(count)]
