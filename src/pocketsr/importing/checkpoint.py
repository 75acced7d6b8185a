"""Recognise a checkpoint and turn it into a network of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pocketsr.blocks import Network
from pocketsr.errors import CheckpointError, SettingError, UnknownNameError
from pocketsr.importing.conversion import Conversion, Source
from pocketsr.importing.reading import read_tensors
from pocketsr.importing.sources import SOURCES
from pocketsr.networks import NETWORKS, build


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
        network: Name of the network it must be, as the list of networks has it; None recognises it.
        scale: Its scale, where the weights do not tell, or the one to upscale by of several.

    Raises:
        CheckpointError: The file cannot be read, is of no source we know, lacks a tensor, has one too many, or one of
            another shape than its network's.
        UnknownNameError: No source makes a network of that name.
    """
    if network is not None and not _sources(network):
        raise UnknownNameError.among("network to import", network, _importable())
    tensors = read_tensors(path)
    source = _recognised(tensors, network, path)
    state = Conversion(tensors, scale)
    try:
        options = source.convert(state)
        name = _row(source.network, options)
        made = build(name, options)
    except SettingError as error:
        raise CheckpointError(f"{path} {_looks_like(source)}, of a size that cannot be had here: {error}") from error
    except (IndexError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        # Sizes are read off the tensors: these are what torch raises for a scalar or a vector instead of a kernel.
        raise CheckpointError(f"{path} {_looks_like(source)}, but its tensors have not that source's shapes") from error
    if network not in (None, name):
        raise CheckpointError(f"{path} holds {name}, not {network}")
    if scale is not None and options["scale"] != scale:
        raise CheckpointError(f"{path} upscales by {options['scale']}, not by {scale}")
    ignored, surplus = state.left(source.ignored)
    if surplus:
        raise CheckpointError(
            f"{path} {_looks_like(source)}, but has {len(surplus)} tensors that it has not: {', '.join(surplus[:3])}"
        )
    _load(made, state, path, name)
    return Imported(network=made.eval(), name=name, options=options, source=source, ignored=tuple(ignored))


def _looks_like(source: Source) -> str:
    return f"looks like {source.name} of {source.repository}"


def _sources(network: str) -> list[Source]:
    """Return the sources whose checkpoints can become that row of the list of networks."""
    made_by = NETWORKS[network].make if network in NETWORKS else None
    return [source for source in SOURCES if NETWORKS[source.network].make is made_by]


def _importable() -> set[str]:
    return {name for name in NETWORKS if _sources(name)}


def _row(network: str, options: Mapping[str, Any]) -> str:
    """Return the row of the same class whose preset the options have, of several the one that sets most.

    So a mobile CARN is ``carn-m``, and one of other groups ``carn``.
    """
    rows = [name for name, entry in NETWORKS.items() if entry.make is NETWORKS[network].make]
    fitting = [name for name in rows if NETWORKS[name].preset.items() <= options.items()]
    return max(fitting, key=lambda name: len(NETWORKS[name].preset))


def _recognised(tensors: Mapping[str, Tensor], network: str | None, path: Path) -> Source:
    sources = SOURCES if network is None else _sources(network)
    for source in sources:
        if source.matches(tensors):
            return source
    known = ", ".join(f"{source.name} ({source.repository})" for source in sources)
    raise CheckpointError(
        f"{path} is of no source that is known{'' if network is None else f' for {network}'}. It has "
        f"{len(tensors)} tensors, such as {', '.join(list(tensors)[:3])}. Known: {known}"
    )


def _load(network: Network, state: Conversion, path: Path, name: str) -> None:
    tensors, needed = state.result, network.state_dict()
    missing = sorted(set(needed) - set(tensors) - {key for key in needed if key.endswith("num_batches_tracked")})
    if missing or set(tensors) - set(needed):
        raise CheckpointError(f"{path} does not fill {name}: it leaves {', '.join(missing[:3]) or 'nothing'}")
    for key, tensor in tensors.items():
        if tensor.shape != needed[key].shape:
            origin = state.origins.get(key)
            raise CheckpointError(
                f"{path}: {origin or key}{f' (our {key})' if origin else ''} needs the shape "
                f"{tuple(needed[key].shape)}, the file has {tuple(tensor.shape)}"
            )
    # Only counters of batches may be missing: that was checked above.
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, strict=False)
