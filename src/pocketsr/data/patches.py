"""Patches: random aligned crops of pairs, turned and mirrored, as 8-bit batches.

A batch is a pure function of seed and step, so any number of workers gives the same stream and a resumed run goes on
with the very patches it would have seen.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import numpy as np
import numpy.typing as npt

from pocketsr.data.pairs import Pair
from pocketsr.errors import DataError

#: Each is applied with probability one half, to both sides of a pair alike.
Augmentation = Literal["flip", "transpose", "shuffle_colours"]


@dataclasses.dataclass(frozen=True)
class PatchBatch:
    """One batch.

    Attributes:
        low: uint8 ``(N, P, P, 3)`` RGB.
        high: uint8 ``(N, scale·P, scale·P, 3)`` RGB.
    """

    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]


class PatchSampler:
    """Draws batches of patches from pairs.

    Args:
        pairs: Where to draw from; a pair is drawn in proportion to its pixels.
        patch: Side of a patch in low-resolution pixels.
        batch: Patches in a batch.
        seed: Equal seeds give equal streams.
        augmentations: Which symmetries to use: ``flip`` mirrors rows and columns independently, ``transpose`` swaps
            them, ``shuffle_colours`` permutes the channels.

    Raises:
        DataError: No pair is as large as a patch.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        patch: int,
        batch: int,
        seed: int,
        augmentations: Sequence[Augmentation] = ("flip", "transpose"),
    ) -> None:
        self._pairs = [pair for pair in pairs if min(pair.low.shape[:2]) >= patch]
        if not self._pairs:
            raise DataError(
                f"no training image has {patch}×{patch} low-resolution pixels; use a smaller patch or larger images"
            )
        self._scale = self._pairs[0].high.shape[0] // self._pairs[0].low.shape[0]
        self._patch, self._batch, self._seed = patch, batch, seed
        self._augmentations = frozenset(augmentations)
        areas = np.array([pair.low.shape[0] * pair.low.shape[1] for pair in self._pairs], np.float64)
        self._cumulative = np.cumsum(areas) / areas.sum()

    def batch_at(self, step: int) -> PatchBatch:
        """Return the batch of that step; the same one whenever it is asked for."""
        random = np.random.default_rng([self._seed, step])
        size, scale = self._patch, self._scale
        low = np.empty((self._batch, size, size, 3), np.uint8)
        high = np.empty((self._batch, size * scale, size * scale, 3), np.uint8)
        for index in range(self._batch):
            pair = self._pairs[min(int(np.searchsorted(self._cumulative, random.random())), len(self._pairs) - 1)]
            top = int(random.integers(pair.low.shape[0] - size + 1))
            left = int(random.integers(pair.low.shape[1] - size + 1))
            change = self._draw_change(random)
            low[index] = change(pair.low[top : top + size, left : left + size])
            top, left = top * scale, left * scale
            high[index] = change(pair.high[top : top + size * scale, left : left + size * scale])
        return PatchBatch(low, high)

    def _draw_change(self, random: np.random.Generator) -> _Change:
        """Draw one set of symmetries: always the same count of numbers, so that options do not shift the stream."""
        rows, columns, transpose, shuffle = random.random(4) < 0.5
        order = random.permutation(3)
        flips, shuffles = "flip" in self._augmentations, "shuffle_colours" in self._augmentations
        return _Change(
            rows=flips and bool(rows),
            columns=flips and bool(columns),
            transpose="transpose" in self._augmentations and bool(transpose),
            colours=tuple(int(channel) for channel in order) if shuffles and shuffle else (0, 1, 2),
        )


@dataclasses.dataclass(frozen=True)
class _Change:
    rows: bool
    columns: bool
    transpose: bool
    colours: tuple[int, ...]

    def __call__(self, patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if self.rows:
            patch = patch[::-1]
        if self.columns:
            patch = patch[:, ::-1]
        if self.transpose:
            patch = patch.transpose(1, 0, 2)
        return patch if self.colours == (0, 1, 2) else patch[..., list(self.colours)]


def stream_batches(sampler: PatchSampler, start: int, stop: int, *, workers: int = 1) -> Iterator[PatchBatch]:
    """Yield the batches of steps ``start`` to ``stop − 1`` in order, drawn ahead by ``workers`` threads (0: none)."""
    if workers < 1:
        yield from map(sampler.batch_at, range(start, stop))
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[PatchBatch]] = deque()
        try:
            for step in range(start, stop):
                ahead.append(pool.submit(sampler.batch_at, step))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
