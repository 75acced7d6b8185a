"""The seam between images and whatever runs a model file.

A backend opens model files; a session is one opened file, ready for images of any size. Here also, in one place, is how
8-bit pixels become a model's numbers and back. Knows nothing of tiles, image files or particular runtimes.
"""

from __future__ import annotations

import abc
import os
import threading
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.spec import ModelSpec

Pixels: TypeAlias = npt.NDArray[np.uint8]

#: Flips a byte between 0..255 and −128..127: in two's complement, q = value − 128 is the value with its top bit turned.
_SIGN_BIT = np.uint8(0x80)


class Backend(abc.ABC):
    """Opens model files.

    Attributes:
        name: What the user calls it, as in ``--backend litert``.
    """

    name: str

    @abc.abstractmethod
    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file.

        Args:
            path: A ``.tflite`` that pocketsr wrote.
            threads: Processor threads; None takes the cores this process may use.

        Raises:
            ModelFileError: The file is missing, damaged, or not ours.
            SettingError: ``threads`` is below 1.
            MissingExtraError: The runtime is not installed.
        """


class Session(abc.ABC):
    """One opened model file. Calls from several threads wait for each other.

    Attributes:
        spec: What the file says about itself.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()

    def __call__(self, batch: Pixels, *, out: Pixels | None = None) -> Pixels:
        """Upscale one image in one piece.

        Args:
            batch: ``(1, H, W, C)`` with C = ``spec.channels``, H and W multiples of ``spec.size_multiple``.
            out: ``(1, sH, sW, C)`` to write into, any strides; None makes a new array.

        Returns:
            ``(1, sH, sW, C)``: ``out`` where it was given.

        Raises:
            SettingError: The batch or ``out`` has another dtype or shape than that.
        """
        shape = self._output_shape(batch)
        if out is None:
            out = np.empty(shape, np.uint8)
        elif out.shape != shape or out.dtype != np.uint8:
            raise SettingError(f"the output needs to be uint8 {shape}, not {out.dtype} {out.shape}")
        with self._lock:
            self._run(batch, out)
        return out

    @abc.abstractmethod
    def _run(self, batch: Pixels, out: Pixels) -> None:
        """Fill ``out`` from ``batch``; both are checked."""

    def _output_shape(self, batch: Pixels) -> tuple[int, int, int, int]:
        spec = self.spec
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[0] != 1 or batch.shape[3] != spec.channels:
            raise SettingError(
                f"model {spec.name!r} takes uint8 (1, H, W, {spec.channels}), not {batch.dtype} {batch.shape}"
            )
        height, width = batch.shape[1:3]
        if height < 1 or width < 1 or height % spec.size_multiple or width % spec.size_multiple:
            raise SettingError(
                f"model {spec.name!r} takes sides that are multiples of {spec.size_multiple}, not {height}×{width}"
            )
        return 1, height * spec.scale, width * spec.scale, spec.channels


def usable_cores() -> int:
    """Return the processor cores this process may use.

    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def checked_threads(threads: int | None) -> int:
    """Return how many threads to use: what was asked for, or all usable cores.

    Raises:
        SettingError: Fewer than 1.

    >>> checked_threads(3)
    3
    """
    if threads is None:
        return usable_cores()
    if threads < 1:
        raise SettingError(f"threads needs to be 1 or more, not {threads}")
    return threads


def encode(batch: Pixels, spec: ModelSpec, out: npt.NDArray[Any]) -> None:
    """Write 8-bit pixels as the model's input numbers.

    Args:
        batch: uint8 of any shape.
        spec: Says the arithmetic and the value of white.
        out: int8 or float32 of the same shape, filled.

    >>> numbers = np.empty(3, np.int8)
    >>> spec = ModelSpec(name="a", network="a", scale=3, precision="int8", receptive_field=1)
    >>> encode(np.array([0, 128, 255], np.uint8), spec, numbers)
    >>> numbers.tolist()
    [-128, 0, 127]
    """
    if spec.precision == "int8":
        np.bitwise_xor(batch, _SIGN_BIT, out=out.view(np.uint8))
    elif spec.value_range == 255:
        out[...] = batch
    else:
        np.multiply(batch, np.float32(spec.value_range / 255), out=out)


def decode(numbers: npt.NDArray[Any], spec: ModelSpec, out: Pixels) -> None:
    """Write the model's output numbers as 8-bit pixels: rounded half to even in float32, then clipped.

    Args:
        numbers: int8 or float32 of any shape; not changed.
        spec: Says the arithmetic and the value of white.
        out: uint8 of the same shape, filled.

    >>> pixels = np.empty(4, np.uint8)
    >>> spec = ModelSpec(name="a", network="a", scale=3, precision="float32", receptive_field=1)
    >>> decode(np.array([-3, 0.5, 1.5, 300], np.float32), spec, pixels)
    >>> pixels.tolist()
    [0, 0, 2, 255]
    """
    if spec.precision == "int8":
        np.bitwise_xor(numbers.view(np.uint8), _SIGN_BIT, out=out)
        return
    values = np.multiply(numbers, np.float32(255 / spec.value_range))
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    out[...] = values
