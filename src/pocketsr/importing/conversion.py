"""One checkpoint on its way to our names: what was taken, what was left."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
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
        ignored: Keys that are left out on purpose, ``*`` standing for anything.
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
        origins: The checkpoint's name of those that were moved, by our names.
    """

    def __init__(self, tensors: Mapping[str, Tensor], scale: int | None) -> None:
        self._tensors, self._left = tensors, set(tensors)
        self.scale = scale
        self.result: dict[str, Tensor] = {}
        self.origins: dict[str, str] = {}

    def has(self, key: str) -> bool:
        """Whether the checkpoint has a key."""
        return key in self._tensors

    def count(self, pattern: str, *, start: int = 0) -> int:
        """Return how many of ``pattern`` with ``start``, ``start`` + 1 ... for ``{}`` the checkpoint has."""
        number = 0
        while pattern.format(start + number) in self._tensors:
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
        """Return a tensor and count it as used.

        Raises:
            CheckpointError: It is not there, is empty, or does not hold finite real numbers, one by one: a quantised
                tensor has the name and shape of the float one, and other values.
        """
        tensor = self.peek(key)
        if tensor.layout != torch.strided or not tensor.is_floating_point():
            kind = str(tensor.dtype if tensor.layout == torch.strided else tensor.layout).removeprefix("torch.")
            raise CheckpointError(f"{key!r} holds {kind}; weights of floating point are needed: import the float model")
        if not tensor.numel():
            raise CheckpointError(f"{key!r} is empty")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{key!r} holds values that are no numbers (infinite or NaN): its training failed")
        self._left.discard(key)
        return tensor

    def move(self, theirs: str, ours: str, order: Tensor | None = None) -> None:
        """Move ``theirs.weight`` and ``theirs.bias`` (if there is one) to our name, with output channels reordered."""
        for part in ("weight", "bias"):
            key = f"{theirs}.{part}"
            if part == "weight" or self.has(key):
                tensor = self.take(key)
                if order is not None and len(tensor) != len(order):
                    raise CheckpointError(f"{key!r} has {len(tensor)} channels, {len(order)} are needed")
                self.result[f"{ours}.{part}"] = tensor if order is None else tensor[order]
                self.origins[f"{ours}.{part}"] = key

    def move_tensor(self, theirs: str, ours: str) -> None:
        """Move one tensor."""
        self.result[ours] = self.take(theirs)
        self.origins[ours] = theirs

    def check_frozen(self, key: str, expected: Tensor, what: str) -> None:
        """Take a tensor that our network has as constants, and make sure that it is those. It may be absent.

        Raises:
            CheckpointError: It holds other numbers: the network would compute something else than its authors'.
        """
        if not self.has(key):
            return
        tensor = self.take(key).float()
        if tensor.shape != expected.shape or not torch.allclose(tensor, expected, rtol=1e-4, atol=1e-6):
            raise CheckpointError(f"{key!r} is not {what}, which is fixed in the network it would become")

    def left(self, ignored: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """Return the keys that nobody took: those ignored on purpose, and the others."""
        patterns = (*ignored, "*num_batches_tracked")
        out = sorted(key for key in self._left if any(fnmatch.fnmatchcase(key, each) for each in patterns))
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
