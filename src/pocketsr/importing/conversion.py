"""One checkpoint on its way to our names: what was taken, what was left."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pocketsr.errors import CheckpointError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A public source of checkpoints.

    Attributes:
        name: What the user calls it.
        repository: Where its code is (owner/name), as far as it is public.
        network: The network of ours it becomes, as the list of networks calls it.
        matches: Whether a checkpoint is of this source, from its keys.
        convert: Moves its tensors to our names and returns the network's options.
        ignored: Beginnings of keys that are left out on purpose.
        note: What a user should know about the result.
    """

    name: str
    repository: str
    network: str
    matches: Callable[[Mapping[str, Tensor]], bool]
    convert: Callable[[Conversion], dict[str, Any]]
    ignored: tuple[str, ...] = ()
    note: str = ""


class Conversion:
    """Tensors of a checkpoint, moved one by one to our names.

    Attributes:
        scale: What the user said, None for nothing.
        result: Tensors by our names so far.
    """

    def __init__(self, tensors: Mapping[str, Tensor], scale: int | None) -> None:
        self._tensors, self._left = tensors, set(tensors)
        self.scale = scale
        self.result: dict[str, Tensor] = {}

    def has(self, key: str) -> bool:
        """Whether the checkpoint has a key."""
        return key in self._tensors

    def count(self, pattern: str) -> int:
        """Return how many of ``pattern`` with 0, 1, 2 ... for ``{}`` the checkpoint has."""
        number = 0
        while pattern.format(number) in self._tensors:
            number += 1
        return number

    def peek(self, key: str) -> Tensor:
        """Return a tensor.

        Raises:
            CheckpointError: It is not there.
        """
        if key not in self._tensors:
            raise CheckpointError(f"the checkpoint lacks {key!r}")
        return self._tensors[key]

    def take(self, key: str) -> Tensor:
        """Return a tensor and count it as used."""
        tensor = self.peek(key)
        self._left.discard(key)
        return tensor

    def move(self, theirs: str, ours: str, order: Tensor | None = None) -> None:
        """Move ``theirs.weight`` and ``theirs.bias`` (if there is one) to our name, with output channels reordered."""
        for part in ("weight", "bias"):
            key = f"{theirs}.{part}"
            if part == "weight" or self.has(key):
                tensor = self.take(key)
                self.result[f"{ours}.{part}"] = tensor if order is None else tensor[order]

    def move_tensor(self, theirs: str, ours: str) -> None:
        """Move one tensor."""
        self.result[ours] = self.take(theirs)

    def left(self, ignored: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """Return the keys that nobody took: those ignored on purpose, and the others."""
        out = sorted(key for key in self._left if key.startswith(ignored) or key.endswith("num_batches_tracked"))
        return out, sorted(self._left - set(out))

    def scale_from(self, subpixels: int, channels: int = 3) -> int:
        """Return the scale whose square times the image's channels is the width of the last layer."""
        scale = math.isqrt(subpixels // channels)
        if channels * scale**2 != subpixels:
            raise CheckpointError(f"a last layer of {subpixels} channels fits no scale")
        return scale

    def scale_told(self, network: str) -> int:
        """Return the scale that the user gave, for networks whose weights do not tell.

        Raises:
            CheckpointError: None was given.
        """
        if self.scale is None:
            raise CheckpointError(f"the weights of {network} do not tell their scale: add --scale 2, 3 or 4")
        return self.scale
