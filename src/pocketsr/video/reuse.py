"""Pictures whose parts did not change since the last one: only what changed is run.

    this ≠ last, where?   tiles whose window (kept part and border) changed are run, the others keep their output

An int8 model computes in whole numbers, so equal windows give equal outputs however the picture is cut, and the result
is that of the whole picture bit for bit. Float models round differently in windows of another size: with them only
pictures that are equal as a whole are reused. Knows nothing of video.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pocketsr.runtime import Upscaler
from pocketsr.runtime.pixels import Pixels
from pocketsr.runtime.tiling import Grid, Span, spans

#: Pixels of a tile's kept part along a side: small enough to leave much out, large enough that borders cost little.
_KEPT = 96
#: Tiles are worth their borders while they cover less than this part of the picture.
_WORTH = 0.75


class LastPicture:
    """A picture and its output. Upscalers of several threads may share one: any picture before will do.

    Attributes:
        pair: Picture and output, which are not to be changed; None before the first.
    """

    def __init__(self) -> None:
        self.pair: tuple[Pixels, Pixels] | None = None


class ReusingUpscaler:
    """An upscaler that remembers the last picture and its output, which are not to be changed after a call.

    Attributes:
        tiles_run: Tiles that were run, whole pictures counted as all of theirs.
        tiles: Tiles of all pictures so far.
    """

    def __init__(self, upscaler: Upscaler, *, is_enabled: bool = True, last: LastPicture | None = None) -> None:
        self._upscaler, self._is_enabled = upscaler, is_enabled
        self._last = last or LastPicture()
        self.tiles_run = self.tiles = 0

    def __call__(self, image: Pixels, out: Pixels | None = None) -> Pixels:
        """Upscale a picture.

        Args:
            image: uint8 ``(H, W, 3)`` or ``(H, W)``, as ``Upscaler`` takes it; any strides.
            out: uint8 of the output's shape to write into; None makes a new array.

        Returns:
            ``out``, or an array that is not written to again.

        Raises:
            SettingError: As ``Upscaler``.
        """
        if not self._is_enabled:
            self.tiles, self.tiles_run = self.tiles + 1, self.tiles_run + 1
            return self._upscaler(image, out=out)
        grid = self._grid_for(image)
        last = self._last.pair
        if last is None or last[0].shape != image.shape:
            return self._whole(image, out, grid)
        different = image != last[0]
        changed = different if different.ndim == 2 else different[..., 0] | different[..., 1] | different[..., 2]
        if not changed.any():
            self.tiles += 1 if grid is None else len(grid)
            return self._remembered(image, last[1] if out is None else _copied(last[1], out))
        if grid is None:
            return self._whole(image, out, grid)
        windows = [tile for tile in grid if changed[_read(tile.rows), _read(tile.columns)].any()]
        height, width = grid.window
        if len(windows) * height * width > _WORTH * changed.size:
            return self._whole(image, out, grid)
        result = _copied(last[1], np.empty_like(last[1]) if out is None else out)
        for tile in windows:
            self._run(image, result, tile.rows, tile.columns)
        self.tiles, self.tiles_run = self.tiles + len(grid), self.tiles_run + len(windows)
        return self._remembered(image, result)

    def _whole(self, image: Pixels, out: Pixels | None, grid: Grid | None) -> Pixels:
        count = 1 if grid is None else len(grid)
        self.tiles, self.tiles_run = self.tiles + count, self.tiles_run + count
        return self._remembered(image, self._upscaler(image, out=out))

    def _remembered(self, image: Pixels, output: Pixels) -> Pixels:
        self._last.pair = image, output
        return output

    def _run(self, image: Pixels, output: Pixels, rows: Span, columns: Span) -> None:
        scale = self._upscaler.scale
        result = self._upscaler(image[_read(rows), _read(columns)])
        output[_kept(rows, scale), _kept(columns, scale)] = result[_within(rows, scale), _within(columns, scale)]

    def _grid_for(self, image: Pixels) -> Grid | None:
        """Return the tiles in which a picture may be run; None where only whole pictures are exact."""
        spec: Any = self._upscaler.spec
        needs_luma = spec.channels == 1 and image.ndim == 3  # its chroma is enlarged beyond the border
        if needs_luma or spec.precision != "int8" or spec.receptive_field is None:
            return None
        return _grid(*image.shape[:2], spec.receptive_field, spec.size_multiple)


@functools.lru_cache(4)
def _grid(height: int, width: int, reach: int, multiple: int) -> Grid | None:
    if height % multiple or width % multiple:
        return None
    window = max(_KEPT, 4 * reach) + 2 * (reach + multiple)
    return Grid(spans(height, window, reach, multiple=multiple), spans(width, window, reach, multiple=multiple))


def _read(span: Span) -> slice:
    return slice(span.start, span.stop)


def _kept(span: Span, scale: int) -> slice:
    return slice(span.keep_start * scale, span.keep_stop * scale)


def _within(span: Span, scale: int) -> slice:
    return slice((span.keep_start - span.start) * scale, (span.keep_stop - span.start) * scale)


def _copied(pixels: Pixels, out: Pixels) -> Pixels:
    np.copyto(out, pixels)
    return out
