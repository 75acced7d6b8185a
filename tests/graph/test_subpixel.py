"""A transposed convolution written as convolution and depth-to-space, compared with torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pocketsr.errors import SettingError
from pocketsr.graph import Conv2D, DepthToSpace, Graph, Value, execute, receptive_field
from pocketsr.graph.subpixel import subpixel_convolution

#: Largest difference in float32, relative to the largest value.
TOLERANCE = 1e-5


def as_graph(weight: np.ndarray, bias: np.ndarray, *, stride: int, padding: int) -> Graph:
    image = Value("image", weight.shape[3])
    subpixels, output = Value("subpixels", len(bias) * stride**2), Value("upscaled", len(bias))
    ordinary = subpixel_convolution(weight, bias, stride=stride, padding=padding)
    ops = (Conv2D((image,), subpixels, *ordinary), DepthToSpace((subpixels,), output, stride))
    return Graph(image, output, ops)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(9, 2, 4), (9, 3, 4), (9, 4, 4), (4, 2, 1), (2, 2, 0), (3, 3, 0), (3, 1, 1), (5, 2, 2), (3, 2, 1), (6, 3, 2)],
)
@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
def test_it_equals_torch_up_to_rounding(kernel: int, stride: int, padding: int, size: tuple[int, int]) -> None:
    random = np.random.default_rng(kernel)
    weight = random.normal(size=(3, kernel, kernel, 4)).astype(np.float32)
    bias = random.normal(size=3).astype(np.float32)
    image = random.normal(size=(1, *size, 4)).astype(np.float32)
    expected = F.conv_transpose2d(
        torch.from_numpy(image.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(weight.transpose(3, 0, 1, 2).copy()),
        torch.from_numpy(bias),
        stride=stride,
        padding=padding,
        output_padding=stride + 2 * padding - kernel,
    )
    made = execute(as_graph(weight, bias, stride=stride, padding=padding), image)
    expected_array = expected.numpy().transpose(0, 2, 3, 1)
    assert made.shape == expected_array.shape
    assert np.abs(made - expected_array).max() <= TOLERANCE * np.abs(expected_array).max()


@pytest.mark.parametrize(("padding", "reach"), [(3, 1), (4, 2)])
def test_every_weight_is_used_once_and_the_rest_are_zeros(padding: int, reach: int) -> None:
    weight = np.random.default_rng(0).normal(size=(3, 9, 9, 5)).astype(np.float32)
    graph = as_graph(weight, np.zeros(3, np.float32), stride=3, padding=padding)
    convolution = graph.ops[0]
    assert isinstance(convolution, Conv2D)
    used = convolution.weight[convolution.weight != 0]
    assert np.array_equal(np.sort(used), np.sort(weight.ravel()))
    assert receptive_field(graph) == reach


@pytest.mark.parametrize(
    ("shape", "stride", "padding"),
    [((1, 3, 5, 1), 2, 1), ((1, 2, 2, 1), 3, 0), ((1, 3, 3, 1), 2, 3), ((1, 3, 3, 1), 0, 1)],
)
def test_kernels_that_leave_holes_are_refused(shape: tuple[int, ...], stride: int, padding: int) -> None:
    with pytest.raises(SettingError, match="square kernel of at least"):
        subpixel_convolution(np.zeros(shape), np.zeros(1), stride=stride, padding=padding)
