"""The seam between images and whatever runs a model file.

A backend opens model files; a session is one opened file, ready for images of any size. Knows nothing of tiles, image
files or particular runtimes.
"""

from __future__ import annotations

import abc
import os
import threading
from pathlib import Path

import numpy as np

from pocketsr.errors import SettingError
from pocketsr.runtime.pixels import Levels, Pixels, Samples
from pocketsr.spec import ModelSpec

#: More than any machine has use for. Runtimes below Python crash where the system refuses them a thread.
MOST_THREADS = 1024


class Backend(abc.ABC):
    """Opens model files.

    Attributes:
        name: What the user calls it, as in ``--backend litert``.
        suffix: How the names of the files it runs end.
        is_exact: Whether int8 results are the reference backend's, byte for byte.
        device: ``cpu``, or ``cuda`` for an NVIDIA GPU.
    """

    name: str
    suffix: str = ".tflite"
    is_exact: bool = False
    device: str = "cpu"

    @abc.abstractmethod
    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file.

        Args:
            path: A model file (``suffix``) that pocketsr wrote, or one of someone else whose operators it knows.
            threads: Processor threads; None takes the cores this process may use.

        Raises:
            ModelFileError: The file is missing or damaged, or has an operator that pocketsr does not know.
            SettingError: ``threads`` is below 1.
            MissingExtraError: The runtime is not installed.
        """


class Session(abc.ABC):
    """One opened model file. Calls from several threads wait for each other.

    Attributes:
        spec: What the file says about itself.
        bytes_per_pixel: Memory for each pixel of an image in one piece, of the input: an estimate from above.
    """

    #: What is taken where nothing better is known; networks of a phone need 600 to 1,000.
    bytes_per_pixel: float = 4096

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()

    @property
    def takes_levels(self) -> bool:
        """Whether it takes pixels that were not rounded, and gives such back."""
        return self.spec.precision == "float32"

    def __call__(self, batch: Samples, *, out: Samples | None = None) -> Samples:
        """Upscale one image in one piece.

        Args:
            batch: ``(1, H, W, C)`` with C = ``spec.channels``, H and W multiples of ``spec.size_multiple``; uint8, or
                float32 levels of 0..255 where ``takes_levels``.
            out: ``(1, sH, sW, C)`` to write into, any strides; None makes a new array.

        Returns:
            ``(1, sH, sW, C)`` of the same type: ``out`` where it was given.

        Raises:
            SettingError: The batch or ``out`` has another dtype or shape than that.
        """
        shape = self._output_shape(batch)
        if out is None:
            out = np.empty_like(batch, order="C", subok=False, shape=shape)
        elif out.shape != shape or out.dtype != batch.dtype:
            raise SettingError(f"the output needs to be {batch.dtype} {shape}, not {out.dtype} {out.shape}")
        with self._lock:
            self._run(batch, out)
        return out

    @abc.abstractmethod
    def _run(self, batch: Pixels | Levels, out: Pixels | Levels) -> None:
        """Fill ``out`` from ``batch``; both are checked, and of one type."""

    def _output_shape(self, batch: Pixels | Levels) -> tuple[int, int, int, int]:
        spec = self.spec
        is_known = batch.dtype == np.uint8 or (batch.dtype == np.float32 and self.takes_levels)
        if not is_known or batch.ndim != 4 or batch.shape[0] != 1 or batch.shape[3] != spec.channels:
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
        SettingError: Fewer than 1, or more than ``MOST_THREADS``.

    >>> checked_threads(3)
    3
    """
    if threads is None:
        return usable_cores()
    if not 1 <= threads <= MOST_THREADS:
        raise SettingError(f"threads needs to be from 1 to {MOST_THREADS}, not {threads}")
    return threads
