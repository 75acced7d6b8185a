"""TensorFlow as a witness: its converter, given the same weights and ranges, makes a file that gives the same bytes.

ABPN is written here a second time, in TensorFlow and in its own channel order, so that tracing, rounding weights and
biases, joining ReLU to convolutions and writing the file are all done once by pocketsr and once by others. The anchor
is a concatenation of images there and a 1×1 convolution here. TensorFlow is no dependency: without it these tests skip,
and ``docs/concepts/integer-training.md`` says how to run them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own, of the packages it stands on
    tensorflow = pytest.importorskip(
        "tensorflow", reason="the witness is TensorFlow's converter: pip install tensorflow-cpu"
    )

from ai_edge_litert.interpreter import Interpreter

from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.graph import Conv2D, Graph, receptive_field
from pocketsr.graph.tflite import write_model
from pocketsr.image.chatter import without_chatter
from pocketsr.lower import trace
from pocketsr.networks import build
from pocketsr.spec import ModelSpec

pytestmark = [
    pytest.mark.slow,
    # The converter's word that a representative data set is missing; fake quantisation is there in its place.
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
]

#: Largest difference of the two float32 files, in levels of 0..255: sums are taken in another order.
FLOAT_LEVELS = 1e-4 * 255
#: Both sides are compared at this size, which is no multiple of anything.
HEIGHT, WIDTH = 23, 37

#: A bias scale is the product of two scales; TensorFlow takes it in double precision and rounds once, we take it of the
#: float32 scales that the file holds. No kernel reads it: it went into the integers, which must be equal.
BIAS_SCALE_ULPS = 1


def lively_abpn(scale: int, seed: int) -> torch.nn.Module:
    """A narrow ABPN whose weights and biases all count."""
    torch.manual_seed(seed)
    network = build("abpn", {"scale": scale, "width": 12})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
            if parameter.dim() == 1:
                parameter.add_(4 * torch.randn_like(parameter))
    return network.eval()


def quantised_with_scales_tensorflow_can_have(network: torch.nn.Module, images: list[np.ndarray]) -> IntegerNetwork:
    """Quantise, then move learnt scales by an ulp or two where no range in float32 gives them.

    TensorFlow knows a scale only as a range over 255, and about one float32 in 256 is no such quotient.
    """
    quantised = quantise(network, images)
    with torch.no_grad():
        for log_scale in quantised.log_scales.values():
            while _range_top(float(torch.exp(log_scale))) is None:
                log_scale.copy_(torch.nextafter(log_scale, torch.tensor(np.inf)))
    return quantised


def _range_top(scale: float) -> float | None:
    """Return the float32 whose 255th part is ``scale`` in float32; None where there is none."""
    near = np.float32(255 * np.float64(np.float32(scale)))
    for top in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))):
        if np.float32(np.float64(top) / 255) == np.float32(scale):
            return float(top)
    return None


class Witness:
    """ABPN in TensorFlow: 0..255 in and out, with the weights of a torch network.

    Args:
        network: Plain torch ABPN with the anchor.
        graph: Integer graph whose scales fake quantisation takes; None stays float.
    """

    def __init__(self, network: Any, graph: Graph | None) -> None:
        self.scale = network.scale
        self.layers = [*_layers_in_tensorflow_order(network)]
        ours = [op for op in graph.ops if isinstance(op, Conv2D) and op.weight.shape[1] > 1] if graph else []
        self.outputs = [op.output.quantisation for op in ours]

    def __call__(self, image: Any) -> Any:
        image = self._ranged(image, 1.0, -128)
        x = image
        for index, (weight, bias) in enumerate(self.layers):
            x = tensorflow.nn.conv2d(x, self._rounded(weight), 1, "SAME") + bias
            x = tensorflow.nn.relu(x) if index < len(self.layers) - 1 else x
            if self.outputs:
                x = self._ranged(x, self.outputs[index].scale, self.outputs[index].zero_point)
        x = x + tensorflow.concat([image] * self.scale**2, axis=3)
        x = self._ranged(tensorflow.clip_by_value(x, 0, 255) if not self.outputs else x, 1.0, -128)
        return tensorflow.nn.depth_to_space(x, self.scale)

    def _ranged(self, x: Any, scale: float, zero_point: int) -> Any:
        if not self.outputs:
            return x
        if zero_point == -128:
            low, high = 0.0, _range_top(scale)
        else:
            low, high = -128.0 * scale, 127.0 * scale
        assert high is not None
        return tensorflow.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=8)

    def _rounded(self, weight: np.ndarray) -> Any:
        if not self.outputs:
            return tensorflow.constant(weight)
        peaks = np.abs(weight).max(axis=(0, 1, 2))
        return tensorflow.quantization.fake_quant_with_min_max_vars_per_channel(
            weight, -peaks, peaks, num_bits=8, narrow_range=True
        )


def _layers_in_tensorflow_order(network: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights (height, width, in, out) and biases; the last outputs run (dy, dx, colour), not (colour, dy, dx)."""
    for conv in (network.head, *network.body, network.tail, network.transition):
        weight = conv.weight.detach().numpy().transpose(2, 3, 1, 0)
        bias = conv.bias.detach().numpy()
        if conv is network.transition:
            order = np.arange(3 * network.scale**2).reshape(3, -1).T.ravel()
            weight, bias = weight[..., order], bias[order]
        yield np.ascontiguousarray(weight), bias


def converted(witness: Witness, *, integer: bool) -> bytes:
    """Return the .tflite that TensorFlow's converter makes."""
    signature = tensorflow.TensorSpec((1, HEIGHT, WIDTH, 3), tensorflow.float32)
    function = tensorflow.function(witness, input_signature=[signature]).get_concrete_function()
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([function])
    if integer:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tensorflow.int8
    return bytes(converter.convert())


def ours(graph: Graph, folder: Path) -> bytes:
    """Return the file that pocketsr writes."""
    spec = ModelSpec(
        name="abpn",
        network="abpn",
        scale=graph.scale,
        precision="int8" if graph.is_integer else "float32",
        receptive_field=receptive_field(graph),
    )
    write_model(graph, spec, folder / "model.tflite")
    return (folder / "model.tflite").read_bytes()


def run(content: bytes, image: np.ndarray) -> np.ndarray:
    """Run a file with LiteRT on a uint8 image; return its output in levels 0..255 as it stands there."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], (1, *image.shape))
    with without_chatter():
        interpreter.allocate_tensors()
    if source["dtype"] == np.int8:
        assert source["quantization"] == target["quantization"] == (1.0, -128)
        interpreter.set_tensor(source["index"], (image[None].astype(np.int16) - 128).astype(np.int8))
    else:
        interpreter.set_tensor(source["index"], image[None].astype(np.float32))
    interpreter.invoke()
    return np.array(interpreter.get_tensor(target["index"]))


def convolutions(content: bytes) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Weights, their scales, biases and their scales of every 3×3 convolution, in the order they run."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    found = []
    for op in interpreter._get_ops_details():
        if op["op_name"] == "CONV_2D" and details[op["inputs"][1]]["shape"][1] == 3:
            weight, bias = (details[index] for index in op["inputs"][1:])
            found.append(
                tuple(
                    array
                    for tensor in (weight, bias)
                    for array in (interpreter.get_tensor(tensor["index"]), tensor["quantization_parameters"]["scales"])
                )
            )
    return found


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    random = np.random.default_rng(5)
    smooth = np.add.outer(np.arange(HEIGHT) * 5, np.arange(WIDTH) * 3)[..., None] + [0, 20, 40]
    return [
        random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        np.clip(smooth, 0, 255).astype(np.uint8),
        np.full((HEIGHT, WIDTH, 3), 255, np.uint8),
    ]


@pytest.mark.parametrize(("scale", "seed"), [(3, 0), (3, 1), (2, 2)])
def test_tensorflow_makes_a_file_that_gives_the_same_bytes(
    scale: int, seed: int, images: list[np.ndarray], tmp_path: Path
) -> None:
    network = lively_abpn(scale, seed)
    graph = quantised_with_scales_tensorflow_can_have(network, images).graph()
    theirs, mine = converted(Witness(network, graph), integer=True), ours(graph, tmp_path)
    for image in images:
        expected = run(theirs, image)
        assert expected.std() > 0
        np.testing.assert_array_equal(run(mine, image), expected)


def test_tensorflow_rounds_weights_and_biases_to_the_same_integers(images: list[np.ndarray], tmp_path: Path) -> None:
    network = lively_abpn(3, 0)
    graph = quantised_with_scales_tensorflow_can_have(network, images).graph()
    theirs = convolutions(converted(Witness(network, graph), integer=True))
    mine = convolutions(ours(graph, tmp_path))
    assert len(theirs) == len(mine) == 7
    for (weight, scale, bias, bias_scale), expected in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(weight, expected[0])
        np.testing.assert_array_equal(scale, expected[1])
        np.testing.assert_array_equal(bias, expected[2])
        np.testing.assert_array_max_ulp(bias_scale, expected[3], BIAS_SCALE_ULPS)


def test_tensorflow_makes_a_float_file_that_gives_the_same_image(images: list[np.ndarray], tmp_path: Path) -> None:
    network = lively_abpn(3, 0)
    theirs, mine = converted(Witness(network, None), integer=False), ours(trace(network), tmp_path)
    for image in images:
        np.testing.assert_allclose(run(mine, image), run(theirs, image), rtol=0, atol=FLOAT_LEVELS)
