"""The upscaler: one model, any image size, bounded memory.

    image ──> tiles ──> session ──> kept parts ──> strips, or one array

Because tiles overlap by the network's receptive field, the result is that of the whole image in one piece: bit for bit
in int8, to rounding in float. Knows nothing of image files.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError
from pocketsr.image import enlarge_by_luma
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.backends import find_backend
from pocketsr.runtime.ensemble import ensemble_strips
from pocketsr.runtime.pixels import Samples
from pocketsr.runtime.tiling import Budget, Grid, Span, tile_grid
from pocketsr.spec import ModelSpec
from pocketsr.weights import DEFAULT_MODEL, Entry, Style, find, find_float

#: Sizes of tiles that a backend keeps ready: of one image all are the same, of a folder they are not.
_SIZES_KEPT = 2

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
    entry = _entry(model)
    if entry is None:
        return Path(model)
    entry.verify()
    return entry.path


def _entry(model: str | os.PathLike[str]) -> Entry | None:
    """Return a model's entry in the catalogue; None for a path."""
    if not isinstance(model, str) or model.endswith((".tflite", ".onnx")) or Path(model).name != model:
        return None
    return find(model)


class Upscaler:
    """A model ready to make images larger. Calls from several threads share it and take turns.

    Use it as a context, or ``close`` it, to let go of its memory at a certain time; that is not needed otherwise.

    Attributes:
        path: The model file.
        threads: Processor threads it runs on.
        style: What kind of input the catalogue says it is for; a file that has no entry is taken to be for clean ones.

    >>> with Upscaler("abpn-x3", threads=1) as upscale:
    ...     upscale(np.zeros((4, 6, 3), np.uint8)).shape
    (12, 18, 3)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        backend: str | Backend = "auto",
        threads: int | None = None,
        tile: int | None = None,
        memory_mb: int | None = None,
        tta: bool = False,
        is_late: bool = False,
    ) -> None:
        """Open a model.

        Args:
            model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``.
            backend: What runs it: a name, or a backend of your own. ``auto`` is LiteRT, or ONNX Runtime for ``.onnx``;
                ``fast`` may take OpenVINO, whose int8 is within two levels.
            threads: Processor threads; None takes the cores this process may use.
            tile: Longest side of a tile in low-resolution pixels, its overlap included; None chooses one that keeps
                memory near 130 MB for a small network. The result does not depend on it.
            memory_mb: Megabytes (10^6 bytes) that tiles and the strips they make may take, beside the image itself and
                the process; tiles are made smaller where the usual ones would take more. None is no limit.
            tta: Test-time augmentation: give the mean over the eight orientations of each image, halves up. Better by
                a little, about ten times as slow.
            is_late: Open a model of the catalogue when it is first needed, and raise then what its file and the tile
                are refused for: of several to choose from, most are never used.

        Raises:
            UnknownNameError: No model or backend has that name.
            ModelFileError: The model file is missing, damaged, or not ours.
            SettingError: ``threads`` or ``memory_mb`` is below 1, ``tile`` is too small for the model, or it is given
                with ``memory_mb``.
            MissingExtraError: The backend's package is not installed.
        """
        runner = find_backend(backend) if isinstance(backend, str) else backend
        self._entry = _entry(model)
        self.path = Path(model) if self._entry is None else self._entry.path
        self.style: Style = "clean" if self._entry is None else self._entry.style
        self.threads, self._tta = checked_threads(threads), tta
        self._opened: Session | None = None
        self._spec: ModelSpec | None = None
        self._opening, self._is_closed = threading.Lock(), False
        self._runner, self._tile, self._memory_mb = runner, tile, memory_mb
        if memory_mb is not None and (memory_mb < 1 or tile is not None):
            raise SettingError(
                f"memory_mb chooses the tile and needs to be 1 or more; {memory_mb} and tile {tile} came"
            )
        self._float = _FloatForm(
            self.path,
            lambda path: Upscaler(path, backend=runner, threads=threads, tile=tile, memory_mb=memory_mb, tta=tta),
        )
        if not (is_late and self._entry):
            self._open()

    @property
    def spec(self) -> ModelSpec:
        """What the model file says about itself."""
        return self._spec or self._open().spec

    @property
    def scale(self) -> int:
        """Output height over input height."""
        return self._entry.scale if self._spec is None and self._entry is not None else self.spec.scale

    @property
    def takes_levels(self) -> bool:
        """Whether it takes colours that were not rounded to 8 bits, and gives such back: float32, 0..255."""
        return self.spec.channels != 1 and self._session.takes_levels

    def for_16_bits(self) -> Upscaler:
        """Return what enlarges images of 16 bits best: the same network in float32 where the catalogue has it.

        It is opened at the first call; the upscaler itself is returned where it computes in float32 already, where its
        file is none of the catalogue's, or where that has no such form.
        """
        return self if self.takes_levels else self._float.get() or self

    def close(self) -> None:
        """Let go of the model. What is under way is finished; what comes after that is refused. Twice does no harm."""
        with self._opening:
            self._opened, self._is_closed = None, True
        self._float.close()

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def twin(self, threads: int, *, tile: int | None = None) -> Upscaler:
        """Open the same model once more, so that two threads need not take turns.

        Args:
            threads: As for a new one. Of ``memory_mb`` it gets the part that this is of the threads here.
            tile: Likewise, unless this one was opened with one.

        Raises:
            PocketsrError: As opening it.
        """
        memory_mb = self._memory_mb
        if memory_mb is not None:
            tile, memory_mb = None, max(1, memory_mb * min(threads, self.threads) // self.threads)
        return Upscaler(
            self.path,
            backend=self._runner,
            threads=threads,
            tile=self._tile or tile,
            memory_mb=memory_mb,
            tta=self._tta,
        )

    def __call__(self, image: Samples, *, out: Samples | None = None, on_progress: Progress | None = None) -> Samples:
        """Upscale one image.

        Args:
            image: uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey, any size. Grey is run as colour and returned as its luma,
                so it gets no tint. A model that knows luma only gets the luma of a colour image; its colour is
                enlarged by bicubic. Where the model ``takes_levels``, float32 of 0..255, too.
            out: Of the image's type and the output's shape to write into, any strides, as the plane of a video's frame;
                None makes a new array.
            on_progress: Called after every tile with (tiles done, tiles in all).

        Returns:
            ``(sH, sW, 3)`` or ``(sH, sW)`` of the same type: ``out`` where it was given. Where the model wants sides in
            multiples of a number, the image is continued with its last row and column, and the result cropped.

        Raises:
            SettingError: Another dtype or shape than that, an image without pixels, or the upscaler is closed.
        """
        if self._needs_luma(image):
            # No colours of float32 come here, so that it is of the type of the image.
            luma_made = enlarge_by_luma(image, self.scale, lambda luma: self(luma, on_progress=on_progress))
            if out is None:
                return luma_made  # type: ignore[return-value]
            np.copyto(out, luma_made)
            return out
        if not self._tta:
            return self._once(image, out, on_progress)
        output = _Work(self, image, on_progress).output(image, out)
        first = 0
        for strip in self._ensemble(image, on_progress):
            output[first : first + len(strip)] = strip
            first += len(strip)
        return output

    def _once(self, image: Samples, out: Samples | None = None, on_progress: Progress | None = None) -> Samples:
        work = _Work(self, image, on_progress)
        output = work.output(image, out)
        for rows in work.grid.rows:
            work.fill(rows, output[work.kept(rows)])
        return output

    def strips(self, image: Samples, *, on_progress: Progress | None = None) -> Iterator[Samples]:
        """Upscale one image strip by strip, from top to bottom, for outputs too large to hold.

        Args:
            image: As for a call.
            on_progress: As for a call.

        Yields:
            ``(h, sW, 3)`` or ``(h, sW)`` of the image's type, full width, of several heights: one above the other, they
            are what a call returns. A strip is a new array each time.

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
            strip = np.empty_like(image, order="C", subok=False, shape=(kept.stop - kept.start, *work.output_shape[1:]))
            work.fill(rows, strip)
            yield strip

    @property
    def _session(self) -> Session:
        return self._opened or self._open()

    def _open(self) -> Session:
        """Return what runs the model; its file is read at the first call."""
        with self._opening:
            if self._is_closed:
                raise SettingError(f"the model {self.path.stem} was closed; open it again to enlarge more")
            if self._opened is None:
                if self._entry is not None:
                    self._entry.verify()
                session = self._runner.load(self.path, threads=self.threads)
                spec = session.spec
                if self._tile is not None and spec.receptive_field is not None:
                    # Refuse a tile that is too small now, and not at the first image that needs more than one.
                    multiple = spec.size_multiple
                    height = multiple * (self._tile + 1)
                    tile_grid(height, multiple, spec.receptive_field, tile=self._tile, multiple=multiple)
                self._spec, self._opened = spec, session
            return self._opened

    def _ensemble(self, image: Samples, on_progress: Progress | None) -> Iterator[Samples]:
        _Work(self, image, None)  # refuses what a call refuses
        # A network that counts pixels in multiples gets images whole: it is the whole that is continued to a multiple.
        reach = None if self.spec.size_multiple > 1 else self.spec.receptive_field
        return ensemble_strips(self._once, image, scale=self.scale, reach=reach, on_progress=on_progress)

    def _needs_luma(self, image: npt.NDArray[Any]) -> bool:
        """Whether the model knows brightness only and the image has colour."""
        return self.spec.channels == 1 and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3

    def _grid(self, height: int, width: int, bytes_per_sample: int = 1) -> Grid:
        spec = self.spec
        if spec.receptive_field is None:
            if self._tile is not None and self._tile < max(height, width):
                raise SettingError(f"{spec.name} looks at the whole image and cannot be run in tiles; leave tile out")
            return tile_grid(height, width, 0, tile=max(height, width), multiple=spec.size_multiple)
        budget = None
        if self._memory_mb is not None:
            budget = Budget(
                most_bytes=self._memory_mb * 1e6 / _SIZES_KEPT,
                window_bytes=self._session.bytes_per_pixel,
                strip_bytes=spec.scale**2 * spec.channels * bytes_per_sample,
            )
        return tile_grid(
            height, width, spec.receptive_field, tile=self._tile, multiple=spec.size_multiple, budget=budget
        )


class _FloatForm:
    """The float32 form of a model of the catalogue: opened once, when it is first asked for, whoever asks."""

    def __init__(self, path: Path, open_file: Callable[[Path], Upscaler]) -> None:
        self._path, self._open_file = path, open_file
        self._lock = threading.Lock()
        self._upscaler: Upscaler | None = None

    def get(self) -> Upscaler | None:
        """Return it; None where there is none."""
        with self._lock:
            if self._upscaler is None and (entry := find_float(self._path)) is not None:
                entry.verify()
                self._upscaler = self._open_file(entry.path)
            return self._upscaler

    def close(self) -> None:
        """Close it if it was opened."""
        with self._lock:
            if self._upscaler is not None:
                self._upscaler.close()
                self._upscaler = None


class _Work:
    """One image on its way through an upscaler."""

    def __init__(self, upscaler: Upscaler, image: npt.NDArray[Any], on_progress: Progress | None) -> None:
        spec = upscaler.spec
        is_known = image.dtype == np.uint8 or (image.dtype == np.float32 and upscaler.takes_levels)
        if not is_known or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != spec.channels):
            raise SettingError(
                f"an image needs to be uint8{' or float32' if upscaler.takes_levels else ''} "
                f"(H, W, {spec.channels}) or (H, W), not {image.dtype} {image.shape}"
            )
        if image.size == 0:
            raise SettingError(f"an image needs at least one pixel, not {image.shape}")
        self._session, self._scale, self._channels = upscaler._session, spec.scale, spec.channels
        self._size = image.shape[:2]
        self._is_grey = image.ndim == 2
        self._image = _continued(image, spec.size_multiple)
        height, width = self._image.shape[:2]
        self.grid = upscaler._grid(height, width, image.itemsize)
        self.output_shape = (image.shape[0] * spec.scale, image.shape[1] * spec.scale, *image.shape[2:])
        self._on_progress, self._done = on_progress, 0

    def output(self, image: Samples, given: Samples | None) -> Samples:
        """Return an array for the whole output: a new one, or what was given, which has to fit."""
        if given is None:
            made: Samples = np.empty_like(image, order="C", subok=False, shape=self.output_shape)
            return made
        if given.shape != self.output_shape or given.dtype != image.dtype:
            raise SettingError(
                f"the output needs to be {image.dtype} {self.output_shape}, not {given.dtype} {given.shape}"
            )
        return given

    def kept(self, rows: Span) -> slice:
        """Return the rows of the output that a row of tiles makes."""
        return self._kept(rows, 0)

    def fill(self, rows: Span, strip: npt.NDArray[Any]) -> None:
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

    def _as_batch(self, window: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._is_grey:
            window = np.broadcast_to(window[:, :, None], (*window.shape, self._channels))
        return window[None]


def _as_grey(result: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from pocketsr.image import rgb_to_grey

    return rgb_to_grey(result)


def _continued(image: npt.NDArray[Any], multiple: int) -> npt.NDArray[Any]:
    """Repeat the last row and column until both sides are multiples of a number; the image itself where they are."""
    height, width = image.shape[:2]
    below, beside = -height % multiple, -width % multiple
    if not below and not beside:
        return image
    return np.pad(image, ((0, below), (0, beside), *[(0, 0)] * (image.ndim - 2)), mode="edge")
