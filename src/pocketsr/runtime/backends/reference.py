"""The reference backend: the exact numpy executor behind the seam.

Slow, and right by definition: other backends are compared with it. Use it as a fake in tests of your own programs; it
starts no threads and needs no runtime.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pocketsr.graph.base import Graph, Value
from pocketsr.graph.reference import execute
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.pixels import Levels, PixelForm, Pixels
from pocketsr.spec import ModelSpec


class ReferenceBackend(Backend):
    """Runs model files with numpy, one operator after another."""

    name = "reference"
    is_exact = True

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file; ``threads`` is checked and otherwise left to numpy.

        Raises:
            ModelFileError: The file is missing or damaged, or has an operator we do not know.
            SettingError: ``threads`` is below 1.
        """
        # The reader of model files needs the schema from ai-edge-litert, which takes a tenth of a second to import.
        from pocketsr.graph.tflite import read_model

        checked_threads(threads)
        return ReferenceSession(*read_model(path))


class ReferenceSession(Session):
    """A graph in memory; make one directly to run a graph that was never written to a file."""

    def __init__(self, graph: Graph, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._graph = graph

    def _run(self, batch: Pixels | Levels, out: Pixels | Levels) -> None:
        numbers = np.empty(batch.shape, np.int8 if self._graph.is_integer else np.float32)
        self._form(self._graph.input).encode(batch, numbers)
        with np.errstate(over="ignore", invalid="ignore"):  # as other runtimes do, and no network's business
            made = execute(self._graph, numbers)
        self._form(self._graph.output).decode(made, out)

    def _form(self, value: Value) -> PixelForm:
        if value.quantisation is None:
            return PixelForm("float32", self.spec.value_range)
        return PixelForm("int8", self.spec.value_range, value.quantisation.scale, value.quantisation.zero_point)
