"""Reading checkpoints of others: tensors only, whatever the file is wrapped in."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pocketsr.errors import CheckpointError

#: Where trainers put the weights, the averaged ones first.
_WRAPPERS = (
    *("params_ema", "model_ema", "ema", "params", "state_dict", "model_state_dict", "generator_state_dict", "model"),
    *("generator", "net", "net_g", "netG"),
)
#: Wrappers within wrappers that are looked through; a file could also hold itself.
_DEEPEST = 3
#: What data parallelism, compilation and SRGAN's generators put before every name.
_PREFIXES = ("module.", "_orig_mod.", "net.")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint as tensors by name.

    Args:
        path: ``.safetensors``, or anything that ``torch.save`` wrote with tensors and plain values in it. Objects are
            never unpickled: they could run code.

    Returns:
        Tensors on the processor, without the wrappers of trainers and the ``module.`` of data parallelism and the like.

    Raises:
        CheckpointError: The file is missing, damaged, holds objects, or holds no tensors by name.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    values: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            values = load_file(path)
        else:
            values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, and unpickling objects can run code: it is not read. "
            "Save its state_dict() alone, best as .safetensors"
        ) from error
    except Exception as error:  # damaged files make torch and safetensors raise whatever they meet
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {_first_line(error)}") from error
    tensors = _unwrapped(values, _DEEPEST)
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors by name; a state_dict is needed")
    return tensors


def _unwrapped(values: Any, depth: int) -> dict[str, Tensor]:
    """Return the tensors of the first wrapper that has any, else those of the mapping itself."""
    if not isinstance(values, Mapping):
        return {}
    for key in _WRAPPERS if depth else ():
        tensors = _unwrapped(values.get(key), depth - 1)
        if tensors:
            return tensors
    tensors = {str(key): value for key, value in values.items() if isinstance(value, Tensor)}
    while prefix := next((each for each in _PREFIXES if tensors and all(key.startswith(each) for key in tensors)), ""):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
