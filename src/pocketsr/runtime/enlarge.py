"""Photos made larger in memory, strip by strip: any size, 8 or 16 bits, with transparency.

    colour ──> bled under what is transparent ──> model, or several in a row ──> shrunk to the size ─┐
    alpha  ──────────────────────────────────────> the same models ──> shrunk to the size ───────────┴──> strips

The enlarged photo is never held; where models follow each other, what goes into the last one is. Knows nothing of
files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.image import Photo, Strip, bleed_colour, channels_agree, resize_strips
from pocketsr.runtime.alpha import alpha_strips
from pocketsr.runtime.deep import deep_strips
from pocketsr.runtime.faithful import faithful_strips
from pocketsr.runtime.style import StyleChoice, check_style, choose_style
from pocketsr.runtime.target import Target, choose_scales
from pocketsr.runtime.upscaler import Progress, Upscaler
from pocketsr.weights import Style

_Pixels = npt.NDArray[Any]
_Strips = Iterator[_Pixels]

#: Pixels handed on at once. An encoder's temporaries are several times that; a row of tiles of a wide image is much.
_STRIP_PIXELS = 1 << 20


class Enlarger:
    """What enlarges photos to a size: one model for each scale there is, or one for each scale and style."""

    def __init__(
        self,
        models: Upscaler | Sequence[Upscaler],
        *,
        target: Target | None = None,
        is_faithful: bool = False,
        style: StyleChoice = "auto",
    ) -> None:
        """Settle what is made.

        Args:
            models: One that is ready, or several to choose from, of different scales and styles; of two with the same
                the first.
            target: The size; None is that of the first model.
            is_faithful: Correct shifts of colour.
            style: What kind of model photos want; ``auto`` looks at each, where there is something to choose from.

        Raises:
            SettingError: No model is given, or there is no such style.
        """
        check_style(style)
        self._models = (models,) if isinstance(models, Upscaler) else tuple(models)
        if not self._models:
            raise SettingError("at least one model is needed to enlarge; none came")
        self._target = target
        self._is_faithful = is_faithful
        self._asked = style
        self._judged: tuple[Photo, Style, str] | None = None
        self._is_settled = False

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return rows and columns of what is made of a photo of that size.

        Raises:
            SettingError: It would be too large.
        """
        if self._target is not None:
            return self._target.size(height, width)
        scale = self._models[0].scale
        return height * scale, width * scale

    def choice(self, photo: Photo) -> str:
        """Return which model was chosen for a photo, and why, in words; empty where there was nothing to choose."""
        style, why = self._style(photo)
        chain = self._chain((photo.height, photo.width), self.size(photo.height, photo.width), style)
        if not why or not chain:
            return ""
        in_vain = "" if chain[0].style in _near(style) else " (no model of this scale is for that)"
        return f"enlarged by {' and '.join(model.spec.name for model in chain)}: {why}{in_vain}"

    def settle(self, photo: Photo) -> None:
        """Choose by this photo for all that follow: the pictures of an animation should not differ in looks."""
        self._style(photo)
        self._is_settled = True

    def _style(self, photo: Photo) -> tuple[Style, str]:
        """Return what kind of model a photo gets, and why; it is looked at once."""
        if self._judged is None or not (self._is_settled or self._judged[0] is photo):
            styles = list(dict.fromkeys(model.style for model in self._models))
            if len(styles) == 1:
                self._judged = photo, styles[0], ""
            else:
                self._judged = photo, *choose_style(photo, self._asked)
        return self._judged[1:]

    def strips(self, photo: Photo, *, on_progress: Progress | None = None) -> Iterator[Strip]:
        """Yield the enlarged photo from top to bottom: pixels ``(h, W, 3)`` with alpha ``(h, W)`` or None.

        Args:
            photo: Of 8 or 16 bits, which the result has, too. What of it is fully transparent gets the colour around.
            on_progress: Called as the last model goes on with (parts done, parts in all).
        """
        size = self.size(photo.height, photo.width)
        style, _ = self._style(photo)
        step = max(1, _STRIP_PIXELS // size[1])
        run = faithful_strips if self._is_faithful else network_strips
        if photo.alpha is None:
            alphas = None
            image = network_input(photo)
        else:
            alphas = _Rows(self._sized(photo.alpha, size, alpha_strips, None, "clean"))
            image = network_input(photo, bleed_colour(photo.pixels, photo.alpha))
        for strip in self._sized(image, size, run, on_progress, style):
            for first in range(0, len(strip), step):
                rows = strip[first : first + step]
                pixels = rows if rows.ndim == 3 else np.broadcast_to(rows[:, :, None], (*rows.shape, 3))
                yield pixels, None if alphas is None else alphas.take(len(rows))

    def _sized(
        self,
        image: _Pixels,
        size: tuple[int, int],
        run: Callable[..., _Strips],
        on_progress: Progress | None,
        style: Style,
    ) -> _Strips:
        """Run the models one after the other, and shrink what comes to the size."""
        models = self._chain(image.shape[:2], size, style)
        for model in models[:-1]:
            image = np.concatenate(list(run(model, image)))
        made, rows, columns = iter((image,)), *image.shape[:2]
        if models:
            options = {} if on_progress is None else {"on_progress": on_progress}
            made = run(models[-1], image, **options)
            rows, columns = rows * models[-1].scale, columns * models[-1].scale
        if (rows, columns) == size:
            return made
        return resize_strips(made, rows_in=rows, height=size[0], width=size[1])

    def _chain(self, given: tuple[int, ...], size: tuple[int, int], style: Style) -> list[Upscaler]:
        """Return the models in a row: the first of the style; those after it see no faults of the file any more."""
        first = self._of_style(style)
        after = self._of_style("clean")
        if self._target is None and (usual := self._models[0].scale) in first:
            return [first[usual]]
        # Sides are rounded to whole pixels; of the two the one that is rounded less says more of what was asked for,
        # and half a pixel is not worth a model more.
        needed = min(size[0] / given[0], size[1] / given[1])
        scales = choose_scales(needed, after, first)
        return [(after if place else first)[scale] for place, scale in enumerate(scales)]

    def _of_style(self, style: Style) -> dict[int, Upscaler]:
        """Return models by scale: those of a style, or where there is none of what comes near it, or all."""
        found = ([model for model in self._models if model.style == one] for one in _near(style))
        return {model.scale: model for model in reversed(next(filter(None, found), self._models))}


def _near(style: Style) -> tuple[Style, ...]:
    """Return a style and what takes its place where it has no model."""
    return (style, "jpeg") if style in ("jpeg-444", "jpeg-coarse") else (style,)


def network_strips(upscaler: Upscaler, image: _Pixels, *, on_progress: Progress | None = None) -> _Strips:
    """Upscale an image of 8 or 16 bits strip by strip; as ``Upscaler.strips``, for uint16, too."""
    if image.dtype == np.uint8:
        return upscaler.strips(image, on_progress=on_progress)
    return deep_strips(upscaler, image, on_progress=on_progress)


def network_input(photo: Photo, pixels: _Pixels | None = None) -> _Pixels:
    """Return what an upscaler takes of a photo: ``(H, W, 3)``, or ``(H, W)`` where all is grey, to get no tint."""
    pixels = photo.pixels if pixels is None else pixels
    return pixels[:, :, 0] if photo.is_grey or channels_agree(pixels) else pixels


class _Rows:
    """Rows out of strips of other heights."""

    def __init__(self, strips: _Strips) -> None:
        self._strips = strips
        self._rest: list[_Pixels] = []

    def take(self, count: int) -> _Pixels:
        """Return the next rows."""
        while sum(map(len, self._rest)) < count:
            self._rest.append(next(self._strips))
        rows = np.concatenate(self._rest)
        self._rest = [rows[count:]]
        return rows[:count]
