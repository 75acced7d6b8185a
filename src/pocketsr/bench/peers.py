"""Peers: what others offer for the same job, timed as our models are, uint8 array in and uint8 array out.

    pillow   bicubic, lanczos
    opencv   bicubic, lanczos; networks from .pb, .onnx and .tflite through its dnn module
    ncnn     networks from a .param with its .bin beside

A network of one channel is fed as OpenCV's dnn_superres feeds it: luma through the network, colour differences by
bicubic. Files of peers are opened by the programs they are for and checked by those alone. Knows nothing of which peers
are asked for, nor of where their files come from.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from pocketsr.errors import MissingExtraError, ModelFileError, PocketsrError, UnknownNameError
from pocketsr.runtime.pixels import Pixels
from pocketsr.spec import ModelSpec

#: From an image ``(H, W, 3)`` to a larger one.
Work: TypeAlias = Callable[[Pixels], Pixels]
#: What a program asks a file with, to learn its factor: sides that no network here refuses.
_ASKED = (48, 64)
#: Kernels by the names that are asked for.
KERNELS = ("bicubic", "lanczos")
#: Packages that hold a program, the first installed of which tells its version.
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "pillow": ("Pillow",),
    "opencv": (
        "opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"
    ),
    "ncnn": ("ncnn",),
}  # fmt: skip
PROGRAMS = tuple(_PACKAGES)


def version_of(program: str) -> str | None:
    """Return the version of an installed program, None where it is not installed.

    >>> version_of("pillow") is not None
    True
    """
    for package in _PACKAGES[program]:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def open_peer(program: str, model: str, scale: int, threads: int) -> tuple[Work, ModelSpec]:
    """Make a peer ready.

    Args:
        program: One of ``PROGRAMS``.
        model: One of ``KERNELS``, or the path of a file that the program reads.
        scale: Factor of a kernel; files have their own.
        threads: Processor threads; Pillow has one.

    Returns:
        What enlarges an image, and a description with a factor and no receptive field: peers run whole images.

    Raises:
        UnknownNameError: The program has no such kernel.
        ModelFileError: The file is missing, or the program cannot read or run it.
        MissingExtraError: The program is not installed.
    """
    if model in KERNELS:
        if program not in _KERNELS:
            raise UnknownNameError.among(f"peer of {program}", model, ["a file"])
        return _KERNELS[program](model, scale, threads), _described(model, "", scale, "int8")
    path = Path(model)
    if program not in _READERS or not path.is_file():
        raise ModelFileError(f"there is no {path} that {program} reads")
    try:
        work = _READERS[program](path, threads)
        made = work(np.full((*_ASKED, 3), 128, np.uint8))
    except PocketsrError:
        raise
    except Exception as error:  # each program's errors have a base of their own
        words = " ".join(str(error).split()) or type(error).__name__
        reason = words.rpartition("error: ")[2][:200]  # before it OpenCV names places in its own source
        raise ModelFileError(f"{program} cannot run {path.name}: {reason}") from error
    found = made.shape[0] // _ASKED[0]
    if made.shape != (_ASKED[0] * found, _ASKED[1] * found, 3) or found < 1:
        raise ModelFileError(f"{path.name} makes {made.shape} of {(*_ASKED, 3)}: it does not enlarge images")
    return work, _described(path.stem, path.stem, found, "float32")


def _described(name: str, network: str, scale: int, precision: Any) -> ModelSpec:
    return ModelSpec(name=name, network=network, scale=scale, precision=precision, receptive_field=None)


def _pillow_kernel(kernel: str, scale: int, threads: int) -> Work:
    del threads  # it has one
    from PIL import Image

    filters = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}

    def enlarge(image: Pixels) -> Pixels:
        size = image.shape[1] * scale, image.shape[0] * scale
        return np.asarray(Image.fromarray(image).resize(size, filters[kernel]))

    return enlarge


def _opencv_kernel(kernel: str, scale: int, threads: int) -> Work:
    cv2 = _opencv(threads)
    kernels = {"bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}

    def enlarge(image: Pixels) -> Pixels:
        size = image.shape[1] * scale, image.shape[0] * scale
        made: Pixels = cv2.resize(image, size, interpolation=kernels[kernel])
        return made

    return enlarge


def _opencv_network(path: Path, threads: int) -> Work:
    cv2 = _opencv(threads)
    readers = {
        ".pb": cv2.dnn.readNetFromTensorflow,
        ".onnx": cv2.dnn.readNetFromONNX,
        ".tflite": cv2.dnn.readNetFromTFLite,
    }
    if path.suffix not in readers:
        raise ModelFileError(f"opencv reads {', '.join(readers)}, not {path.name}")
    network = readers[path.suffix](str(path))

    def forward(planes: Pixels) -> Any:  # (H, W) or (H, W, 3), as values of 0..1; makes (C, sH, sW)
        network.setInput(cv2.dnn.blobFromImage(planes, 1 / 255))
        return network.forward()[0]

    def by_colour(image: Pixels) -> Pixels:
        made: Pixels = cv2.convertScaleAbs(forward(image).transpose(1, 2, 0), alpha=255)
        return made

    def by_luma(image: Pixels) -> Pixels:
        luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
        large = cv2.convertScaleAbs(forward(luma)[0], alpha=255)
        size = large.shape[1], large.shape[0]
        sides = [cv2.resize(side, size, interpolation=cv2.INTER_CUBIC) for side in (red, blue)]
        made: Pixels = cv2.cvtColor(cv2.merge([large, *sides]), cv2.COLOR_YCrCb2RGB)
        return made

    try:  # files do not say in one way how many channels they take; what comes of one channel tells
        if len(forward(np.full(_ASKED, 128, np.uint8))) == 1:
            return by_luma
    except cv2.error:  # some networks of colour refuse it, others do not
        network = readers[path.suffix](str(path))
    return by_colour


def _opencv(threads: int) -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError.for_extra("opencv-python-headless", "peers") from error
    cv2.setNumThreads(threads)
    return cv2


def _ncnn_network(path: Path, threads: int) -> Work:
    try:
        import ncnn
    except ImportError as error:
        raise MissingExtraError.for_extra("ncnn", "peers") from error
    network = ncnn.Net()
    network.opt.num_threads = threads
    if network.load_param(str(path)) or network.load_model(str(path.with_suffix(".bin"))):
        raise ModelFileError(f"ncnn cannot read {path.name} and its .bin")
    source, made = network.input_names()[0], network.output_names()[-1]

    def enlarge(image: Pixels) -> Pixels:
        given = ncnn.Mat.from_pixels(
            np.ascontiguousarray(image), ncnn.Mat.PixelType.PIXEL_RGB, image.shape[1], image.shape[0]
        )
        given.substract_mean_normalize([], [1 / 255] * 3)
        extractor = network.create_extractor()
        extractor.input(source, given)
        code, found = extractor.extract(made)
        if code:
            raise ModelFileError(f"ncnn cannot run {path.name}: code {code}")
        numbers = np.array(found).transpose(1, 2, 0)  # (C, H, W)
        return np.asarray(np.clip(np.rint(numbers * 255), 0, 255).astype(np.uint8))

    return enlarge


_KERNELS: Mapping[str, Callable[[str, int, int], Work]] = {"pillow": _pillow_kernel, "opencv": _opencv_kernel}
_READERS: Mapping[str, Callable[[Path, int], Work]] = {"opencv": _opencv_network, "ncnn": _ncnn_network}
