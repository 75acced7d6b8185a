"""The upscaler: one model, any image size, bounded memory.

    image ──> tiles ──> session ──> kept parts ──> strips, or one array

Because tiles overlap by the network's receptive field, the result is that of the whole image in one piece: bit for bit
in int8, to rounding in float. Knows nothing of image files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from pocketsr.errors import SettingError
from pocketsr.image import enlarge_by_luma
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.backends import find_backend
from pocketsr.runtime.ensemble import ensemble_strips
from pocketsr.runtime.pixels import Pixels
from pocketsr.runtime.tiling import Grid, Span, tile_grid
from pocketsr.spec import ModelSpec
from pocketsr.weights import DEFAULT_MODEL, Style, find

#: Called after every tile with (tiles done, tiles in all).
Progress: TypeAlias = Callable[[int, int], None]


def model_path(model: str | os.PathLike[str]) -> Path:
    """Return the file of a model: a path is taken as it is, a name is looked up in the catalogue.

    What is no ``str``, ends in ``.tflite`` or ``.onnx``, or holds a folder is a path.

    Raises:
        UnknownNameError: The catalogue has no such name.
        ModelFileError: The file of a model of the catalogue is missing or was changed.

    >>> model_path("runs/mine.tflite").name
    'mine.tflite'
    """
    return _looked_up(model)[0]


def _looked_up(model: str | os.PathLike[str]) -> tuple[Path, Style]:
    """Return the file of a model, and what it is for; a file that has no entry is taken to be for clean images."""
    if not isinstance(model, str) or model.endswith((".tflite", ".onnx")) or Path(model).name != model:
        return Path(model), "clean"
    entry = find(model)
    entry.verify()
    return entry.path, entry.style


class Upscaler:
    """A model ready to make images larger. Calls from several threads share it and take turns.

    Attributes:
        path: The model file.
        threads: Processor threads it runs on.
        spec: What the model file says about itself.
        style: What kind of input the catalogue says it is for.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        backend: str | Backend = "auto",
        threads: int | None = None,
        tile: int | None = None,
        tta: bool = False,
    ) -> None:
        """Open a model.

        Args:
            model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``.
            backend: What runs it: a name, or a backend of your own. ``auto`` is LiteRT, or ONNX Runtime for ``.onnx``;
                ``fast`` may take OpenVINO, whose int8 is within two levels.
            threads: Processor threads; None takes the cores this process may use.
            tile: Longest side of a tile in low-resolution pixels, its overlap included; None chooses one that keeps
                memory near 130 MB for a small network. The result does not depend on it.
            tta: Test-time augmentation: give the mean over the eight orientations of each image, halves up. Better by
                a little, eight times as slow.

        Raises:
            UnknownNameError: No model or backend has that name.
            ModelFileError: The model file is missing, damaged, or not ours.
            SettingError: ``threads`` is below 1, or ``tile`` too small for the model.
            MissingExtraError: The backend's package is not installed.
        """
        runner = find_backend(backend) if isinstance(backend, str) else backend
        self.path, self.style = _looked_up(model)
        self.threads, self._tta = checked_threads(threads), tta
        self._session: Session = runner.load(self.path, threads=self.threads)
        self.spec: ModelSpec = self._session.spec
        self._runner, self._tile = runner, tile
        if tile is not None and self.spec.receptive_field is not None:
            # Refuse a tile that is too small now, and not at the first image that needs more than one.
            self._grid(self.spec.size_multiple * (tile + 1), self.spec.size_multiple)

    @property
    def scale(self) -> int:
        """Output height over input height."""
        return self.spec.scale

    def twin(self, threads: int, *, tile: int | None = None) -> Upscaler:
        """Open the same model once more, so that two threads need not take turns.

        Args:
            threads: As for a new one.
            tile: Likewise, unless this one was opened with one.

        Raises:
            PocketsrError: As opening it.
        """
        return Upscaler(self.path, backend=self._runner, threads=threads, tile=self._tile or tile, tta=self._tta)

    def __call__(self, image: Pixels, *, out: Pixels | None = None, on_progress: Progress | None = None) -> Pixels:
        """Upscale one image.

        Args:
            image: uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey, any size. Grey is run as colour and returned as its luma,
                so it gets no tint. A model that knows luma only gets the luma of a colour image; its colour is
                enlarged by bicubic.
            out: uint8 of the output's shape to write into, any strides, as the plane of a video's frame; None makes a
                new array.
            on_progress: Called after every tile with (tiles done, tiles in all).

        Returns:
            uint8 ``(sH, sW, 3)`` or ``(sH, sW)``: ``out`` where it was given. Where the model wants sides in multiples
            of a number, the image is continued with its last row and column, and the result cropped.

        Raises:
            SettingError: Another dtype or shape than that, or an image without pixels.
        """
        if self._needs_luma(image):
            made = enlarge_by_luma(image, self.scale, lambda luma: self(luma, on_progress=on_progress))
            if out is None:
                return made
            np.copyto(out, made)
            return out
        if not self._tta:
            return self._once(image, out, on_progress)
        output = _Work(self, image, on_progress).output(out)
        first = 0
        for strip in self._ensemble(image, on_progress):
            output[first : first + len(strip)] = strip
            first += len(strip)
        return output

    def _once(self, image: Pixels, out: Pixels | None = None, on_progress: Progress | None = None) -> Pixels:
        work = _Work(self, image, on_progress)
        output = work.output(out)
        for rows in work.grid.rows:
            work.fill(rows, output[work.kept(rows)])
        return output

    def strips(self, image: Pixels, *, on_progress: Progress | None = None) -> Iterator[Pixels]:
        """Upscale one image strip by strip, from top to bottom, for outputs too large to hold.

        Args:
            image: As for a call.
            on_progress: As for a call.

        Yields:
            uint8 ``(h, sW, 3)`` or ``(h, sW)``, full width, of several heights: one above the other, they are what a
            call returns. A strip is a new array each time.

        Raises:
            SettingError: As for a call, at the first strip.
        """
        if self._needs_luma(image):  # colour goes by bicubic, which is done in one piece
            yield self(image, on_progress=on_progress)
            return
        if self._tta:
            yield from self._ensemble(image, on_progress)
            return
        work = _Work(self, image, on_progress)
        for rows in work.grid.rows:
            kept = work.kept(rows)
            strip = np.empty((kept.stop - kept.start, *work.output_shape[1:]), np.uint8)
            work.fill(rows, strip)
            yield strip

    def _ensemble(self, image: Pixels, on_progress: Progress | None) -> Iterator[Pixels]:
        _Work(self, image, None)  # refuses what a call refuses
        # A network that counts pixels in multiples gets images whole: it is the whole that is continued to a multiple.
        reach = None if self.spec.size_multiple > 1 else self.spec.receptive_field
        return ensemble_strips(self._once, image, scale=self.scale, reach=reach, on_progress=on_progress)

    def _needs_luma(self, image: Pixels) -> bool:
        """Whether the model knows brightness only and the image has colour."""
        return self.spec.channels == 1 and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3

    def _grid(self, height: int, width: int) -> Grid:
        spec = self.spec
        if spec.receptive_field is None:
            if self._tile is not None and self._tile < max(height, width):
                raise SettingError(f"{spec.name} looks at the whole image and cannot be run in tiles; leave tile out")
            return tile_grid(height, width, 0, tile=max(height, width), multiple=spec.size_multiple)
        return tile_grid(height, width, spec.receptive_field, tile=self._tile, multiple=spec.size_multiple)


class _Work:
    """One image on its way through an upscaler."""

    def __init__(self, upscaler: Upscaler, image: Pixels, on_progress: Progress | None) -> None:
        spec = upscaler.spec
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != spec.channels):
            raise SettingError(
                f"an image needs to be uint8 (H, W, {spec.channels}) or (H, W), not {image.dtype} {image.shape}"
            )
        if image.size == 0:
            raise SettingError(f"an image needs at least one pixel, not {image.shape}")
        self._session, self._scale, self._channels = upscaler._session, spec.scale, spec.channels
        self._size = image.shape[:2]
        self._is_grey = image.ndim == 2
        self._image = _continued(image, spec.size_multiple)
        self.grid = upscaler._grid(*self._image.shape[:2])
        self.output_shape = (image.shape[0] * spec.scale, image.shape[1] * spec.scale, *image.shape[2:])
        self._on_progress, self._done = on_progress, 0

    def output(self, given: Pixels | None) -> Pixels:
        """Return an array for the whole output: a new one, or what was given, which has to fit."""
        output = np.empty(self.output_shape, np.uint8) if given is None else given
        if output.shape != self.output_shape or output.dtype != np.uint8:
            raise SettingError(f"the output needs to be uint8 {self.output_shape}, not {output.dtype} {output.shape}")
        return output

    def kept(self, rows: Span) -> slice:
        """Return the rows of the output that a row of tiles makes."""
        return self._kept(rows, 0)

    def fill(self, rows: Span, strip: Pixels) -> None:
        """Run one row of tiles and write what they keep; ``strip`` is those rows of the output."""
        height, width = (side * self._scale for side in self.grid.window)
        for columns in self.grid.columns:
            window = self._image[rows.start : rows.stop, columns.start : columns.stop]
            batch = self._as_batch(window)
            part = strip[:, self._kept(columns, 1)]
            if self._is_grey and self._channels == 1:
                part = part[:, :, None]
            if part.shape == (height, width, self._channels):
                self._session(batch, out=part[None])  # nothing is cut off: no copy
            else:
                result = self._session(batch)[0]
                result = result[self._within(rows, 0), self._within(columns, 1)]
                part[...] = _as_grey(result) if part.ndim == 2 else result
            self._done += 1
            if self._on_progress is not None:
                self._on_progress(self._done, len(self.grid))

    def _kept(self, span: Span, axis: int) -> slice:
        """Return where in the output a span's kept part lies, without what was added to reach a multiple."""
        return slice(span.keep_start * self._scale, min(span.keep_stop, self._size[axis]) * self._scale)

    def _within(self, span: Span, axis: int) -> slice:
        """Return where in the window's result the kept part lies."""
        kept, start = self._kept(span, axis), span.start * self._scale
        return slice(kept.start - start, kept.stop - start)

    def _as_batch(self, window: Pixels) -> Pixels:
        if self._is_grey:
            window = np.broadcast_to(window[:, :, None], (*window.shape, self._channels))
        return window[None]


def _as_grey(result: Pixels) -> Pixels:
    from pocketsr.image import rgb_to_grey

    return rgb_to_grey(result)


def _continued(image: Pixels, multiple: int) -> Pixels:
    """Repeat the last row and column until both sides are multiples of a number; the image itself where they are."""
    height, width = image.shape[:2]
    below, beside = -height % multiple, -width % multiple
    if not below and not beside:
        return image
    return np.pad(image, ((0, below), (0, beside), *[(0, 0)] * (image.ndim - 2)), mode="edge")
