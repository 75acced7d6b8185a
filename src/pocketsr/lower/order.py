"""The order in which channels become sub-pixels: torch's pixel shuffles against one depth-to-space."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from pocketsr.graph.base import Array


@dataclasses.dataclass(frozen=True)
class Order:
    """The order that a row of pixel shuffles wants of the channels before it.

    Attributes:
        factors: Factors of the shuffles, first to last; one depth-to-space by their product does the work of all.
        groups: Parts of the channels that go to space each by itself.
    """

    factors: tuple[int, ...]
    groups: int = 1

    @property
    def factor(self) -> int:
        """The enlargement of all shuffles together."""
        return math.prod(self.factors)

    def fits(self, channels: int, groups: int) -> bool:
        """Whether that many channels, made in that many groups, can be ordered within the groups."""
        return channels % (groups * self.factor**2) == 0

    def channels(self, count: int) -> Array:
        """Return for each of ``count`` channels that depth-to-space takes the channel that torch has there.

        >>> Order((2,)).channels(12).tolist()[:6]
        [0, 4, 8, 1, 5, 9]
        """
        size = count // self.groups
        part = self._within(size)
        return np.concatenate([group * size + part for group in range(self.groups)])

    def _within(self, size: int) -> Array:
        place, index = np.divmod(np.arange(size), size // self.factor**2)
        row, column = np.divmod(place, self.factor)
        for factor in reversed(self.factors):  # the last shuffle enlarges what the first made: its place is finest
            index = index * factor**2 + (row % factor) * factor + column % factor
            row, column = row // factor, column // factor
        return index
