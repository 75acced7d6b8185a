"""A graph on a runtime without pixels around it: for graphs that are no upscalers, such as one operator alone.

A session wants an image at both ends; a part of a network, or one operator, has other widths. Knows LiteRT and
OpenVINO, the runtimes of ``.tflite``.
"""

from __future__ import annotations

import abc
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr.errors import MissingExtraError, ModelFileError, UnknownNameError
from pocketsr.graph import Graph
from pocketsr.graph.base import Size
from pocketsr.spec import ModelSpec


class Bare(abc.ABC):
    """One graph at one size, ready to run on noise."""

    @abc.abstractmethod
    def __call__(self) -> None:
        """Run it once."""

    def operators(self) -> Mapping[str, float] | None:
        """Return milliseconds by operator of the last run, where the runtime tells; None where it does not."""
        return None


def bare(graph: Graph, size: Size, *, backend: str, threads: int, profiled: bool = False) -> Bare:
    """Write a graph as a model file and open it.

    Args:
        graph: Any graph whose ends have 8 bits or are float.
        size: (height, width) of the input.
        backend: ``litert`` or ``openvino``.
        threads: Processor threads.
        profiled: Ask the runtime for times by operator; it may run slower for that.

    Raises:
        UnknownNameError: The backend runs no ``.tflite``, or has no form without pixels.
        ModelFileError: The runtime cannot run the graph.
        MissingExtraError: The backend's package is not installed.
    """
    if backend not in _KINDS:
        raise UnknownNameError.among("backend of single operators", backend, _KINDS)
    return _KINDS[backend](_file_bytes(graph, size), graph, size, threads, profiled)


class _LiteRT(Bare):
    """LiteRT's Python interpreter, which has no way to read its profile of operators."""

    def __init__(self, content: bytes, graph: Graph, size: Size, threads: int, profiled: bool) -> None:
        del profiled
        from ai_edge_litert.interpreter import Interpreter

        from pocketsr.image.chatter import without_chatter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            index = self._interpreter.get_input_details()[0]["index"]
            self._interpreter.resize_tensor_input(index, (1, *size, graph.input.channels))
            with without_chatter():
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(index, _noise(graph, size))
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"LiteRT cannot run {graph.output.name!r}: {error}") from error

    def __call__(self) -> None:
        self._interpreter.invoke()


class _OpenVINO(Bare):
    """OpenVINO, which counts the time of what it made of the operators."""

    def __init__(self, content: bytes, graph: Graph, size: Size, threads: int, profiled: bool) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError.for_extra("openvino", "openvino") from error
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
            "PERF_COUNT": profiled,
        }
        try:
            core = openvino.Core()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "part.tflite"
                path.write_bytes(content)
                model = core.read_model(str(path))
                model.reshape([1, *size, graph.input.channels])
                self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise ModelFileError(f"OpenVINO cannot run {graph.output.name!r}: {error}") from error
        self._request.get_input_tensor(0).data[...] = _noise(graph, size)
        self._profiled = profiled

    def __call__(self) -> None:
        self._request.infer()

    def operators(self) -> Mapping[str, float] | None:
        """Return what was executed; operators that were joined with another are under that one's name."""
        if not self._profiled:
            return None
        found = self._request.get_profiling_info()
        return {
            f"{one.node_name} ({one.node_type})": one.real_time.total_seconds() * 1000
            for one in found
            if str(one.status).endswith("EXECUTED")
        }


_KINDS: Mapping[str, type[_LiteRT] | type[_OpenVINO]] = {"litert": _LiteRT, "openvino": _OpenVINO}
#: Backends that have a form without pixels.
BARE = tuple(_KINDS)


def _file_bytes(graph: Graph, size: Size) -> bytes:
    from pocketsr.graph.tflite import model_bytes

    spec = ModelSpec(
        name="part",
        network="",
        scale=graph.scale,
        channels=graph.input.channels,
        precision=graph.precision,
        receptive_field=None,
    )
    return model_bytes(graph, spec, size)


def _noise(graph: Graph, size: Size) -> Any:
    levels = np.random.default_rng(0).integers(0, 256, (1, *size, graph.input.channels))
    return (levels - 128).astype(np.int8) if graph.is_integer else levels.astype(np.float32)
