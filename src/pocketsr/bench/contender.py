"""A contender: one model on one backend, ready to be timed, in this process or in one of its own.

A process each keeps the thread pools of runtimes apart, and its memory is the contender's alone. Both speak the same
few words, so that whoever measures does not know which it has.

    measure ──> ProcessContender ── a line of JSON each way ──> worker ──> LocalContender ──> Upscaler, or a peer
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr import errors
from pocketsr.bench.bare import bare
from pocketsr.bench.latency import timed
from pocketsr.bench.peers import KERNELS, PROGRAMS, open_peer
from pocketsr.bench.record import Correctness, MeasuredModel
from pocketsr.bench.sizes import Size
from pocketsr.errors import ModelFileError, PocketsrError
from pocketsr.graph.tflite import read_model, read_spec
from pocketsr.runtime import Upscaler, model_path
from pocketsr.runtime.pixels import Pixels
from pocketsr.spec import ModelSpec
from pocketsr.weights import entries

#: Input on which pixels are compared with the reference backend, which is slow: about these sides.
_COMPARED: Size = (32, 48)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What a contender is.

    Attributes:
        model: Name in the catalogue or path; of a peer, as ``open_peer`` takes it.
        backend: Name of a backend, or of a peer's program.
        threads: Processor threads.
        scale: Factor of a peer that has none of its own.
        is_bare: Time the runtime alone, without turning pixels into its numbers and back.
    """

    model: str
    backend: str
    threads: int
    scale: int = 3
    is_bare: bool = False

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"{self.model} on {self.runner}, {self.threads} threads"

    @property
    def runner(self) -> str:
        """What it runs on, in tables."""
        return f"{self.backend}, bare" if self.is_bare else self.backend

    @property
    def is_peer(self) -> bool:
        """Whether it is run by a program of others."""
        return self.backend in PROGRAMS


class Contender(abc.ABC):
    """One model on one backend.

    Attributes:
        asked: What it is.
    """

    asked: Asked

    @abc.abstractmethod
    def load(self) -> tuple[float, ModelSpec]:
        """Open the file; return milliseconds and its description."""

    @abc.abstractmethod
    def prepare(self, size: Size, warm_up: int) -> float:
        """Take an input size and warm up; return milliseconds of its first frame."""

    @abc.abstractmethod
    def run(self, count: int) -> list[float]:
        """Run frames of the prepared size; return milliseconds of each."""

    @abc.abstractmethod
    def compare(self) -> Correctness | None:
        """Compare pixels with the reference backend on a small image; None where that cannot run the file."""

    @abc.abstractmethod
    def peak_memory_mb(self) -> float | None:
        """Return the most resident memory so far of the process it runs in, 10⁶ bytes."""

    @abc.abstractmethod
    def close(self) -> None:
        """End what belongs to it; it is not used after that."""


class LocalContender(Contender):
    """Runs in this process."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._upscale: Callable[[Pixels], Pixels] | None = None
        self._spec: ModelSpec | None = None
        self._frame: Pixels = np.zeros((1, 1), np.uint8)
        self._bare: Callable[[], object] | None = None

    def load(self) -> tuple[float, ModelSpec]:
        """Open the file; the runtime's import is part of the time."""
        asked, began = self.asked, time.perf_counter()
        if asked.is_peer:
            self._upscale, self._spec = open_peer(asked.backend, asked.model, asked.scale, asked.threads)
        else:
            upscaler = Upscaler(asked.model, backend=asked.backend, threads=asked.threads)
            self._upscale, self._spec = upscaler, upscaler.spec
        return 1000 * (time.perf_counter() - began), self._spec

    def prepare(self, size: Size, warm_up: int) -> float:
        """Make a frame of noise and run it once, then ``warm_up`` times."""
        if self.asked.is_bare:
            graph, _ = read_model(model_path(self.asked.model))
            self._bare = bare(graph, size, backend=self.asked.backend, threads=self.asked.threads)
        self._frame = noise(size, self._opened.channels)
        first = self.run(1)[0]
        self.run(warm_up)
        return first

    def run(self, count: int) -> list[float]:
        """Time whole calls: uint8 array in, uint8 array out; or the runtime alone."""
        upscale = self._upscale
        assert upscale is not None, "load comes first"
        return timed(self._bare or (lambda: upscale(self._frame)), count)

    def compare(self) -> Correctness | None:
        """Run one small image here and by the reference backend."""
        spec, upscale = self._opened, self._upscale
        assert upscale is not None, "load comes first"
        if self.asked.is_peer or self.asked.is_bare:
            return None
        twin = _twin(self.asked.model, spec)
        if twin is None:
            return None
        height, width = (max(1, side // spec.size_multiple) * spec.size_multiple for side in _COMPARED)
        image = noise((height, width), spec.channels)
        image[: height // 2] = np.linspace(0, 255, width).astype(np.uint8).reshape(-1, *[1] * (image.ndim - 2))
        try:
            expected = Upscaler(twin, backend="reference")(image)
        except ModelFileError:
            return None
        distance = np.abs(upscale(image).astype(np.int16) - expected)
        return Correctness(
            height=height,
            width=width,
            is_identical=not distance.any(),
            largest_levels=int(distance.max()),
            different=float((distance > 0).mean()),
        )

    def peak_memory_mb(self) -> float | None:
        """Ask the system; None on systems that do not keep account."""
        try:
            import resource
        except ImportError:  # Windows
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)

    def close(self) -> None:
        """Let the model go."""
        self._upscale = self._bare = None

    @property
    def _opened(self) -> ModelSpec:
        assert self._spec is not None, "load comes first"
        return self._spec


class ProcessContender(Contender):
    """Runs in a process of its own, which ends with it.

    Args:
        asked: What it is.
        worker: Module that serves it there.
    """

    def __init__(self, asked: Asked, *, worker: str = "pocketsr.bench.worker") -> None:
        self.asked = asked
        # Python's own places first: the process must find the pocketsr that asks it, wherever that was imported from.
        places = [place for place in sys.path if place]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill up
        self._process = subprocess.Popen(
            [sys.executable, "-m", worker, json.dumps(dataclasses.asdict(asked))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        )

    def load(self) -> tuple[float, ModelSpec]:
        """Open the file there."""
        answer = self._ask("load")
        return answer["ms"], ModelSpec.from_json(answer["spec"])

    def prepare(self, size: Size, warm_up: int) -> float:
        """Take a size there."""
        first: float = self._ask("prepare", size=size, warm_up=warm_up)["ms"]
        return first

    def run(self, count: int) -> list[float]:
        """Run frames there; only the work is timed, not the way."""
        times: list[float] = self._ask("run", count=count)["ms"]
        return times

    def compare(self) -> Correctness | None:
        """Compare there, after the memory was asked for: the reference backend needs some, too."""
        found = self._ask("compare")["correctness"]
        return None if found is None else Correctness(**found)

    def peak_memory_mb(self) -> float | None:
        """Ask that process."""
        peak: float | None = self._ask("memory")["mb"]
        return peak

    def close(self) -> None:
        """Let the process end by itself, and end it where it does not."""
        if self._process.poll() is None:
            try:
                self._process.communicate(timeout=10)  # closes its input, at which it ends
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()

    def _ask(self, word: str, **arguments: Any) -> dict[str, Any]:
        source, made = self._process.stdin, self._process.stdout
        assert source is not None
        assert made is not None
        line = ""
        try:
            source.write(json.dumps({"word": word, **arguments}) + "\n")
            source.flush()
            line = made.readline()
        except (OSError, ValueError):
            pass  # it ended: what it said last is below
        if not line:
            self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")
            last = said.strip().splitlines()[-1:] or [f"exit code {self._process.returncode}"]
            raise ModelFileError(f"the process of {self.asked.label} ended without an answer: {last[0]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = getattr(errors, answer["kind"], PocketsrError)
            raise kind(answer["error"])
        return answer


def noise(size: Size, channels: int) -> Pixels:
    """Return an image of noise, ``(H, W, 3)`` or, of one channel, ``(H, W)``: the same one each time."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _twin(model: str, spec: ModelSpec) -> str | Path | None:
    """Return the ``.tflite`` that a model is, or that an ``.onnx`` was written from: beside it, or in the catalogue."""
    path = model_path(model)
    if path.suffix == ".tflite":
        return model
    candidates = [path.with_suffix(".tflite"), *(entry.path for entry in entries() if entry.name == spec.name)]
    for candidate in candidates:
        if candidate.is_file() and read_spec(candidate) == spec:
            return candidate
    return None


def described(asked: Asked, spec: ModelSpec) -> MeasuredModel:
    """Return what a record says of a contender's model."""
    is_file = asked.is_peer or asked.backend.startswith("torch")
    path = Path(asked.model) if is_file else model_path(asked.model)
    is_kernel = asked.is_peer and asked.model in KERNELS
    return MeasuredModel(
        name=asked.model,
        network=spec.network,
        scale=spec.scale,
        precision=spec.precision,
        sha256="" if is_kernel else hashlib.sha256(path.read_bytes()).hexdigest(),
        data=spec.data,
    )
