"""Networks in files: weights as ``.safetensors``, with the network's name and options beside them.

Such a file holds no code and no training state; it is what importing writes and exporting and evaluating take.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.blocks import Network
from pocketsr.errors import CheckpointError
from pocketsr.networks import build

_KEY = "pocketsr_network"


def save_network(
    network: Network, path: Path, *, name: str, options: Mapping[str, Any], source: str = "", licence: str = ""
) -> None:
    """Write a network's weights to a temporary file beside ``path`` and rename it.

    Args:
        network: What to save.
        path: Where, ending in ``.safetensors``.
        name: Its name in the list of networks.
        options: The keyword options that make it.
        source: Where the weights are from, in words.
        licence: Licence of the weights (SPDX).

    Raises:
        CheckpointError: The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    facts = {"name": name, "options": dict(options), "source": source, "licence": licence}
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in network.state_dict().items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(facts, sort_keys=True)})
        temporary.replace(path)
    except (SafetensorError, OSError) as error:
        words = str(error).replace(str(temporary), str(path))
        raise CheckpointError(f"{path} cannot be written: {words}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_network(path: Path) -> tuple[Network, dict[str, Any]]:
    """Read what ``save_network`` wrote.

    Returns:
        The network, ready to run, and ``name``, ``options``, ``source`` and ``licence``.

    Raises:
        CheckpointError: The file is missing, damaged, or not one of ours (``pocketsr import`` reads others').
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})[_KEY])
            facts = {key: said[key] for key in ("name", "options", "source", "licence")}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
        network = build(facts["name"], facts["options"])
        network.load_state_dict(tensors)
    except KeyError as error:
        raise CheckpointError(f"{path} does not say which network it is; try pocketsr import") from error
    except (SafetensorError, RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read as a network: {error}") from error
    return network.eval(), facts
