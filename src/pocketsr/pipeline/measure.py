"""From a network to a checked model file, and the figures of either: what pipelines and ablations have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from pocketsr.blocks import Network
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.errors import SettingError
from pocketsr.graph import receptive_field
from pocketsr.image.writing import replacing
from pocketsr.lower import trace, write_checked
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels

Image = npt.NDArray[np.uint8]


def to_file(
    network: nn.Module, path: Path, *, check: Sequence[Image], calibration: Sequence[Image] = (), name: str = ""
) -> Path:
    """Lower a network to a model file that was run and found equal.

    Args:
        network: Float or integer.
        path: Where to write; what stood there is replaced.
        check: Low-resolution images, uint8 ``(H, W, C)``, to compare file and network on; at least one.
        calibration: Low-resolution images; given, a float network is quantised after training, else it stays float.
        name: What the file calls its network.

    Returns:
        The path.

    Raises:
        LoweringError: The network has no such form.
        ParityError: The file does not compute what the network computes.
    """
    if isinstance(network, Network) and calibration:
        network = quantise(network, calibration)
    elif isinstance(network, Network):
        network = network.folded()
    elif not isinstance(network, IntegerNetwork):
        raise SettingError(f"a {type(network).__name__} cannot be lowered: a network or an integer network is needed")
    graph = network.graph() if isinstance(network, IntegerNetwork) else trace(network)
    spec = ModelSpec(
        name=path.stem,
        network=name,
        scale=graph.scale,
        channels=graph.input.channels,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field(graph),
    )
    write_checked(graph, spec, path, forward=lambda image: to_levels(network, image), images=check)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """Return tuples as lists, all the way down, as JSON gives them back."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
