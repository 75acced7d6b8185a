"""The LiteRT backend: TensorFlow Lite's runtime with XNNPACK, the fast path on processors.

An input size costs an allocation of 30-90 ms for frames of a few hundred kilopixels, so the last few sizes are kept.
Pixels go straight into and out of the runtime's own buffers. Knows nothing of tiles or image files.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.pixels import PixelForm, Pixels
from pocketsr.spec import ModelSpec

#: Input sizes kept ready. Each holds about 600 bytes for every low-resolution pixel; a landscape and a portrait
#: format are what a folder of photographs needs.
KEPT_SIZES = 2


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

            from pocketsr.graph.tflite import read_spec
        except ImportError as error:
            raise MissingExtraError("this needs the package 'ai-edge-litert': pip install ai-edge-litert") from error
        spec = read_spec(path)
        content = path.read_bytes()
        try:
            forms = _forms_of_ends(Interpreter(model_content=content, num_threads=count), spec, path)
        except (ValueError, RuntimeError) as error:  # names that are no UTF-8 are a ValueError, too
            raise ModelFileError(f"{path} is damaged: {_first_line(error)}") from error
        return LiteRTSession(spec, path, content, count, forms)


class LiteRTSession(Session):
    """One model file in memory and an interpreter for each of the last few input sizes."""

    def __init__(
        self, spec: ModelSpec, path: Path, content: bytes, threads: int, forms: tuple[PixelForm, PixelForm]
    ) -> None:
        super().__init__(spec)
        self._path, self._content, self._threads = path, content, threads
        self._input, self._output = forms
        self._interpreters: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def _run(self, batch: Pixels, out: Pixels) -> None:
        height, width = batch.shape[1:3]
        try:
            interpreter = self._interpreter(height, width)
            # Views into the runtime's memory must be gone before invoke, so each lives for one statement.
            self._input.encode(batch, interpreter.tensor(interpreter.get_input_details()[0]["index"])())
            interpreter.invoke()
            self._output.decode(interpreter.tensor(interpreter.get_output_details()[0]["index"])(), out)
        except (ValueError, RuntimeError) as error:
            self._interpreters.pop((height, width), None)
            raise ModelFileError(
                f"LiteRT cannot run {self._path} on {height}×{width} pixels: {_first_line(error)}"
            ) from error

    def _interpreter(self, height: int, width: int) -> Any:
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
        self._interpreters[size] = interpreter
        return interpreter


def _forms_of_ends(interpreter: Any, spec: ModelSpec, path: Path) -> tuple[PixelForm, PixelForm]:
    """Return how the file holds pixels at its two ends; refuse a file that is not what its description promises."""
    dtypes = ("float32",) if spec.precision == "float32" else ("int8", "uint8")
    forms, heights = [], []
    for end, details in (("input", interpreter.get_input_details()), ("output", interpreter.get_output_details())):
        came = details[0] if len(details) == 1 else None
        dtype = np.dtype(came["dtype"]).name if came is not None else ""
        if came is None or dtype not in dtypes or len(came["shape"]) != 4 or came["shape"][3] != spec.channels:
            raise ModelFileError(f"{path}: the {end} is not one {dtypes[0]} image of {spec.channels} channels")
        scale, zero_point = came["quantization"] if dtype != "float32" else (1.0, 0)
        forms.append(PixelForm(dtype, spec.value_range, scale, zero_point))
        heights.append(int(came["shape"][1]))
    is_open = heights == [1, 1]  # TensorFlow writes 1 where a size was left open
    if heights[1] != spec.scale * heights[0] and not is_open:
        raise ModelFileError(f"{path}: the output is not {spec.scale} times as high as the input: {heights}")
    return forms[0], forms[1]


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep the line 'INFO: Created TensorFlow Lite XNNPACK delegate' from the user's terminal.

    The runtime has no switch for it and writes to the process's error stream below Python. What else is written there
    meanwhile is passed on.
    """
    sys.stderr.flush()
    try:
        before = os.dup(2)
    except OSError:  # a process without an error stream has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            caught.seek(0)
            for line in caught:
                if not line.startswith(b"INFO: "):
                    os.write(2, line)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
