"""ONNX files from graphs, any height and width: one node for each operator of float32, int8 between conversions.

Ends: ``image``, ``(1, C, H, W)``, and ``upscaled``, ``(1, C, sH, sW)``; both are RGB (or luma) of 0..255, in float32,
or in uint8 where the graph is one of integers (``onnx_integers``), and otherwise as in a ``.tflite``, whose layout is
``(1, H, W, C)``. The description that a ``.tflite`` carries is in the metadata under the
same key, and a line that says the above. Sub-pixels are outside colours before DepthToSpace (mode DCR), as in a graph.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import LoweringError, MissingExtraError, ParityError
from pocketsr.graph import Graph, Quantisation, Value
from pocketsr.graph.base import Size
from pocketsr.graph.tflite import SPEC_ENTRY, require_that_spec_fits
from pocketsr.lower.onnx_integers import write_integer
from pocketsr.lower.onnx_operators import Builder, opset_of, write
from pocketsr.lower.parity import FLOAT_TOLERANCE, Parity, counted, require_no_seams
from pocketsr.spec import ModelSpec

#: Key of the metadata that says what the ends hold.
ENDS_ENTRY = "pocketsr_ends"
_ENDS = "image: {0} (1, C, H, W), 0..255; upscaled: {0} (1, C, sH, sW), 0..255; RGB where C is 3, luma where 1"
_IMAGE, _UPSCALED = "image", "upscaled"
#: Pixels themselves, which the ends of an int8 file hold.
_PIXELS = Quantisation(1.0, -128)
#: Levels that an int8 file may differ by: readers rescale sums in float32, and each has its own order.
INT8_LEVELS = 2
#: Version of the file format that came with each version of the operators.
_IR_VERSIONS = {17: 8, 20: 9}

_Image = npt.NDArray[np.uint8]


def onnx_bytes(graph: Graph, spec: ModelSpec, size: Size | None = None) -> bytes:
    """Return the bytes of an ONNX file; equal arguments give equal bytes.

    Args:
        graph: A float graph, or an int8 one whose ends are pixels.
        spec: Facts for the reader, kept as metadata.
        size: (height, width) that the file is bound to; None leaves both open.

    Raises:
        LoweringError: The graph has no ONNX form: activations of 16 bits, ends that are no pixels, an operator.
        ModelFileError: The spec says another scale, precision or number of channels than the graph has.
        MissingExtraError: onnx is not installed.
    """
    if graph.is_integer and not graph.input.quantisation == graph.output.quantisation == _PIXELS:
        raise LoweringError("the ends of an int8 ONNX file are pixels, of scale 1 from 0; write this one as .tflite")
    require_that_spec_fits(graph, spec)
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError as error:
        raise MissingExtraError.for_extra("onnx", "onnx") from error
    graph = _with_named_ends(graph)
    builder = Builder()
    converted: dict[str, str] = {}
    for op in graph.ops:
        if graph.is_integer:
            write_integer(op, builder, converted)
        else:
            write(op, builder)
    kind, word = (TensorProto.UINT8, "uint8") if graph.is_integer else (TensorProto.FLOAT, "float32")
    height, width = size or ("height", "width")
    outputs = graph.output_size(*size) if size else ("upscaled_height", "upscaled_width")
    ends = [
        helper.make_tensor_value_info(value.name, kind, [1, value.channels, *sides])
        for value, sides in ((graph.input, (height, width)), (graph.output, outputs))
    ]
    body = helper.make_graph(builder.nodes, "main", ends[:1], ends[1:], builder.constants)
    opset = opset_of(graph.ops)
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=_IR_VERSIONS[opset],
        producer_name="pocketsr",
    )
    helper.set_model_props(model, {SPEC_ENTRY: spec.to_json(), ENDS_ENTRY: _ENDS.format(word)})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def write_onnx_checked(
    graph: Graph,
    spec: ModelSpec,
    path: Path,
    *,
    forward: Callable[[_Image], npt.NDArray[np.floating]],
    images: Iterable[_Image],
    size: Size | None = None,
) -> Parity:
    """Write an ONNX file after running it with ONNX Runtime on real images.

    Args:
        graph: What to write.
        spec: Its description.
        path: Where to write; nothing is left there if the check fails.
        forward: The network: uint8 ``(H, W, C)`` to float ``(sH, sW, C)`` in levels 0..255, not rounded.
        images: Low-resolution images to compare on, cut to ``size`` where that is given. Where it is open and all are
            of one size, a smaller cut of the first is compared, too.
        size: (height, width) that the file is bound to; None leaves both open.

    Raises:
        ParityError: The file differs by more than ``FLOAT_TOLERANCE`` of full range, or an int8 one by more than
            ``INT8_LEVELS`` levels, no image is large enough, or the description's receptive field is smaller than the
            graph's: tiles would show seams.
        ModelFileError: The spec says another scale, precision or number of channels than the graph has.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    require_no_seams(graph, spec, path.name)
    content = onnx_bytes(graph, spec, size)
    if size is None:
        samples = _of_two_sizes(list(images), spec.size_multiple)
    else:
        samples = [cut for image in images if (cut := image[: size[0], : size[1]]).shape[:2] == size]
    parity = counted(_runtime(content), forward, samples)
    allowed = INT8_LEVELS / 255 + 1e-9 if graph.is_integer else FLOAT_TOLERANCE
    if parity.largest > allowed:
        raise ParityError(
            f"{path.name} does not compute what its network computes: values differ by up to {parity.largest:.2e} of "
            f"full range ({allowed:.2g} is allowed); nothing was written"
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pocketsr-") as folder:
        candidate = Path(folder) / path.name
        candidate.write_bytes(content)
        candidate.replace(path)
    return parity


def _with_named_ends(graph: Graph) -> Graph:
    """Return the graph with its ends named as in the signature of a ``.tflite``."""
    names = {_IMAGE: f"inside/{_IMAGE}", _UPSCALED: f"inside/{_UPSCALED}"}
    names |= {graph.input.name: _IMAGE, graph.output.name: _UPSCALED}

    def renamed(value: Value) -> Value:
        return dataclasses.replace(value, name=names.get(value.name, value.name))

    ops = tuple(
        dataclasses.replace(op, inputs=tuple(renamed(value) for value in op.inputs), output=renamed(op.output))
        for op in graph.ops
    )
    return Graph(renamed(graph.input), renamed(graph.output), ops)


def _of_two_sizes(images: Sequence[_Image], multiple: int) -> list[_Image]:
    """Add a cut of the first image where all are of one size: a file that is bound to a size would pass otherwise."""
    if len({image.shape for image in images}) != 1 or min(images[0].shape[:2]) <= multiple:
        return list(images)
    return [*images, images[0][:-multiple, :-multiple]]


def _runtime(content: bytes) -> Callable[[_Image], npt.NDArray[np.float64]]:
    """Return the file as a function from an image to its raw output in levels 0..255."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.for_extra("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kind = np.uint8 if session.get_inputs()[0].type == "tensor(uint8)" else np.float32

    def run(image: _Image) -> npt.NDArray[np.float64]:
        batch = image.transpose(2, 0, 1)[None].astype(kind)
        (output,) = session.run([_UPSCALED], {_IMAGE: batch})
        upscaled: npt.NDArray[np.float64] = output[0].transpose(1, 2, 0).astype(np.float64)
        return upscaled

    return run
