"""The operators of model files that only put numbers elsewhere, one class each: nothing is computed, bytes are copied.

Knows nothing of files, torch, or how to run; ``base`` says what an operator and a graph are.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, TypeAlias

from pocketsr.graph.base import Op, Size

Mirror: TypeAlias = Literal["symmetric", "reflect"]


@dataclasses.dataclass(frozen=True, eq=False)
class Concat(Op):
    """Inputs side by side on the channel axis. Integers all share one quantisation: bytes are copied."""

    takes_16_bits: ClassVar[bool] = True

    def check(self) -> None:
        """Channel counts add up, quantisations agree."""
        self._require(len(self.inputs) > 0, "at least one input is needed")
        self._require(sum(value.channels for value in self.inputs) == self.output.channels, "channels do not add up")
        self._require(len({value.quantisation for value in (*self.inputs, self.output)}) == 1, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class Slice(Op):
    """Some channels: as many as the output has, from channel ``start`` on."""

    start: int
    takes_16_bits: ClassVar[bool] = True

    def check(self) -> None:
        """Channels are there, quantisations agree."""
        self._require_one_input()
        end, there = self.start + self.output.channels, self.inputs[0].channels
        self._require(0 <= self.start < end <= there, f"channels {self.start} to {end} of {there} were asked for")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class DepthToSpace(Op):
    """Channels become sub-pixels: channel (dy · block + dx) · C + c goes to row dy, column dx, colour c."""

    block: int

    def output_size(self, size: Size) -> Size:
        """Return both sides ``block`` times longer."""
        return size[0] * self.block, size[1] * self.block

    def check(self) -> None:
        """Channel counts fit the block, quantisations agree."""
        self._require_one_input()
        self._require(self.block >= 1, f"a block of {self.block} is not one")
        self._require(self.inputs[0].channels == self.output.channels * self.block**2, "channels do not fit the block")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class SpaceToDepth(Op):
    """Pixels become channels: row dy, column dx, colour c of a block goes to channel (dy · block + dx) · C + c."""

    block: int

    def output_size(self, size: Size) -> Size:
        """Return both sides ``block`` times shorter."""
        fits = size[0] % self.block == 0 and size[1] % self.block == 0
        self._require(fits, f"an image of {size[0]}×{size[1]} is no whole number of {self.block}×{self.block} blocks")
        return size[0] // self.block, size[1] // self.block

    def check(self) -> None:
        """Channel counts fit the block, quantisations agree."""
        self._require_one_input()
        self._require(self.block >= 1, f"a block of {self.block} is not one")
        self._require(self.inputs[0].channels * self.block**2 == self.output.channels, "channels do not fit the block")
        self._require(self.inputs[0].quantisation == self.output.quantisation, "quantisations differ")


@dataclasses.dataclass(frozen=True, eq=False)
class MirrorPad(Op):
    """The image continued by its mirror image on all four sides.

    Attributes:
        amount: Rows and columns added on each side; the image must have as many (``reflect``: one more).
        mirror: ``symmetric`` repeats the border pixel (MATLAB's imresize), ``reflect`` does not (torch's reflect).
    """

    amount: int
    mirror: Mirror

    def output_size(self, size: Size) -> Size:
        """Return both sides longer by twice the amount."""
        needed = self.amount + (self.mirror == "reflect")
        self._require(min(size) >= needed, f"an image of {size[0]}×{size[1]} is too small; {needed} pixels are needed")
        return size[0] + 2 * self.amount, size[1] + 2 * self.amount

    def check(self) -> None:
        """Same channels and quantisation on both sides."""
        self._require_same_kind()
        self._require(self.amount >= 1, f"padding by {self.amount} is none")
