"""pocketsr: image super-resolution for the hardware people have.

    >>> import numpy as np, pocketsr
    >>> [entry.name for entry in pocketsr.models()][:2]
    ['abpn-x3', 'abpn-x3-float']
    >>> pocketsr.upscale(np.zeros((36, 64, 3), np.uint8)).shape
    (108, 192, 3)

Importing it loads neither torch nor a runtime nor numpy; the first call does what it needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, overload

from pocketsr.errors import PocketsrError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pocketsr.runtime import Upscaler
    from pocketsr.weights import Entry

    PathLike = str | os.PathLike[str]
    Pixels = npt.NDArray[np.uint8]

__all__ = ["PocketsrError", "load", "models", "upscale"]


@overload
def upscale(
    image: Pixels | PathLike,
    model: PathLike = ...,
    *,
    output: None = ...,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> Pixels: ...
@overload
def upscale(
    image: Pixels | PathLike,
    model: PathLike = ...,
    *,
    output: PathLike,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> Path: ...
def upscale(
    image: Pixels | PathLike,
    model: PathLike = "abpn-x3",
    *,
    output: PathLike | None = None,
    overwrite: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Pixels | Path:
    """Make one image larger. For many images ``load`` a model once and call it.

    Args:
        image: uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey, or the path of an image file.
        model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``.
        output: Image file to write; a file's transparency, EXIF and colour profile go along.
        overwrite: Replace the output if it is there.
        backend: What runs the model, such as ``"litert"`` or ``"openvino"``; ``"auto"`` chooses, ``"fast"`` may
            take one whose int8 is within two levels.
        threads: Processor threads; None takes the cores this process may use.
        tile: Longest side of a tile in low-resolution pixels; None chooses. The result does not depend on it.
        on_progress: Called after every tile with (tiles done, tiles in all).

    Returns:
        Without ``output`` the pixels, uint8 ``(sH, sW, 3)``, or ``(sH, sW)`` for a grey array or file.
        With it, the path that was written.

    Raises:
        UnknownNameError: No model or backend has that name.
        ModelFileError: The model file is missing, damaged, or not ours.
        ImageFileError: The image cannot be read, or the output not written.
        OutputExistsError: The output is there and ``overwrite`` is false.
        SettingError: The array has another dtype or shape, or a setting is out of range.

    >>> import numpy as np
    >>> upscale(np.zeros((4, 4, 3), np.uint8), model="no-such-model")
    Traceback (most recent call last):
    ...
    pocketsr.errors.UnknownNameError: unknown model 'no-such-model'; ...
    """
    from pocketsr.image import read_image
    from pocketsr.runtime import Upscaler
    from pocketsr.runtime.photo import network_input, photo_of, upscale_file, write_upscaled

    upscaler = Upscaler(model, backend=backend, threads=threads, tile=tile)
    if output is None:
        pixels = network_input(read_image(Path(image))) if isinstance(image, str | os.PathLike) else image
        return upscaler(pixels, on_progress=on_progress)
    target = Path(output)
    if isinstance(image, str | os.PathLike):
        upscale_file(upscaler, Path(image), target, overwrite=overwrite, on_progress=on_progress)
    else:
        write_upscaled(upscaler, photo_of(image), target, overwrite=overwrite, on_progress=on_progress)
    return target


def load(
    model: PathLike = "abpn-x3", *, backend: str = "auto", threads: int | None = None, tile: int | None = None
) -> Upscaler:
    """Open a model once, to call it on many images.

    Args:
        model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``.
        backend: What runs it.
        threads: Processor threads; None takes the cores this process may use.
        tile: Longest side of a tile in low-resolution pixels; None chooses.

    Returns:
        A function from uint8 ``(H, W, 3)`` to uint8 ``(sH, sW, 3)``, with ``spec`` and ``strips``.

    Raises:
        UnknownNameError: No model or backend has that name.
        ModelFileError: The model file is missing, damaged, or not ours.
        SettingError: A setting is out of range.
    """
    from pocketsr.runtime import Upscaler

    return Upscaler(model, backend=backend, threads=threads, tile=tile)


def models() -> tuple[Entry, ...]:
    """Return the models that come with pocketsr.

    >>> all(entry.scale >= 2 for entry in models())
    True
    """
    from pocketsr.weights import entries

    return entries()
