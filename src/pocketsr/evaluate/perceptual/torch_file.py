"""Tensors out of files that ``torch.save`` wrote, without torch and without running anything in them.

Both forms are read: the zip of today (``data.pkl`` and one entry for each storage) and the row of pickles before 2020.
A pickle is a program; this reader lets it build dictionaries, lists and descriptions of tensors, nothing else. Whatever
asks for another class or function is refused before it is looked up.
"""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError

#: Layout of a storage's numbers, by torch's class. 16-bit "brain" floats are the upper half of a float32.
_STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001


def read_torch_file(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the tensors of a state dict, which may lie in a dictionary under ``state_dict``, ``params`` or ``model``.

    Args:
        path: What ``torch.save`` wrote.

    Returns:
        Arrays by name; 16-bit brain floats as float32.

    Raises:
        ModelFileError: The file is damaged, holds more than tensors and plain values, or no tensors by name.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            content, storages = _read_zip(file) if is_zip else _read_legacy(io.BytesIO(file.read()))
        tensors = {name: value.array(storages) for name, value in _named(content).items() if isinstance(value, _Tensor)}
    except _ForbiddenError as error:
        raise ModelFileError(
            f"{path} holds more than tensors and plain values ({error}), and unpickling objects can run code: it is "
            "not read. Save its state_dict() alone"
        ) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from error
    except Exception as error:  # a damaged pickle makes the unpickler raise whatever it meets
        raise ModelFileError(
            f"{path} cannot be read as a file of torch.save: {error or type(error).__name__}"
        ) from error
    if not tensors:
        raise ModelFileError(f"{path} holds no tensors by name; a state_dict is needed")
    return tensors


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the float32 values whose upper halves are given.

    >>> from_bfloat16(np.array([0x3FC0], np.uint16)).tolist()
    [1.5]
    """
    return (halves.astype(np.uint32) << 16).view(np.float32)


class _ForbiddenError(pickle.UnpicklingError):
    """A pickle asks for something that is neither a tensor nor a plain value."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Numbers in a row, to be found under a key."""

    kind: str
    key: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: Callable[[_Storage], bytes]) -> npt.NDArray[Any]:
        """Return the values, in memory of their own."""
        kind = self.storage.kind
        layout = np.dtype("<u2" if kind == "bfloat16" else f"<{kind}" if kind != "?" else kind)
        numbers = np.frombuffer(storages(self.storage), layout, self.storage.size)
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((length - 1) * stride for length, stride in steps)
        count: int = math.prod(self.shape, start=1)
        is_inside = min((self.offset, *self.shape, *self.strides)) >= 0 and last < numbers.size
        # More values than the storage has would be a small file that fills the memory.
        if count > numbers.size or (count and not is_inside):
            raise ValueError(f"a tensor of shape {self.shape} lies outside its {numbers.size} numbers")
        if count == 0:
            return np.empty(self.shape, layout.newbyteorder("="))
        strides = [stride * layout.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)
        values = np.ascontiguousarray(view).reshape(self.shape)
        return from_bfloat16(values) if kind == "bfloat16" else values.astype(layout.newbyteorder("="))


class _Unpickler(pickle.Unpickler):
    """Builds dictionaries, lists and :class:`_Tensor`. What it hands out is made anew for each file."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few things that state dicts are made of.

        Raises:
            _ForbiddenError: It is something else.
        """
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _StorageKind(_STORAGES[name])
        if (module, name) in (("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor")):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, tuple(shape), tuple(strides))
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        raise _ForbiddenError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the description of a storage."""
        word, kind, key, _, size, *_ = pid
        if word != "storage" or not isinstance(kind, _StorageKind):
            raise _ForbiddenError(f"a reference to {word!r}")
        return _Storage(kind.layout, str(key), int(size))


@dataclasses.dataclass(frozen=True)
class _StorageKind:
    layout: str


def _unpickled(file: io.BytesIO) -> Any:
    return _Unpickler(file, encoding="utf-8").load()


def _read_zip(file: io.BufferedReader) -> tuple[Any, Callable[[_Storage], bytes]]:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("it is a compressed zip, which torch does not write")
        pickles = [name for name in entries if name.split("/")[1:] == ["data.pkl"] or name == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("the zip has no data.pkl; a TorchScript archive cannot be read")
        folder = pickles[0].removesuffix("data.pkl")
        if entries.get(folder + "byteorder") and archive.read(folder + "byteorder") != b"little":
            raise ValueError("its numbers are stored big end first")
        content = _unpickled(io.BytesIO(archive.read(pickles[0])))
        prefix = folder + "data/"
        data = {name.removeprefix(prefix): archive.read(name) for name in entries if name.startswith(prefix)}
    return content, lambda storage: data[storage.key]


def _read_legacy(file: io.BytesIO) -> tuple[Any, Callable[[_Storage], bytes]]:
    """Read magic number, version, facts about the machine, content, keys of storages, then the storages themselves."""
    if _unpickled(file) != _MAGIC or _unpickled(file) != _LEGACY_VERSION:
        raise ValueError("it does not begin as one")
    _unpickled(file)
    content = _unpickled(file)
    kinds = {
        tensor.storage.key: tensor.storage.kind for tensor in _named(content).values() if isinstance(tensor, _Tensor)
    }
    data = {}
    for key in _unpickled(file):
        size = int.from_bytes(file.read(8), "little")
        width = 2 if kinds[key] == "bfloat16" else np.dtype(kinds[key]).itemsize
        data[key] = file.read(size * width)
    return content, lambda storage: data[storage.key]


def _named(content: Any) -> Mapping[str, Any]:
    """Return the mapping that has tensors: the content itself, or what lies in it under a usual name."""
    for key in ("state_dict", "params", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            return _named(content[key])
    return {str(name): value for name, value in content.items()} if isinstance(content, Mapping) else {}
