"""Backends: every runtime that can run a model file, as one list. A new one is a file here and a line below."""

from __future__ import annotations

from pocketsr.errors import UnknownNameError
from pocketsr.runtime.backend import Backend
from pocketsr.runtime.backends.litert import LiteRTBackend
from pocketsr.runtime.backends.reference import ReferenceBackend

#: In the order a user should think of them; the first is the default.
BACKENDS: tuple[Backend, ...] = (LiteRTBackend(), ReferenceBackend())


def find_backend(name: str) -> Backend:
    """Return the backend of that name.

    Raises:
        UnknownNameError: There is none.

    >>> find_backend("reference").name
    'reference'
    """
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    raise UnknownNameError.among("backend", name, (backend.name for backend in BACKENDS))
