"""Parity: a model file is written only if running it gives what its network gives."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ParityError
from pocketsr.graph import Graph, receptive_field
from pocketsr.graph.base import Size
from pocketsr.graph.tflite import DEFAULT_SIZE, write_model
from pocketsr.image.chatter import without_chatter
from pocketsr.spec import ModelSpec

#: Largest difference of a float32 file from its network, as a part of the full range.
FLOAT_TOLERANCE = 1e-4

_Image = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        images: Images compared.
        values: Output values compared.
        different: Output values that differ at all.
        largest: Largest difference, as a part of the full range.
    """

    images: int
    values: int
    different: int
    largest: float


def write_checked(
    graph: Graph,
    spec: ModelSpec,
    path: Path,
    *,
    forward: Callable[[_Image], npt.NDArray[np.floating]],
    images: Iterable[_Image],
    size: Size | None = None,
    is_fixed: bool = False,
) -> Parity:
    """Write a model file after running it with LiteRT on real images.

    Args:
        graph: What to write.
        spec: Its description.
        path: Where to write; nothing is left there if the check fails.
        forward: The network: uint8 ``(H, W, 3)`` to float ``(sH, sW, 3)`` in levels 0..255, not rounded.
        images: Low-resolution images to compare on; at least one.
        size: (height, width) written into the file for readers that cannot resize; None is the format's default.
        is_fixed: Leave out that other sizes may be asked for, as for timing on accelerators.

    Returns:
        What the comparison found.

    Raises:
        ParityError: An int8 file differs in a single byte, a float32 file by more than ``FLOAT_TOLERANCE``, or the
            description's receptive field is smaller than the graph's: tiles would show seams.
    """
    require_no_seams(graph, spec, path.name)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pocketsr-") as folder:
        candidate = Path(folder) / path.name
        write_model(graph, spec, candidate, size=size or DEFAULT_SIZE, is_fixed=is_fixed)
        parity = compare(candidate, forward, list(images))
        allowed = 0.0 if graph.is_integer else FLOAT_TOLERANCE
        if parity.largest > allowed:
            raise ParityError(
                f"{path.name} does not compute what its network computes: {parity.different} of {parity.values} values "
                f"differ, by up to {parity.largest:.2e} of full range ({allowed:g} is allowed); nothing was written"
            )
        candidate.replace(path)
    return parity


def require_no_seams(graph: Graph, spec: ModelSpec, name: str) -> None:
    """Refuse a description whose tiles would show seams.

    Raises:
        ParityError: The description's receptive field is smaller than the graph's.
    """
    needed = receptive_field(graph)
    if spec.receptive_field is not None and (needed is None or spec.receptive_field < needed):
        raise ParityError(
            f"{name}: the description says receptive field {spec.receptive_field}, the graph looks "
            f"{'at the whole image' if needed is None else f'{needed} pixels around'}; nothing was written"
        )


def compare(file: Path, forward: Callable[[_Image], npt.NDArray[np.floating]], images: Sequence[_Image]) -> Parity:
    """Run a model file and a network on the same images and count the differences.

    Raises:
        ParityError: There are no images to compare on.
    """
    return counted(file_forward(file), forward, images)


def counted(
    run: Callable[[_Image], npt.NDArray[np.float64]],
    forward: Callable[[_Image], npt.NDArray[np.floating]],
    images: Sequence[_Image],
) -> Parity:
    """Run two functions on the same images and count the differences; what is not a number differs without bound.

    Raises:
        ParityError: There are no images to compare on, or the functions make images of different sizes.
    """
    if not images:
        raise ParityError("a model file is checked on real images; at least one is needed, as large as the file's size")
    values = different = 0
    largest = 0.0
    for image in images:
        expected = forward(image).astype(np.float64)
        output = run(image)
        if output.shape != expected.shape:
            raise ParityError(f"the file makes {output.shape} of {image.shape}, its network {expected.shape}")
        with np.errstate(invalid="ignore"):  # infinity less infinity
            difference = np.nan_to_num(np.abs(output - expected) / 255, nan=np.inf, posinf=np.inf)
        values += difference.size
        different += int(np.count_nonzero(difference))
        largest = max(largest, float(difference.max()))
    return Parity(len(images), values, different, largest)


def file_forward(file: Path) -> Callable[[_Image], npt.NDArray[np.float64]]:
    """Return a ``.tflite`` as a function from an image to its output in levels 0..255, not rounded in float."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=1)
    source = interpreter.get_input_details()[0]

    def run(image: _Image) -> npt.NDArray[np.float64]:
        interpreter.resize_tensor_input(source["index"], (1, *image.shape))
        with without_chatter():
            interpreter.allocate_tensors()
        levels = image[None].astype(np.int16) - 128 if source["dtype"] == np.int8 else image[None]
        interpreter.set_tensor(source["index"], levels.astype(source["dtype"]))
        interpreter.invoke()
        result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        output: npt.NDArray[np.float64] = result[0].astype(np.float64)
        return output + 128 if source["dtype"] == np.int8 else output

    return run
