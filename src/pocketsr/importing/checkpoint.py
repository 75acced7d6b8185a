"""Recognise a checkpoint and turn it into a network of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pocketsr.blocks import Network
from pocketsr.errors import CheckpointError, UnknownNameError
from pocketsr.importing.conversion import Conversion, Source
from pocketsr.importing.reading import read_tensors
from pocketsr.importing.sources import SOURCES
from pocketsr.networks import build


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imported:
    """A checkpoint of others as a network of ours.

    Attributes:
        network: The network, with its weights.
        name: Its name in the list of networks.
        options: The keyword options that make it.
        source: Where the checkpoint is from.
        ignored: Keys that were left out on purpose.
    """

    network: Network
    name: str
    options: Mapping[str, Any]
    source: Source
    ignored: tuple[str, ...]


def import_checkpoint(path: Path, *, network: str | None = None, scale: int | None = None) -> Imported:
    """Read a public checkpoint.

    Args:
        path: ``.safetensors``, ``.pth`` or ``.pt``; objects in it are never unpickled.
        network: Name of the network it must be; None recognises it.
        scale: Its scale, where the weights do not tell, or the one to upscale by of several.

    Raises:
        CheckpointError: The file cannot be read, is of no source we know, lacks a tensor, has one too many, or one of
            another shape than its network's.
        UnknownNameError: No source makes a network of that name.
    """
    tensors = read_tensors(path)
    source = _recognised(tensors, network, path)
    state = Conversion(tensors, scale)
    options = source.convert(state)
    if scale is not None and options["scale"] != scale:
        raise CheckpointError(f"{path} upscales by {options['scale']}, not by {scale}")
    ignored, surplus = state.left(source.ignored)
    if surplus:
        raise CheckpointError(
            f"{path} looks like {source.name} of {source.repository}, but has {len(surplus)} tensors that it has not: "
            f"{', '.join(surplus[:3])}"
        )
    made = build(source.network, options)
    _load(made, state.result, path, source)
    return Imported(network=made.eval(), name=source.network, options=options, source=source, ignored=tuple(ignored))


def _recognised(tensors: Mapping[str, Tensor], network: str | None, path: Path) -> Source:
    sources = [source for source in SOURCES if network in (None, source.network)]
    if not sources:
        raise UnknownNameError.among("network to import", str(network), {source.network for source in SOURCES})
    for source in sources:
        if source.matches(tensors):
            return source
    known = ", ".join(f"{source.name} ({source.repository})" for source in sources)
    raise CheckpointError(
        f"{path} is of no source that is known{'' if network is None else f' for {network}'}. It has "
        f"{len(tensors)} tensors, such as {', '.join(list(tensors)[:3])}. Known: {known}"
    )


def _load(network: Network, tensors: Mapping[str, Tensor], path: Path, source: Source) -> None:
    needed = network.state_dict()
    missing = sorted(set(needed) - set(tensors) - {key for key in needed if key.endswith("num_batches_tracked")})
    if missing or set(tensors) - set(needed):
        raise CheckpointError(f"{path} does not fill {source.network}: it leaves {', '.join(missing[:3]) or 'nothing'}")
    for key, tensor in tensors.items():
        if tensor.shape != needed[key].shape:
            raise CheckpointError(
                f"{path}: {key} needs the shape {tuple(needed[key].shape)}, the file has {tuple(tensor.shape)}"
            )
    # Only counters of batches may be missing: that was checked above.
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, strict=False)
