"""The LiteRT backend: TensorFlow Lite's runtime with XNNPACK, the fast path on processors.

An input size costs an allocation of 30-90 ms for frames of a few hundred kilopixels, so the last few sizes are kept.
Pixels go straight into and out of the runtime's own buffers. Knows nothing of tiles or image files.

    file ──> graph, checked ──> the same graph as bytes of ours ──> runtime

The runtime trusts its model file and ends the process on a bad one, so it is never given a stranger's bytes: a file is
read here, and what was understood is written again. For a file that pocketsr wrote these are the same bytes but for
the size that is preset, and reading and writing take 5 ms for a network of ten layers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.graph.base import Value
from pocketsr.image.chatter import without_chatter
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.pixels import Levels, PixelForm, Pixels
from pocketsr.spec import ModelSpec

#: Input sizes kept ready. Each holds about 600 bytes for every low-resolution pixel; a landscape and a portrait
#: format are what a folder of photographs needs.
KEPT_SIZES = 2
#: Bytes that the runtime takes for an input pixel: some whatever the network, and this many times what the values need
#: that are live at once. Measured for ABPN, SCSRN, SPAN and IMDN in int8 and float32, from 575 (taken as 790) to 10,430
#: (taken as 11,250).
_BYTES, _TIMES_LIVE = 600, 3.2


class LiteRTBackend(Backend):
    """Runs model files with LiteRT and XNNPACK."""

    name = "litert"
    is_exact = True

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file; the runtime itself is imported here.

        Raises:
            ModelFileError: The file is missing, damaged, or not what its description says, or is not ours and has an
                operator that pocketsr does not know.
            SettingError: ``threads`` is below 1.
            MissingExtraError: ai-edge-litert is not installed.
        """
        count = checked_threads(threads)
        try:
            from ai_edge_litert.interpreter import Interpreter

            from pocketsr.graph.tflite import model_bytes, read_model, size_to_write
        except ImportError as error:
            raise MissingExtraError("this needs the package 'ai-edge-litert': pip install ai-edge-litert") from error
        graph, spec = read_model(path)
        side = size_to_write(spec)
        content = model_bytes(graph, spec, (side, side))
        try:
            Interpreter(model_content=content, num_threads=count)
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"LiteRT does not take {path}: {_first_line(error)}") from error
        session = LiteRTSession(spec, path, content, count, (_form(graph.input, spec), _form(graph.output, spec)))
        session.bytes_per_pixel = _BYTES + _TIMES_LIVE * graph.live_bytes_per_pixel()
        return session


class _Ready(NamedTuple):
    """An interpreter of one size and its ends, which it describes anew whenever it is asked: once is enough."""

    interpreter: Any
    source: Callable[[], npt.NDArray[Any]]
    made: Callable[[], npt.NDArray[Any]]


class LiteRTSession(Session):
    """One model file in memory and an interpreter for each of the last few input sizes."""

    def __init__(
        self, spec: ModelSpec, path: Path, content: bytes, threads: int, forms: tuple[PixelForm, PixelForm]
    ) -> None:
        super().__init__(spec)
        self._path, self._content, self._threads = path, content, threads
        self._input, self._output = forms
        self._interpreters: OrderedDict[tuple[int, int], _Ready] = OrderedDict()

    def _run(self, batch: Pixels | Levels, out: Pixels | Levels) -> None:
        height, width = batch.shape[1:3]
        try:
            ready = self._interpreter(height, width)
            # Views into the runtime's memory must be gone before invoke, so each lives for one statement.
            self._input.encode(batch, ready.source())
            ready.interpreter.invoke()
            self._output.decode(ready.made(), out)
        except (ValueError, RuntimeError) as error:
            self._interpreters.pop((height, width), None)
            raise ModelFileError(
                f"LiteRT cannot run {self._path} on {height}×{width} pixels: {_first_line(error)}"
            ) from error

    def _interpreter(self, height: int, width: int) -> _Ready:
        from ai_edge_litert.interpreter import Interpreter

        size = height, width
        if size in self._interpreters:
            self._interpreters.move_to_end(size)
            return self._interpreters[size]
        while len(self._interpreters) >= KEPT_SIZES:  # before the new one, so that no more than that are ever held
            self._interpreters.popitem(last=False)
        interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, (1, height, width, self.spec.channels))
        with without_chatter():
            interpreter.allocate_tensors()
        made = interpreter.get_output_details()[0]["index"]
        self._interpreters[size] = _Ready(interpreter, interpreter.tensor(index), interpreter.tensor(made))
        return self._interpreters[size]


def _form(value: Value, spec: ModelSpec) -> PixelForm:
    if value.quantisation is None:
        return PixelForm("float32", spec.value_range)
    return PixelForm("int8", spec.value_range, value.quantisation.scale, value.quantisation.zero_point)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
