"""Files of weights, in the forms people have them, as arrays by name. Knows nothing of what the weights are for."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError
from pocketsr.evaluate.perceptual.torch_file import from_bfloat16, read_torch_file

#: Forms that can be read, by how their names end.
WEIGHT_FORMATS = (".npz", ".safetensors", ".pth", ".pt")

#: What data parallelism and compilation put before every name.
_PREFIXES = ("module.", "_orig_mod.")

_SAFETENSORS = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"},
    **{"I8": "i1", "U8": "u1", "BOOL": "?"},
}


def read_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read a file of weights.

    Args:
        path: ``.npz``, ``.safetensors``, or a state dict by ``torch.save`` (``.pth``, ``.pt``), which is read without
            torch and without running what it holds.

    Returns:
        Arrays by name, in the file's own types; without the ``module.`` of data parallelism.

    Raises:
        ModelFileError: The file is missing, damaged, of another form, or holds objects.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no file of weights {path}")
    if path.suffix == ".npz":
        weights = _read_npz(path)
    elif path.suffix == ".safetensors":
        weights = _read_safetensors(path)
    elif path.suffix in (".pth", ".pt"):
        weights = read_torch_file(path)
    else:
        raise ModelFileError(f"{path}: weights are read from {', '.join(WEIGHT_FORMATS)}, not {path.suffix!r}")
    while prefix := next(
        (each for each in _PREFIXES if weights and all(name.startswith(each) for name in weights)), ""
    ):
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # a damaged zip makes zipfile and numpy raise whatever they meet
        raise ModelFileError(f"{path} cannot be read as .npz: {error}") from error


def _read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read eight bytes of length, a JSON of that length with types, shapes and places, and the numbers."""
    content = path.read_bytes()
    try:
        size = int.from_bytes(content[:8], "little")
        header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
        return {name: _safetensor(fact, data) for name, fact in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read as .safetensors: {error}") from error


def _safetensor(fact: dict[str, Any], data: bytes) -> npt.NDArray[Any]:
    layout = np.dtype(_SAFETENSORS[fact["dtype"]])
    start, end = fact["data_offsets"]
    if not 0 <= start <= end <= len(data) or end - start != math.prod(fact["shape"]) * layout.itemsize:
        raise ValueError(f"a tensor of shape {fact['shape']} has {end - start} bytes of {len(data)}")
    values = np.frombuffer(data[start:end], layout).reshape(fact["shape"])
    return from_bfloat16(values) if fact["dtype"] == "BF16" else values.astype(layout.newbyteorder("="))
