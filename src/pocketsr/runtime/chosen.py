"""Which models are opened: the one that was named, or those of the catalogue for a scale and what photos may want."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pocketsr.errors import ModelFileError, UnknownNameError
from pocketsr.runtime.backend import Backend
from pocketsr.runtime.style import StyleChoice, check_style
from pocketsr.runtime.target import Target
from pocketsr.runtime.upscaler import Upscaler
from pocketsr.weights import DEFAULT_MODEL, Entry, Style, defaults, find


def open_models(
    model: str | os.PathLike[str] | None,
    target: Target | None,
    *,
    style: StyleChoice | None = None,
    backend: str | Backend = "litert",
    threads: int | None = None,
    tile: int | None = None,
    memory_mb: int | None = None,
    tta: bool = False,
    prefers_luma: bool = False,
) -> tuple[Upscaler, ...]:
    """Open what an ``Enlarger`` chooses from.

    Args:
        model: Name or path of the only one; None takes the catalogue's.
        target: The size asked for: a whole scale that models have needs those only, another may need several, and None
            is the default model's scale.
        style: What the photos may want: ``auto`` and ``photo`` open models for clean ones and those for JPEG. None is
            for those who choose nothing: models for clean ones, and of its scale the default model.
        backend: As ``Upscaler``.
        threads: As ``Upscaler``.
        tile: As ``Upscaler``.
        memory_mb: As ``Upscaler``, of all together: any of them may be kept ready while another runs.
        prefers_luma: Take the catalogue's models that know luma only, where it has one of the scale.
        tta: As ``Upscaler``.

    Returns:
        The models; the first is what is taken where nothing speaks for another. The others are opened when they are
        needed first.

    Raises:
        UnknownNameError: As ``Upscaler``; or no model is for that style.
        ModelFileError: As ``Upscaler``; or only the bank has models for the style that was asked for by its name, and
            it is not at hand. ``auto`` and ``photo`` do without them.
        SettingError: As ``Upscaler``; or there is no such style.
    """
    names: list[str | os.PathLike[str]]
    names = [model] if model is not None else [*choose_names(target, style, prefers_luma=prefers_luma)]
    share = memory_mb
    if share is not None and share > 0:  # anything else is refused by Upscaler
        share = max(1, share // len(names))
    settings: dict[str, Any] = {"backend": backend, "threads": threads, "tile": tile, "memory_mb": share, "tta": tta}
    return tuple(Upscaler(name, **settings, is_late=place > 0) for place, name in enumerate(names))


def choose_names(target: Target | None, style: StyleChoice | None, *, prefers_luma: bool = False) -> tuple[str, ...]:
    """Return the names of the catalogue's models that ``open_models`` opens where none is named."""
    usual = find(DEFAULT_MODEL)
    scale = usual.scale if target is None else target.scale
    luma = defaults(channels=1) if prefers_luma else {}
    if scale is not None and scale in luma:
        return (luma[int(scale)].name,)
    if luma and scale != usual.scale:
        return tuple(entry.name for entry in {**defaults(), **luma}.values())
    if style is None and scale == usual.scale:
        return (usual.name,)
    first, *others = _styles(style)
    found = [defaults(first), *map(_at_hand, others)]
    known = [entries for entries in found if entries]
    if not found[0]:
        raise UnknownNameError(f"no model of the catalogue is for style {first!r}; name one with --model")
    if scale is not None and all(scale in entries for entries in known):
        return tuple(entries[int(scale)].name for entries in known)
    return tuple(entry.name for entries in known for entry in entries.values())


def _at_hand(style: Style) -> Mapping[int, Entry]:
    """Return the models of a style that was not asked for by its name; none where only the bank has such.

    Catalogues that cannot be read are errors of the style before it already.
    """
    with suppress(ModelFileError):
        return defaults(style)
    return {}


def _styles(asked: StyleChoice | None) -> tuple[Style, ...]:
    """Return the styles of the models that may be needed, the usual one first."""
    if asked is None or asked == "clean":
        return ("clean",)
    check_style(asked)
    if asked == "auto" or asked == "photo":
        return ("clean", "jpeg", "jpeg-444", "jpeg-coarse")
    return ("jpeg", "jpeg-444", "jpeg-coarse", "clean") if asked == "jpeg" else (asked, "clean")
