"""What a word on the command line stands for: a function from image to larger image, its factor, and what is known."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from torch import nn

    from pocketsr.evaluate import Upscale
    from pocketsr.graph import Graph

#: Output height and width for which multiply-accumulates are counted.
_FRAME = (720, 1280)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a word stands for.

    Attributes:
        upscale: Function from image to larger image, uint8 both.
        scale: Factor.
        channels: 3 where it knows colour, 1 where it knows luma only; None where that makes no difference.
        exact: The same function without rounding, float in levels 0..255, where it has such a form.
        facts: What is known of it: ``network``, ``precision``, ``parameters``, ``gmacs_720p``, ``sha256``, ``data``,
            ``licence``, whichever there are.
    """

    upscale: Upscale
    scale: int
    channels: int | None
    exact: Upscale
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def resolve(model: str, scale: int | None, backend: str, threads: int | None) -> Resolved:
    """Return what a model stands for.

    Args:
        model: A bundled name, a ``.tflite`` or ``.onnx`` file, a checkpoint (``.pt``), a saved network
            (``.safetensors``), ``bicubic`` (MATLAB's) or ``bicubic-opencv``.
        scale: Factor of bicubic; models know theirs.
        backend: What runs a model file.
        threads: Processor threads; None is all.
    """
    if model in ("bicubic", "bicubic-opencv"):
        from pocketsr.evaluate import bicubic

        if scale is None:
            raise click.UsageError(f"{model} upscales by any factor: say which with -s")
        function = bicubic(scale, like="opencv" if model == "bicubic-opencv" else "matlab")
        return Resolved(upscale=function, scale=scale, channels=None, exact=function)
    if model.endswith((".safetensors", ".pt")):
        return _network(Path(model), threads)
    import pocketsr
    from pocketsr.graph.tflite import read_model
    from pocketsr.runtime import model_path

    upscaler = pocketsr.load(model, backend=backend, threads=threads)
    spec = upscaler.spec
    file = model_path(model)
    graph = None if file.suffix == ".onnx" else read_model(file)[0]  # of an ONNX file there is no graph to count
    facts = {"network": spec.network, "precision": spec.precision, "data": spec.data, "licence": spec.licence}
    return Resolved(
        upscale=upscaler,
        scale=spec.scale,
        channels=spec.channels,
        exact=upscaler,
        facts={**facts, **_counted(graph), "sha256": _digest(file)},
    )


def _network(path: Path, threads: int | None) -> Resolved:
    """Return a trained network: a checkpoint, or one that was saved or imported."""
    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.train import to_levels, upscale_with

    if threads is not None:
        torch.set_num_threads(threads)
    network, facts = _saved(path) if path.suffix == ".safetensors" else _checkpoint(path)
    channels, scale = getattr(network, "channels", 3), int(network.scale)  # type: ignore[arg-type]
    return Resolved(
        upscale=lambda image: upscale_with(network, image),
        scale=scale,
        channels=channels,
        # A network of luma has colour added by bicubic, which rounds.
        exact=lambda image: upscale_with(network, image) if channels == 1 else to_levels(network, image),
        facts={**facts, **_counted(_lowered(network)), "sha256": _digest(path)},
    )


def _saved(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    from pocketsr.networks.saved import load_network

    network, facts = load_network(path)
    found = {"network": facts["name"], "data": facts["source"], "licence": facts["licence"]}
    return network, {**found, "precision": "float32"}


def _checkpoint(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    from pocketsr.compress.integer import REWRITES, IntegerNetwork
    from pocketsr.train import read_checkpoint, restore

    state = read_checkpoint(path)
    network = restore(state, REWRITES)
    data = state.recipe.data
    facts = {"network": state.recipe.network.name, "data": data.description, "licence": data.licence}
    precision = network.graph().precision if isinstance(network, IntegerNetwork) else "float32"
    return network, {**facts, "precision": precision}


def _lowered(network: nn.Module) -> Graph | None:
    from pocketsr.compress.integer import IntegerNetwork
    from pocketsr.errors import LoweringError
    from pocketsr.lower import trace

    try:
        return network.graph() if isinstance(network, IntegerNetwork) else trace(network)  # type: ignore[arg-type]
    except LoweringError:
        return None


def _counted(graph: Graph | None) -> dict[str, Any]:
    if graph is None:
        return {}
    height, width = (side // graph.scale for side in _FRAME)
    gmacs = graph.multiply_accumulates(height, width) / 1e9
    return {"parameters": graph.parameter_count(), "gmacs_720p": gmacs}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
