"""Numbers out of MATLAB's files of version 5 (``save`` with ``-v6`` or ``-v7``), without SciPy.

Reads real matrices of numbers; cells, structures, text and complex numbers are passed over. Files of version 7.3 are
HDF5 and are refused. Knows nothing of what the numbers mean.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError

_HEADER = 128
#: A compressed matrix may not become larger than this: a small file could otherwise fill the memory.
_LARGEST = 1 << 28

_MATRIX, _COMPRESSED = 14, 15
#: What the numbers of an element are, by its type.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: Classes of matrices that hold numbers: double, single, and whole numbers of 8 to 64 bits.
_NUMERIC = range(6, 16)
_COMPLEX = 0x08


def read_matlab_file(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the matrices of numbers in a ``.mat`` file.

    Args:
        path: File of version 5.

    Returns:
        Arrays by the names of the variables, at least two-dimensional, as MATLAB has them.

    Raises:
        ModelFileError: The file cannot be read, is damaged, or is of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if content[:8] == b"\x89HDF\r\n\x1a\n" or content.startswith(b"MATLAB 7.3"):
        raise ModelFileError(f"{path} is of MATLAB's version 7.3 (HDF5); save it in MATLAB with '-v7'")
    if not content.startswith(b"MATLAB 5.0") or content[126:128] not in (b"IM", b"MI"):
        raise ModelFileError(f"{path} is no MATLAB file of version 5; save it in MATLAB with '-v7'")
    order = "<" if content[126:128] == b"IM" else ">"
    try:
        return dict(_matrices(content[_HEADER:], order))
    except (struct.error, zlib.error, ValueError, KeyError, IndexError, StopIteration, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error


def _matrices(content: bytes, order: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for kind, data in _elements(content, order):
        if kind == _COMPRESSED:
            stream = zlib.decompressobj()
            whole = stream.decompress(data, _LARGEST)
            if not stream.eof:
                raise ValueError(f"a matrix is cut short or larger than {_LARGEST >> 20} MiB")
            yield from _matrices(whole, order)
        elif kind == _MATRIX and (matrix := _matrix(data, order)) is not None:
            yield matrix


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each element: a tag of 8 bytes and the data, or both in 8 bytes where data are few."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        if kind >> 16:  # the small form: size and type share the first four bytes
            yield kind & 0xFFFF, content[place + 4 : place + 4 + (kind >> 16)]
            place += 8
            continue
        data = content[place + 8 : place + 8 + size]
        if len(data) < size:
            raise ValueError("it ends too early")
        yield kind, data
        # All but compressed elements end at a multiple of eight.
        place += 8 + (size if kind == _COMPRESSED else size + -size % 8)


def _matrix(data: bytes, order: str) -> tuple[str, npt.NDArray[Any]] | None:
    """Return name and values of a matrix of real numbers, None for anything else."""
    parts = _elements(data, order)
    flags = struct.unpack_from(order + "I", next(parts)[1])[0]
    if flags & 0xFF not in _NUMERIC or flags >> 8 & _COMPLEX:
        return None
    shape = tuple(np.frombuffer(next(parts)[1], order + "i4").tolist())
    name = next(parts)[1].decode("ascii")
    kind, values = next(parts)
    numbers = np.frombuffer(values, order + _NUMBERS[kind])
    if numbers.size != math.prod(shape):
        raise ValueError(f"{name} has {numbers.size} numbers where {shape} were said")
    return name, numbers.reshape(shape, order="F").astype(numbers.dtype.newbyteorder("="))
