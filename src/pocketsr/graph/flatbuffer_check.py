"""Whether every offset in a model file stays inside the file: asked before anything else follows one.

    root offset ──> table ──> vtable (which fields, where) ──> field ──> scalar | string | vector | table ──> ...

The generated readers of the format trust what they read, and a vector that says it has four thousand million entries
is walked to its end. Here each offset, length and size is compared with the file first, and work is bounded, so a
file whose tables point at each other in circles or share one large block a thousand times ends quickly, too.
Knows the format's tables by their shapes only; what the numbers in them mean is ``tflite_check``'s.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from pocketsr.errors import ModelFileError

_SCALARS: Mapping[str, int] = MappingProxyType({"byte": 1, "int": 4, "long": 8})

#: Fields of each table in the order of their slots: a scalar, ``string``, a table's name, ``[...]`` for a vector of
#: one of these, ``options`` for the table that the scalar before it chooses, and ``!words`` for what we do not read.
_TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "Model": ("int", "[OperatorCode]", "[SubGraph]", "string", "[Buffer]", "[int]", "[Metadata]", "[SignatureDef]",
              "!groups of external buffers", "!external buffers"),
    "OperatorCode": ("byte", "string", "int", "int"),
    "SubGraph": ("[Tensor]", "[int]", "[int]", "[Operator]", "string", "int"),
    "Tensor": ("[int]", "byte", "int", "string", "QuantizationParameters", "byte", "!sparse tensors", "[int]", "byte",
               "!variant tensors", "int"),
    "QuantizationParameters": ("[int]", "[int]", "[int]", "[long]", "byte", "!quantisation by details", "int"),
    "Operator": ("int", "[int]", "[int]", "byte", "options", "[byte]", "byte", "[byte]", "[int]", "long", "long",
                 "byte", "!options of the second kind", "int"),
    "Buffer": ("[byte]", "long", "long"),
    "Metadata": ("string", "int"),
    "SignatureDef": ("[TensorMap]", "[TensorMap]", "string", "!a gap", "int"),
    "TensorMap": ("string", "int"),
    "Conv2DOptions": ("byte", "int", "int", "byte", "int", "int", "byte"),
    "DepthwiseConv2DOptions": ("byte", "int", "int", "int", "byte", "int", "int"),
    "AddOptions": ("byte", "byte"),
    "ConcatenationOptions": ("int", "byte"),
    "DepthToSpaceOptions": ("int",),
    "SpaceToDepthOptions": ("int",),
    "MaximumMinimumOptions": (),
    "LeakyReluOptions": ("int",),
    "SliceOptions": (),
    "QuantizeOptions": (),
    "MulOptions": ("byte",),
    "SubOptions": ("byte", "byte"),
    "ReducerOptions": ("byte",),
    "MirrorPadOptions": ("byte",),
    "GeluOptions": ("byte",),
})  # fmt: skip

#: Tables of a file; a network of a thousand layers has twenty thousand.
_MOST_TABLES = 200_000
#: A writer may let several tables share a string or vector; together they are not many times the file.
_MOST_SHARING = 8
#: Model, subgraph, operator, options: no table lies deeper.
_DEEPEST = 8


def check_flatbuffer(data: bytes, options: Mapping[int, str]) -> None:
    r"""Walk a model file from its root and compare every offset and length with the file's own.

    Args:
        data: The whole file.
        options: Name of the options table by the number that an operator says it with. Options of any other number
            are not walked, and must not be read.

    Raises:
        ModelFileError: Something lies outside the file, or the file has more than a model file can have.

    >>> check_flatbuffer(b"\x00\x01\x00\x00TFL3", {})
    Traceback (most recent call last):
    ...
    pocketsr.errors.ModelFileError: the file is damaged or cut short: a Model at byte 256 of 8; get or export it again
    """
    walk = _Walk(data, options)
    walk.table("Model", walk.offset(0, "the file's root"), 0)


class _Walk:
    """One file and how much of it has been looked at."""

    def __init__(self, data: bytes, options: Mapping[int, str]) -> None:
        self._data, self._options = data, options
        self._tables = self._bytes = 0

    def table(self, name: str, at: int, depth: int) -> None:
        """Check a table and everything that hangs on it."""
        self._tables += 1
        if self._tables > _MOST_TABLES or depth > _DEEPEST:
            raise _damage(f"more tables than a model has, {self._tables:,} of them, {depth} deep")
        size, fields = self._fields(name, at)
        kinds = _TABLES.get(name, ())
        if name in _TABLES and any(fields[len(kinds) :]):
            raise ModelFileError(f"a {name} has a field that pocketsr does not know")
        chosen = 0
        for kind, field in zip(kinds, fields, strict=False):
            if field == 0:  # left out: the field has its default
                chosen = 0
                continue
            if kind.startswith("!"):
                raise ModelFileError(f"it uses {kind[1:]}, which pocketsr does not know")
            width = _SCALARS.get(kind, 4)
            if field < 4 or field + width > size:
                raise _damage(f"a field of the {name} at byte {at} lies outside its table")
            if kind in _SCALARS:
                chosen = self._data[at + field]
                continue
            self._follow(kind, self.offset(at + field, f"a field of a {name}"), depth, self._options.get(chosen, ""))

    def offset(self, at: int, what: str) -> int:
        """Return where the offset that stands at a position points to."""
        return at + self._number("<I", at, what)

    def _fields(self, name: str, at: int) -> tuple[int, tuple[int, ...]]:
        """Return the bytes of a table and where in it each field lies, 0 for one that is left out."""
        vtable = at - self._number("<i", at, f"a {name}")
        length = self._number("<H", vtable, f"the fields of a {name}")
        self._inside(vtable, length, f"the fields of a {name}")
        if length < 4 or length % 2:
            raise _damage(f"the list of fields of the {name} at byte {at} has {length} bytes")
        size, *fields = struct.unpack_from(f"<{length // 2 - 1}H", self._data, vtable + 2)
        self._inside(at, size, f"a {name}")
        return size, tuple(fields)

    def _follow(self, kind: str, at: int, depth: int, options: str) -> None:
        if kind == "options":
            self.table(options or "options", at, depth + 1)
        elif kind == "string":
            self._vector(at, 1, "a name", ends_with_zero=True)
        elif not kind.startswith("["):
            self.table(kind, at, depth + 1)
        elif kind[1:-1] in _SCALARS:
            self._vector(at, _SCALARS[kind[1:-1]], "a list of numbers")
        else:
            count = self._vector(at, 4, f"a list of {kind[1:-1]}")
            for entry in range(at + 4, at + 4 + 4 * count, 4):
                self.table(kind[1:-1], self.offset(entry, f"a list of {kind[1:-1]}"), depth + 1)

    def _vector(self, at: int, width: int, what: str, *, ends_with_zero: bool = False) -> int:
        """Check a vector's own bytes and return its entries."""
        count = self._number("<I", at, what)
        self._inside(at + 4, count * width + ends_with_zero, what)
        if ends_with_zero and self._data[at + 4 + count]:
            raise _damage(f"{what} at byte {at} has no end")
        self._bytes += count * width
        if self._bytes > _MOST_SHARING * len(self._data):
            raise _damage("its tables use the same bytes again and again")
        return count

    def _number(self, form: str, at: int, what: str) -> int:
        self._inside(at, struct.calcsize(form), what)
        (value,) = struct.unpack_from(form, self._data, at)
        return int(value)

    def _inside(self, at: int, length: int, what: str) -> None:
        if at < 0 or at + length > len(self._data):
            raise _damage(f"{what} at byte {at} of {len(self._data)}")


def _damage(words: str) -> ModelFileError:
    return ModelFileError(f"the file is damaged or cut short: {words}; get or export it again")
