"""pocketsr: image super-resolution for the hardware people have.

    >>> import numpy as np, pocketsr
    >>> "abpn-x3" in [entry.name for entry in pocketsr.models()]
    True
    >>> pocketsr.upscale(np.zeros((36, 64, 3), np.uint8)).shape
    (108, 192, 3)

Importing it loads neither torch nor a runtime nor numpy; the first call does what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pocketsr.errors import PocketsrError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image
    from typing_extensions import TypeIs

    from pocketsr.runtime import Upscaler
    from pocketsr.runtime.style import StyleChoice
    from pocketsr.weights import Entry

    PathLike = str | os.PathLike[str]
    Pixels = npt.NDArray[np.uint8]
    _Array = TypeVar("_Array", bound=npt.NDArray[Any])

__all__ = ["PocketsrError", "Upscaler", "load", "models", "upscale"]


@overload
def upscale(
    image: _Array,
    model: PathLike | None = ...,
    *,
    scale: float | None = ...,
    style: StyleChoice = ...,
    tta: bool = ...,
    output: None = ...,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    memory_mb: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> _Array: ...
@overload
def upscale(
    image: PathLike,
    model: PathLike | None = ...,
    *,
    scale: float | None = ...,
    style: StyleChoice = ...,
    tta: bool = ...,
    output: None = ...,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    memory_mb: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> Pixels: ...
@overload
def upscale(
    image: bytes,
    model: PathLike | None = ...,
    *,
    scale: float | None = ...,
    style: StyleChoice = ...,
    tta: bool = ...,
    output: None = ...,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    memory_mb: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> bytes: ...
@overload
def upscale(
    image: Image,
    model: PathLike | None = ...,
    *,
    scale: float | None = ...,
    style: StyleChoice = ...,
    tta: bool = ...,
    output: None = ...,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    memory_mb: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> Image: ...
@overload
def upscale(
    image: npt.NDArray[Any] | PathLike | bytes | Image,
    model: PathLike | None = ...,
    *,
    scale: float | None = ...,
    style: StyleChoice = ...,
    tta: bool = ...,
    output: PathLike,
    overwrite: bool = ...,
    backend: str = ...,
    threads: int | None = ...,
    tile: int | None = ...,
    memory_mb: int | None = ...,
    on_progress: Callable[[int, int], None] | None = ...,
) -> Path: ...
def upscale(
    image: npt.NDArray[Any] | PathLike | bytes | Image,
    model: PathLike | None = None,
    *,
    scale: float | None = None,
    style: StyleChoice = "auto",
    tta: bool = False,
    output: PathLike | None = None,
    overwrite: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    memory_mb: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[Any] | Path | bytes | Image:
    """Make one image larger. For many images ``load`` a model once and call it.

    Args:
        image: An array, ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` with alpha, of uint8, uint16, or floating
            point of 0..1; an image of Pillow's; the bytes of an image file; or the path of one.
        model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``; None takes what suits scale and image.
        scale: Output side over input side, such as 2 or 2.5; None is the model's own. Models are run until the scale
            is reached or passed, and what is past it is resized.
        style: Where no model is named, what kind is taken: ``"clean"``; ``"jpeg"`` for photos that were stored as JPEG;
            ``"jpeg-444"`` where that kept colour at full resolution, and ``"jpeg-coarse"`` where it shows, which
            ``"jpeg"`` finds by itself if the image tells; ``"gan"`` for invented texture; ``"auto"`` or ``"photo"``
            looks at the image and takes one of the first four.
        tta: Give the mean over the eight orientations of the image: a little better, about ten times as slow.
        output: Image file to write; a file's transparency, metadata and colour profile go along.
        overwrite: Replace the output if it is there.
        backend: What runs the model, such as ``"litert"`` or ``"openvino"``; ``"auto"`` chooses, ``"fast"`` may
            take one whose int8 is within two levels.
        threads: Processor threads; None takes the cores this process may use.
        tile: Longest side of a tile in low-resolution pixels; None chooses. The result does not depend on it.
        memory_mb: Megabytes that tiles and the strips they make may take, instead of ``tile``.
        on_progress: Called as the model goes on with (parts done, parts in all): tiles, where 8 bits are enlarged.

    Returns:
        With ``output`` the path that was written. Without, what was given, enlarged: an array of the same type and
        channels, an image of Pillow's, a file's bytes in its format. Of a path the pixels, uint8 ``(sH, sW, 3)``, or
        ``(sH, sW)`` where the file is grey.

    Raises:
        UnknownNameError: No model or backend has that name.
        ModelFileError: The model file is missing, damaged, or not ours.
        ImageFileError: The image cannot be read, or the output not written.
        OutputExistsError: The output is there and ``overwrite`` is false.
        SettingError: The array has another dtype or shape, or a setting is out of range.

    >>> import numpy as np
    >>> upscale(np.zeros((4, 4), np.float32), scale=2.5).shape
    (10, 10)
    >>> upscale(np.zeros((4, 4, 3), np.uint8), model="no-such-model")
    Traceback (most recent call last):
    ...
    pocketsr.errors.UnknownNameError: unknown model 'no-such-model'; ...
    """
    from pocketsr.image import photo_from_pillow, read_image
    from pocketsr.runtime import Target, kinds, open_models
    from pocketsr.runtime.enlarge import Enlarger
    from pocketsr.runtime.photo import PhotoSettings, upscale_file, write_upscaled

    target = None if scale is None else Target(scale=scale)
    models = open_models(
        model, target, style=style, backend=backend, threads=threads, tile=tile, memory_mb=memory_mb, tta=tta
    )
    settings = PhotoSettings(target=target, style=style)
    enlarger = Enlarger(models, target=target, style=style)
    if output is not None:
        path = Path(output)
        if isinstance(image, str | os.PathLike):
            upscale_file(models, Path(image), path, settings=settings, overwrite=overwrite, on_progress=on_progress)
            return path
        if isinstance(image, bytes):
            photo = read_image(image, deep=True)
        else:
            photo = photo_from_pillow(image) if _is_pillow(image) else kinds.photo_of_array(image)
        write_upscaled(models, photo, path, settings=settings, overwrite=overwrite, on_progress=on_progress)
        return path
    if isinstance(image, bytes):
        return kinds.upscale_bytes(models, image, settings=settings, on_progress=on_progress)
    if isinstance(image, str | os.PathLike):
        return kinds.upscale_pixels(enlarger, read_image(Path(image)), on_progress=on_progress)
    if _is_pillow(image):
        return kinds.upscale_pillow(enlarger, image, on_progress=on_progress)
    return kinds.upscale_array(enlarger, image, on_progress=on_progress)


def _is_pillow(image: object) -> TypeIs[Image]:
    """Whether it is an image of Pillow's, without importing Pillow for those who do not use it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def load(
    model: PathLike = "pocket-x3",
    *,
    backend: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    memory_mb: int | None = None,
    tta: bool = False,
) -> Upscaler:
    """Open a model once, to call it on many images, from as many threads as you like.

    Args:
        model: A name in the catalogue, or a path to a ``.tflite`` or ``.onnx``.
        backend: What runs it.
        threads: Processor threads; None takes the cores this process may use.
        tile: Longest side of a tile in low-resolution pixels; None chooses.
        memory_mb: Megabytes that tiles and the strips they make may take, instead of ``tile``.
        tta: Give the mean over the eight orientations of each image: a little better, about ten times as slow.

    Returns:
        A function from uint8 ``(H, W, 3)`` to uint8 ``(sH, sW, 3)``, with ``spec`` and ``strips``. Used as a context it
        lets go of its memory at the end.

    Raises:
        UnknownNameError: No model or backend has that name.
        ModelFileError: The model file is missing, damaged, or not ours.
        SettingError: A setting is out of range.

    >>> import numpy as np
    >>> with load("pocket-x3", threads=1) as upscale_image:
    ...     [upscale_image(np.zeros(size, np.uint8)).shape for size in ((4, 5), (6, 7, 3))]
    [(12, 15), (18, 21, 3)]
    """
    from pocketsr.runtime import Upscaler

    return Upscaler(model, backend=backend, threads=threads, tile=tile, memory_mb=memory_mb, tta=tta)


def __getattr__(name: str) -> Any:
    """Import the class of what ``load`` returns when it is asked for: it needs numpy, and this module does not."""
    if name != "Upscaler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pocketsr.runtime import Upscaler

    return Upscaler


def models() -> tuple[Entry, ...]:
    """Return the models that come with pocketsr, and those of the bank where it is at hand.

    >>> all(entry.scale >= 2 for entry in models())
    True
    """
    from pocketsr.weights import entries

    return entries()
