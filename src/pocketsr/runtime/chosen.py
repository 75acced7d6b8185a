"""Which models are opened for a scale: the one that was named, or those of the catalogue."""

from __future__ import annotations

import os

from pocketsr.runtime.backend import Backend
from pocketsr.runtime.target import Target
from pocketsr.runtime.upscaler import Upscaler
from pocketsr.weights import DEFAULT_MODEL, defaults, find


def open_models(
    model: str | os.PathLike[str] | None,
    target: Target | None,
    *,
    backend: str | Backend = "litert",
    threads: int | None = None,
    tile: int | None = None,
    prefers_luma: bool = False,
) -> tuple[Upscaler, ...]:
    """Open what an ``Enlarger`` chooses from.

    Args:
        model: Name or path of the only one; None takes the catalogue's.
        target: The size asked for: a whole scale that a model has needs that model only, another may need several, and
            None is the default model's scale.
        backend: As ``Upscaler``.
        threads: As ``Upscaler``.
        tile: As ``Upscaler``.
        prefers_luma: Take the catalogue's models that know luma only, where it has one of the scale.

    Raises:
        UnknownNameError: As ``Upscaler``.
        ModelFileError: As ``Upscaler``.
        SettingError: As ``Upscaler``.
    """
    names: list[str | os.PathLike[str]]
    luma = defaults(channels=1) if prefers_luma else {}
    if model is not None:
        names = [model]
    elif target is None:
        scale = find(DEFAULT_MODEL).scale
        names = [luma[scale].name if scale in luma else DEFAULT_MODEL]
    else:
        known = tuple({**defaults(), **luma}.values())
        names = [entry.name for entry in known if entry.scale == target.scale] or [entry.name for entry in known]
    return tuple(Upscaler(name, backend=backend, threads=threads, tile=tile) for name in names)
