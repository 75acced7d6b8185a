"""Files of well-known small networks with random weights, for programs of others to be timed on.

Trained files of these belong to others and are not here; what is computed, and so the time, is the same. Drawn are
FSRCNN(56, 12, 4) and ESPCN on luma, which OpenCV's dnn_superres has, and the compact network of Real-ESRGAN's fast
models.

    fsrcnn             as its file for OpenCV computes it: PReLU in five operators, a transposed 9×9 convolution
    fsrcnn-subpixel    the same network rewritten for speed: PReLU as one operator, a convolution to sub-pixels
    espcn              5×5 to 64, 3×3 to 32, 3×3 to sub-pixels, tanh between
    compact            18 convolutions of 64 channels with PReLU, pixel shuffle, nearest-neighbour image added

Source: Saafke/FSRCNN_Tensorflow, fannymonori/TF-ESPCN (operators of the files); xinntao/Real-ESRGAN, SRVGGNetCompact
with 16 inner convolutions.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import MissingExtraError

_Array = npt.NDArray[np.float32]


class _Luma:
    """An ONNX file of one channel at both ends, operator by operator; its current value is ``name``."""

    def __init__(self) -> None:
        self.name = "luma"
        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, shape: tuple[int, ...], spread: float = 0.05) -> str:
        from onnx import numpy_helper

        label = f"c{len(self._constants)}"
        values = self._random.normal(0, spread, shape).astype(np.float32)
        self._constants.append(numpy_helper.from_array(values, label))
        return label

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        self.name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [self.name], **attributes))
        return self.name

    def conv(self, inputs: int, outputs: int, side: int) -> str:
        weights = self.constant((outputs, inputs, side, side)), self.constant((outputs,))
        # OpenCV 4 does not read the kernel's shape off the weights.
        return self.node("Conv", self.name, *weights, kernel_shape=[side] * 2, pads=[side // 2] * 4)

    def write(self, path: Path, name: str) -> None:
        from onnx import TensorProto, helper

        ends = [
            helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 1, *sides])
            for end, sides in (("luma", ("height", "width")), (self.name, ("large_height", "large_width")))
        ]
        graph = helper.make_graph(self._nodes, name, ends[:1], ends[1:], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path.write_bytes(model.SerializeToString())


def write_fsrcnn(path: Path, scale: int, *, is_rewritten: bool) -> None:
    """Write FSRCNN.

    Args:
        path: An ``.onnx``.
        scale: Factor.
        is_rewritten: For speed, instead of as its file for OpenCV computes it.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    _require_onnx()
    made = _Luma()
    for inputs, outputs, side in [(1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1)]:
        source = made.conv(inputs, outputs, side)
        slope = made.constant((outputs, 1, 1))
        if is_rewritten:
            made.node("PRelu", source, slope)
            continue
        positive = made.node("Relu", source)
        negative = made.node("Sub", source, made.node("Abs", source))
        made.node("Add", positive, made.node("Mul", negative, slope))
    if is_rewritten:
        made.conv(56, scale**2, 2 * -(-4 // scale) + 1)
        made.node("DepthToSpace", made.name, blocksize=scale, mode="CRD")
    else:
        weights = made.constant((56, 1, 9, 9)), made.constant((1,))
        made.node(
            "ConvTranspose",
            made.name,
            *weights,
            kernel_shape=[9, 9],
            strides=[scale] * 2,
            pads=[4] * 4,
            output_padding=[scale - 1] * 2,  # what makes the output just ``scale`` times as large
        )
    made.write(path, "fsrcnn")


def write_espcn(path: Path, scale: int) -> None:
    """Write ESPCN; arguments and errors as ``write_fsrcnn``."""
    _require_onnx()
    made = _Luma()
    for inputs, outputs, side in ((1, 64, 5), (64, 32, 3)):
        made.node("Tanh", made.conv(inputs, outputs, side))
    made.conv(32, scale**2, 3)
    made.node("DepthToSpace", made.name, blocksize=scale, mode="CRD")
    made.write(path, "espcn")


def write_compact(path: Path, scale: int, *, depth: int = 16, width: int = 64) -> None:
    """Write the compact network for ncnn: a ``.param`` of text and a ``.bin`` of weights beside it.

    Args:
        path: A ``.param``.
        scale: Factor.
        depth: Convolutions between the first and the last.
        width: Their channels.
    """
    random = np.random.default_rng(0)
    layers, weights = ["Input image 0 1 image", "Split both 1 2 image trunk skip"], bytearray()
    source = "trunk"
    widths = [3, *[width] * (depth + 1), 3 * scale**2]
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        count = outputs * inputs * 9
        layers.append(f"Convolution conv{index} 1 1 {source} c{index} 0={outputs} 1=3 4=1 5=1 6={count}")
        source = f"c{index}"
        # Four bytes of 0 say that float32 follow; biases and slopes have none.
        weights += bytes(4) + _numbers(random, count) + _numbers(random, outputs)
        if index <= depth:
            layers.append(f"PReLU act{index} 1 1 c{index} a{index} 0={outputs}")
            weights += _numbers(random, outputs)
            source = f"a{index}"
    layers += [
        f"PixelShuffle shuffle 1 1 {source} detail 0={scale}",
        f"Interp nearest 1 1 skip base 0=1 1={scale} 2={scale}",
        "BinaryOp sum 2 1 detail base upscaled 0=0",
    ]
    blobs = len(layers) + 1  # each layer makes one, the split two
    path.write_text("\n".join(["7767517", f"{len(layers)} {blobs}", *layers]) + "\n", encoding="utf-8")
    path.with_suffix(".bin").write_bytes(weights)


def _numbers(random: np.random.Generator, count: int) -> bytes:
    values: _Array = random.normal(0, 0.05, count).astype("<f4")
    return values.tobytes()


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError.for_extra("onnx", "peers") from error
