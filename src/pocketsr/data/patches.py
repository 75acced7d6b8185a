"""Patches: random aligned crops of pairs, changed as the recipe says, as 8-bit batches.

Each patch of a batch is a pure function of seed, step and its place in the batch. Any number of threads gives the same
stream, a resumed run goes on with the very patches it would have seen, and processes that share a batch draw its parts.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pocketsr.choice import Choice
from pocketsr.data.augment import Augmentation, Patch, make_augmentations
from pocketsr.data.pairs import Pair
from pocketsr.errors import DataError, SettingError
from pocketsr.image.degrade import Pixels, Step, make_degradation

_SYMMETRIES = (Choice(name="flip"), Choice(name="transpose"))


@dataclasses.dataclass(frozen=True)
class PatchBatch:
    """One batch, or one process's part of it.

    Attributes:
        low: uint8 ``(N, P, P, 3)`` RGB.
        high: uint8 ``(N, scale·P, scale·P, 3)`` RGB.
        scale: Factor between them.
        guide: What a teacher made of each ``low``, as ``high``; None where the pairs have none.
    """

    low: Pixels
    high: Pixels
    scale: int
    guide: Pixels | None = None


class PatchSampler:
    """Draws batches of patches from pairs.

    Args:
        pairs: Where to draw from, at one scale or by scale; of several, one is drawn for each batch. A pair is drawn in
            proportion to its pixels.
        patch: Side of a patch in low-resolution pixels.
        batch: Patches in a batch, over all processes.
        seed: Equal seeds give equal streams.
        augmentations: Changes of each patch, in order.
        fixed_crops: Draw that many patches with their changes, and repeat them for ever; 0 draws fresh ones. Of several
            scales each has that many of its own.
        rank: Number of this process among
        world: that many, each of which draws every ``world``-th patch.
        degradation: Make the low side of each patch from its high side by these steps; None takes it from the pair.

    Raises:
        DataError: No pair is as large as a patch.
        SettingError: A size is too small, the batch cannot be shared out evenly, or an augmentation does not fit.
        UnknownNameError: An augmentation or degradation does not exist.
    """

    def __init__(
        self,
        pairs: Sequence[Pair] | Mapping[int, Sequence[Pair]],
        *,
        patch: int,
        batch: int,
        seed: int,
        augmentations: Sequence[Choice] = _SYMMETRIES,
        fixed_crops: int = 0,
        rank: int = 0,
        world: int = 1,
        degradation: Sequence[Choice] | None = None,
    ) -> None:
        if patch < 1 or batch < 1 or fixed_crops < 0:
            raise SettingError(
                f"patch and batch must be 1 or more and fixed_crops 0 or more, not {patch}, {batch} and {fixed_crops}"
            )
        if not 0 <= rank < world:
            raise SettingError(f"rank must be 0 to world − 1, not {rank} of {world} processes")
        if batch % world:
            raise SettingError(f"a batch of {batch} cannot be shared out evenly to {world} processes")
        by_scale = pairs if isinstance(pairs, Mapping) else {_scale_of(pairs): pairs}
        if not by_scale:
            raise DataError("there are no training images")
        self._sources = [_Source(scale, found, patch) for scale, found in sorted(by_scale.items())]
        #: Images that are smaller than a patch and not drawn from, over all scales.
        self.left_out = sum(source.left_out for source in self._sources)
        self._patch, self._batch, self._seed = patch, batch, seed
        self._changes = make_augmentations(augmentations, degrades_patches=degradation is not None)
        self._fixed_crops, self._rank, self._world = fixed_crops, rank, world
        self._degradations: Mapping[int, Step] = (
            {} if degradation is None else {scale: make_degradation(degradation, scale) for scale in by_scale}
        )

    def batch_at(self, step: int) -> PatchBatch:
        """Return this process's part of the batch of that step; the same one whenever it is asked for."""
        source = self._sources[0]
        if len(self._sources) > 1:
            random = np.random.default_rng([self._seed, step, self._batch])  # places end below the batch
            source = self._sources[int(random.integers(len(self._sources)))]
        places = range(self._rank, self._batch, self._world)
        size = self._patch
        low = np.empty((len(places), size, size, 3), np.uint8)
        high = np.empty((len(places), size * source.scale, size * source.scale, 3), np.uint8)
        guide = np.empty_like(high) if source.is_guided else None
        for index, place in enumerate(places):
            patch = self._draw(source, step, place)
            assert patch.low is not None
            _copy(patch.low, low[index])
            _copy(patch.high, high[index])
            if guide is not None and patch.guide is not None:
                _copy(patch.guide, guide[index])
        return PatchBatch(low, high, source.scale, guide)

    def _draw(self, source: _Source, step: int, place: int) -> Patch:
        """Draw the patch at one place of a batch."""
        if self._fixed_crops:
            random = np.random.default_rng([self._seed, (step * self._batch + place) % self._fixed_crops])
        else:
            random = np.random.default_rng([self._seed, step, place])
        degrade = self._degradations.get(source.scale)

        def crop() -> Patch:
            return source.crop(random, with_low=degrade is None)

        patch = _changed(crop(), self._changes, random, crop)
        return patch if degrade is None else dataclasses.replace(patch, low=degrade(patch.high, random))


class _Source:
    """Pairs of one scale, and how to crop them."""

    def __init__(self, scale: int, pairs: Sequence[Pair], patch: int) -> None:
        self.scale, self._patch = scale, patch
        self._pairs = [pair for pair in pairs if min(pair.low.shape[:2]) >= patch]
        self.left_out = len(pairs) - len(self._pairs)
        self.is_guided = all(pair.guide is not None for pair in self._pairs)
        if not pairs:
            raise DataError(f"there are no training images at ×{scale}")
        if not self._pairs:
            sides = max((pair.low.shape[:2] for pair in pairs), key=min)
            raise DataError(
                f"no training image has {patch}×{patch} low-resolution pixels at ×{scale}; the largest of {len(pairs)} "
                f"has {sides[0]}×{sides[1]}: use a smaller patch or larger images"
            )
        areas = np.array([pair.low.shape[0] * pair.low.shape[1] for pair in self._pairs], np.float64)
        self._cumulative = np.cumsum(areas) / areas.sum()

    def crop(self, random: np.random.Generator, *, with_low: bool) -> Patch:
        """Cut a random patch, as views of the images."""
        size, scale = self._patch, self.scale
        pair = self._pairs[min(int(np.searchsorted(self._cumulative, random.random())), len(self._pairs) - 1)]
        top = int(random.integers(pair.low.shape[0] - size + 1))
        left = int(random.integers(pair.low.shape[1] - size + 1))
        low = pair.low[top : top + size, left : left + size] if with_low else None
        rows, columns = (slice(start * scale, (start + size) * scale) for start in (top, left))
        guide = None if pair.guide is None else pair.guide[rows, columns]
        return Patch(low, pair.high[rows, columns], scale, guide)


def _changed(
    patch: Patch, changes: Sequence[Augmentation], random: np.random.Generator, crop: Callable[[], Patch]
) -> Patch:
    """Change a patch; one that it is blended with goes through the changes before."""
    for index, change in enumerate(changes):
        patch = change(patch, random, lambda index=index: _changed(crop(), changes[:index], random, crop))  # type: ignore[misc]
    return patch


def _copy(pixels: Pixels, into: Pixels) -> None:
    """Copy a view, mirrored and turned as it may be."""
    if pixels.strides[1:] == into.strides[1:]:
        into[...] = pixels
        return
    for colour in range(3):  # runs of three bytes each would take several times longer
        into[..., colour] = pixels[..., colour]


def _scale_of(pairs: Sequence[Pair]) -> int:
    if not pairs:
        raise DataError("there are no training images")
    return int(pairs[0].high.shape[0] // pairs[0].low.shape[0])


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
