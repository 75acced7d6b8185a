"""Backends: every runtime that can run a model file, as one list. A new one is a file here and a line below.

Importing this imports no runtime; a missing package is told when a file is opened.
"""

from __future__ import annotations

from pocketsr.errors import UnknownNameError
from pocketsr.runtime.auto import AutoBackend
from pocketsr.runtime.backend import Backend
from pocketsr.runtime.backends.litert import LiteRTBackend
from pocketsr.runtime.backends.onnxruntime import ONNXRuntimeBackend
from pocketsr.runtime.backends.openvino import OpenVINOBackend
from pocketsr.runtime.backends.reference import ReferenceBackend

#: In the order a user should think of them; the first is the default for ``.tflite`` files.
BACKENDS: tuple[Backend, ...] = (
    LiteRTBackend(), OpenVINOBackend(), ONNXRuntimeBackend(), ONNXRuntimeBackend("cuda"), ReferenceBackend()
)  # fmt: skip
#: Names for "whichever suits": ``auto`` keeps results equal everywhere, ``fast`` may differ by two levels.
CHOOSERS: tuple[Backend, ...] = (
    AutoBackend("auto", onnx=ONNXRuntimeBackend(), exact=LiteRTBackend()),
    AutoBackend(
        "fast",
        onnx=ONNXRuntimeBackend(),
        exact=LiteRTBackend(),
        quicker=(OpenVINOBackend(),),
        quicker_onnx=(ONNXRuntimeBackend("cuda"),),
    ),
)


def find_backend(name: str) -> Backend:
    """Return the backend of that name, ``auto`` and ``fast`` included.

    Raises:
        UnknownNameError: There is none.

    >>> find_backend("reference").name
    'reference'
    """
    known = (*BACKENDS, *CHOOSERS)
    for backend in known:
        if backend.name == name:
            return backend
    raise UnknownNameError.among("backend", name, (backend.name for backend in known))
