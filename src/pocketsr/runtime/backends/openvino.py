"""The OpenVINO backend: Intel's runtime on the same ``.tflite`` files, often faster on processors with AVX-512.

Within two levels of the exact integers in int8, because OpenVINO computes int8 convolutions in integers and rescales
them in float32; within one in float32. An input size costs a compilation of about a tenth of a second, so the last few
are kept. Knows nothing of tiles or image files.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.pixels import Levels, PixelForm, Pixels
from pocketsr.spec import ModelSpec

#: Input sizes kept ready: a landscape and a portrait format are what a folder of photographs needs.
KEPT_SIZES = 2

#: OpenVINO's names of numbers, and numpy's.
_DTYPES = {"i8": "int8", "u8": "uint8", "f32": "float32"}


class OpenVINOBackend(Backend):
    """Runs model files with OpenVINO on the processor."""

    name = "openvino"

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open a model file; the runtime itself is imported here.

        Raises:
            ModelFileError: The file is missing, damaged, has an operator that pocketsr does not know, or one that
                OpenVINO does not.
            SettingError: ``threads`` is below 1.
            MissingExtraError: openvino is not installed.
        """
        count = checked_threads(threads)
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError.for_extra("openvino", "openvino") from error
        from pocketsr.graph.tflite import read_model, require_that_spec_fits

        graph, spec = read_model(path)
        require_that_spec_fits(graph, spec)
        try:
            core = openvino.Core()
            model = core.read_model(str(path))
            forms = tuple(
                _form(end.get_element_type().get_type_name(), value.quantisation, spec)
                for end, value in ((model.inputs[0], graph.input), (model.outputs[0], graph.output))
            )
        except RuntimeError as error:
            raise ModelFileError(f"OpenVINO cannot read {path}: {_last_line(error)}; use --backend litert") from error
        return OpenVINOSession(spec, path, core, model, count, (forms[0], forms[1]))


class OpenVINOSession(Session):
    """One model in memory and a compiled request for each of the last few input sizes."""

    def __init__(
        self, spec: ModelSpec, path: Path, core: Any, model: Any, threads: int, forms: tuple[PixelForm, PixelForm]
    ) -> None:
        super().__init__(spec)
        self._path, self._core, self._model, self._threads = path, core, model, threads
        self._input, self._output = forms
        self._requests: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def _run(self, batch: Pixels | Levels, out: Pixels | Levels) -> None:
        height, width = batch.shape[1:3]
        try:
            request = self._request(height, width)
            self._input.encode(batch, request.get_input_tensor(0).data)
            request.infer()
            self._output.decode(request.get_output_tensor(0).data, out)
        except RuntimeError as error:
            self._requests.pop((height, width), None)
            raise ModelFileError(
                f"OpenVINO cannot run {self._path} on {height}×{width} pixels: {_last_line(error)}; "
                "use --backend litert"
            ) from error

    def _request(self, height: int, width: int) -> Any:
        size = height, width
        if size in self._requests:
            self._requests.move_to_end(size)
            return self._requests[size]
        while len(self._requests) >= KEPT_SIZES:  # before the new one, so that no more than that are ever held
            self._requests.popitem(last=False)
        model = self._model.clone()
        model.reshape([1, height, width, self.spec.channels])
        # Without the precision hint float files would be computed in bfloat16 on processors that have it. A pinned
        # thread waits for its core while others are free: on a busy machine a frame took sixty times as long.
        settings = {
            "INFERENCE_NUM_THREADS": self._threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        self._requests[size] = self._core.compile_model(model, "CPU", settings).create_infer_request()
        return self._requests[size]


def _form(kind: str, quantisation: Any, spec: ModelSpec) -> PixelForm:
    """Return how an end holds pixels; graphs tell 8-bit ends as int8, whatever the file has."""
    dtype = _DTYPES.get(kind, kind)
    if quantisation is None:
        return PixelForm(dtype, spec.value_range)
    shift = 128 if dtype == "uint8" else 0
    return PixelForm(dtype, spec.value_range, quantisation.scale, quantisation.zero_point + shift)


def _last_line(error: Exception) -> str:
    """Return what OpenVINO has to say: its first lines name places in its own source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
