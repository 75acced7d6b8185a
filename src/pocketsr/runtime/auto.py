"""Which backend runs a file when nobody says: exactness first, speed where it is asked for.

    .onnx   ── auto ──────────────────────> onnxruntime, on the processor
            └─ fast ── a trial of both ───> onnxruntime-cuda where there is an NVIDIA GPU and it is clearly quicker
    .tflite ── auto ──────────────────────> litert, the same bytes on every machine
            └─ fast ── a trial of both ───> openvino where it is installed and clearly quicker, else litert

Knows backends only by the seam; the list in ``backends`` says which they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.runtime.backend import Backend, Session

#: Height and width of the frame of a trial, about; large enough that convolutions and not calls are timed.
_TRIAL = (180, 320)
#: Frames timed of each, in turn, after one that is not; the quickest counts, because disturbance only adds.
_TURNS = 3
#: Another backend is taken where it needs less than this part of the exact one's time: less is not worth a changed bit.
_WORTH = 0.9


class AutoBackend(Backend):
    """Chooses among others by the file, and by a trial where speed comes first.

    Args:
        name: What the user calls it.
        onnx: Runs ``.onnx`` files.
        exact: Runs all other files.
        quicker: Tried beside ``exact``; empty to stay with that.
        quicker_onnx: Tried beside ``onnx``; empty to stay with that.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        onnx: Backend,
        exact: Backend,
        quicker: Sequence[Backend] = (),
        quicker_onnx: Sequence[Backend] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = name
        self._onnx, self._exact, self._clock = onnx, exact, clock
        self._quicker, self._quicker_onnx = tuple(quicker), tuple(quicker_onnx)

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file with the backend that suits it; a trial takes about half a second.

        Raises:
            ModelFileError: The file is missing, damaged or of an unknown kind.
            SettingError: ``threads`` is below 1.
            MissingExtraError: A file needs a runtime that is not installed.
        """
        is_onnx = path.suffix == ".onnx"
        first, others = (self._onnx, self._quicker_onnx) if is_onnx else (self._exact, self._quicker)
        sessions = [first.load(path, threads=threads)]
        for backend in others:
            try:
                sessions.append(backend.load(path, threads=threads))
            except (MissingExtraError, ModelFileError):
                continue  # not installed, or it lacks an operator or a device: the first runs every file
        return self._quickest(sessions) if len(sessions) > 1 else sessions[0]

    def _quickest(self, sessions: Sequence[Session]) -> Session:
        spec = sessions[0].spec
        sides = [max(1, side // spec.size_multiple) * spec.size_multiple for side in _TRIAL]
        frame = np.random.default_rng(0).integers(0, 256, (1, *sides, spec.channels), dtype=np.uint8)
        best = [float("inf")] * len(sessions)
        for turn in range(_TURNS + 1):
            for index, session in enumerate(sessions):
                began = self._clock()
                try:
                    session(frame)
                except ModelFileError:
                    if index == 0:
                        raise
                    continue  # it reads the file and cannot run it
                if turn:
                    best[index] = min(best[index], self._clock() - began)
        chosen = min(range(1, len(sessions)), key=best.__getitem__)
        return sessions[chosen] if best[chosen] < _WORTH * best[0] else sessions[0]
