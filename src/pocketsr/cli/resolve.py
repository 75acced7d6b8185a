"""What a word on the command line stands for: a function from image to larger image, and its factor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from pocketsr.evaluate import Upscale


class Resolved(NamedTuple):
    """What a word stands for.

    Attributes:
        upscale: Function from image to larger image.
        scale: Factor.
        channels: 3 where it knows colour, 1 where it knows luma only; None where that makes no difference.
    """

    upscale: Upscale
    scale: int
    channels: int | None


def resolve(model: str, scale: int | None, backend: str, threads: int | None) -> Resolved:
    """Return what a model stands for.

    Args:
        model: A bundled name, a ``.tflite`` file, a checkpoint (``.pt``), a saved network (``.safetensors``) or
            ``bicubic``.
        scale: Factor of ``bicubic``; models know theirs.
        backend: What runs a model file.
        threads: Processor threads; None is all.
    """
    if model == "bicubic":
        from pocketsr.evaluate import bicubic

        if scale is None:
            raise click.UsageError("bicubic upscales by any factor: say which with -s")
        return Resolved(bicubic(scale), scale, None)
    if model.endswith(".safetensors"):
        return _saved(Path(model), threads)
    if model.endswith(".pt"):
        return _checkpoint(Path(model), threads)
    import pocketsr

    upscaler = pocketsr.load(model, backend=backend, threads=threads)
    return Resolved(upscaler, upscaler.spec.scale, upscaler.spec.channels)


def _checkpoint(path: Path, threads: int | None) -> Resolved:
    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.compress.integer import REWRITES
    from pocketsr.train import read_checkpoint, restore, upscale_with

    if threads is not None:
        torch.set_num_threads(threads)
    state = read_checkpoint(path)
    network = restore(state, REWRITES)
    return Resolved(lambda image: upscale_with(network, image), state.recipe.scale, getattr(network, "channels", 3))


def _saved(path: Path, threads: int | None) -> Resolved:
    from pocketsr.cli.torch import import_torch

    torch = import_torch()
    from pocketsr.networks.saved import load_network
    from pocketsr.train import upscale_with

    if threads is not None:
        torch.set_num_threads(threads)
    network, _ = load_network(path)
    return Resolved(lambda image: upscale_with(network, image), network.scale, network.channels)
