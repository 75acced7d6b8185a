"""Operators and graphs: sizes, costs, and every way of not fitting together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pocketsr.errors import ModelFileError
from pocketsr.graph import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Elementwise,
    Graph,
    LeakyRelu,
    Minimum,
    Multiply,
    Op,
    PRelu,
    Quantisation,
    Relu,
    Requantise,
    Slice,
    Value,
)
from pocketsr.graph.base import consumers
from sample_graphs import abpn_like_graph

PIXELS, FEATURES = Quantisation(1.0, -128), Quantisation(0.5, 3)
IMAGE, INTEGER_IMAGE = Value("image", 3), Value("image", 3, PIXELS)


def conv(
    *,
    source: Value = IMAGE,
    channels: int = 4,
    shape: tuple[int, ...] = (4, 3, 3, 3),
    dtype: type = np.float32,
    biases: int = 4,
    groups: int = 1,
) -> Conv2D:
    weight, bias = np.ones(shape, dtype), np.zeros(biases, np.float32)
    return Conv2D((source,), Value("made", channels), weight, bias, groups=groups)


def integer_conv(
    *, weight_scale: object = 0.01, scales: int = 4, bias_dtype: type = np.int32, scale_dtype: type = np.float32
) -> Conv2D:
    scale = None if weight_scale is None else np.full(scales, weight_scale, scale_dtype)
    weight, bias = np.zeros((4, 3, 3, 3), np.int8), np.zeros(4, bias_dtype)
    return Conv2D((INTEGER_IMAGE,), Value("made", 4, FEATURES), weight, bias, scale)


def made(op: Op) -> Graph:
    return Graph(op.inputs[0], op.output, (op,))


# -- sizes and costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_output_is_scale_times_the_input(scale: int) -> None:
    assert abpn_like_graph(scale=scale).output_size(5, 7) == (5 * scale, 7 * scale)


def test_every_value_has_a_size() -> None:
    graph = abpn_like_graph(scale=3)
    sizes = graph.sizes(4, 6)
    assert list(sizes) == [value.name for value in graph.values]
    assert sizes["sum"] == (4, 6)
    assert sizes["upscaled"] == (12, 18)


@pytest.mark.parametrize(("scale", "parameters"), [(2, 33_464), (3, 42_539), (4, 62_048)])
def test_abpn_has_the_papers_parameters(scale: int, parameters: int) -> None:
    graph = abpn_like_graph(scale=scale, channels=28, depth=5, anchor="concat", precision="float32")
    assert graph.parameter_count() == parameters


def test_abpn_needs_the_multiplications_of_the_size_table() -> None:
    graph = abpn_like_graph(scale=3, channels=28, depth=5, anchor="concat")
    assert round(graph.multiply_accumulates(360, 640) / 1e9, 2) == 9.76  # a 1080p frame


def test_groups_divide_the_multiplications() -> None:
    whole = made(conv(source=Value("image", 4), shape=(4, 3, 3, 4)))
    quartered = made(conv(source=Value("image", 4), shape=(4, 3, 3, 1), groups=4))
    assert whole.multiply_accumulates(5, 5) == 4 * quartered.multiply_accumulates(5, 5) == 9 * 16 * 25


def test_multiplications_count_at_the_size_where_they_happen() -> None:
    image = Value("image", 4)
    large, output = Value("large", 1), Value("output", 1)
    last = Conv2D((large,), output, np.zeros((1, 3, 3, 1), np.float32), np.zeros(1, np.float32))
    graph = Graph(image, output, (DepthToSpace((image,), large, 2), last))
    assert graph.multiply_accumulates(5, 7) == 9 * 10 * 14


def test_slopes_are_parameters() -> None:
    assert made(PRelu((IMAGE,), Value("made", 3), np.zeros(3, np.float32))).parameter_count() == 3


def test_consumers_are_the_operators_that_take_a_value() -> None:
    graph = abpn_like_graph(anchor="conv")
    assert [op.output.name for op in consumers(graph.ops, graph.input)] == ["conv0", "anchor"]


def test_scales_are_rounded_to_what_a_file_holds() -> None:
    assert Quantisation(0.1, 0).scale == float(np.float32(0.1))
    assert Quantisation(0.1, 0) == Quantisation(float(np.float32(0.1)), 0)


def test_an_integer_bound_moves_to_the_nearest_level() -> None:
    op = Minimum((Value("image", 1, FEATURES),), Value("made", 1, FEATURES), 1.3)
    assert (op.level(), op.bound) == (6, 1.5)
    beyond = Minimum((Value("image", 1, FEATURES),), Value("made", 1, FEATURES), 1e6)
    assert (beyond.level(), beyond.bound) == (127, 62.0)


# -- every way of not fitting together --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "zero_point", "bits", "words"),
    [
        (0.0, 0, 8, "needs scale > 0"),
        (-1.0, 0, 8, "needs scale > 0"),
        (float("nan"), 0, 8, "needs scale > 0"),
        (float("inf"), 0, 16, "needs scale > 0"),
        (1.0, 0, 4, "8 or 16 bits"),
        (1.0, 128, 8, "a zero point is −128..127 in 8 bits"),
        (1.0, 1, 16, "and 0 in 16"),
    ],
)
def test_quantisations_that_stand_for_nothing_are_refused(scale: float, zero_point: int, bits: int, words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        Quantisation(scale, zero_point, bits)


WIDE = Quantisation(1 / 128, 0, 16)


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (DepthToSpace((Value("image", 4, WIDE),), Value("made", 1, WIDE), 2), "for 8 bits only, image, made has 16"),
        (Relu((INTEGER_IMAGE,), Value("made", 3, WIDE)), "for 8 bits only, made has 16"),
        (
            Conv2D(
                (INTEGER_IMAGE,),
                Value("made", 1, WIDE),
                np.zeros((1, 1, 1, 3), np.int8),
                np.zeros(1, np.int64),
                np.ones(1, np.float32),
            ),
            "both ends have 8 bits, or both 16",
        ),
        (
            Conv2D(
                (Value("image", 3, WIDE),),
                Value("made", 1, WIDE),
                np.zeros((1, 1, 1, 3), np.int8),
                np.zeros(1, np.int32),
                np.ones(1, np.float32),
            ),
            "biases are int32",
        ),
        (Add((Value("image", 3, WIDE), INTEGER_IMAGE), Value("made", 3, WIDE)), "16-bit sums share one quantisation"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_16_bits_are_for_some_operators_and_on_both_sides(op: Op, words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        _ = op.check(), op.check_bits()


def test_ends_of_16_bits_are_refused() -> None:
    image = Value("image", 4, WIDE)
    with pytest.raises(ModelFileError, match="images have 8 bits"):
        Graph(image, Value("made", 4, WIDE), (Slice((image,), Value("made", 4, WIDE), 0),))


def test_a_value_without_channels_is_refused() -> None:
    with pytest.raises(ModelFileError, match="'empty' needs at least one channel, not 0"):
        Value("empty", 0)


MISFITS: list[tuple[Callable[[], Op], str]] = [
    (lambda: conv(shape=(4, 3, 3, 2)), "weights want 2 channels, the input has 3"),
    (lambda: conv(groups=2), "weights want 6 channels, the input has 3"),
    (lambda: conv(shape=(5, 3, 3, 3)), "weights, bias, output differ in channels"),
    (lambda: conv(biases=3), "weights, bias, output differ in channels"),
    (lambda: conv(shape=(4, 3, 3, 1), groups=3), "4 channels do not split into 3 groups"),
    (lambda: conv(shape=(4, 2, 3, 3)), "a 2×3 kernel has no centre"),
    (lambda: conv(shape=(4, 3, 3)), "weights need 4 axes"),
    (lambda: conv(dtype=np.float64), "weights are float64"),
    (lambda: conv(dtype=np.int8), "weights are int8"),
    (lambda: integer_conv(bias_dtype=np.float32), "biases are float32"),
    (lambda: integer_conv(weight_scale=None), "weight_scale belongs to int8 weights"),
    (lambda: integer_conv(scales=3), "one weight scale is needed for each output channel"),
    (lambda: integer_conv(scale_dtype=np.float64), "weight scales are float64, not float32"),
    (lambda: integer_conv(weight_scale=0), "weight scales must be above 0"),
    (lambda: integer_conv(weight_scale=128), "XNNPACK takes less than 256"),
    (lambda: Add((IMAGE,), Value("made", 3)), "two inputs are needed"),
    (lambda: Add((IMAGE, IMAGE), Value("made", 4)), "channel counts differ"),
    (lambda: Add((INTEGER_IMAGE,) * 2, Value("made", 3, Quantisation(1 / 256, 0))), "XNNPACK takes 1/1024 up to 256"),
    (lambda: Add((INTEGER_IMAGE,) * 2, Value("made", 3, Quantisation(1025, 0))), "XNNPACK takes 1/1024 up to 256"),
    (lambda: Requantise((INTEGER_IMAGE,), Value("made", 3, Quantisation(1 / 129, 0))), "XNNPACK takes 1/256 up to 128"),
    (lambda: Requantise((INTEGER_IMAGE,), Value("made", 3, Quantisation(257, 0))), "XNNPACK takes 1/256 up to 128"),
    (lambda: Concat((IMAGE, IMAGE), Value("made", 5)), "channels do not add up"),
    (lambda: Concat((INTEGER_IMAGE,) * 2, Value("made", 6, FEATURES)), "quantisations differ"),
    (lambda: DepthToSpace((Value("image", 12),), Value("made", 4), 2), "channels do not fit the block"),
    (lambda: DepthToSpace((IMAGE,), Value("made", 3), 0), "a block of 0 is not one"),
    (lambda: DepthToSpace((Value("image", 12, PIXELS),), Value("made", 3, FEATURES), 2), "quantisations differ"),
    (lambda: Relu((IMAGE,), Value("made", 4)), "channel counts differ"),
    (lambda: Relu((IMAGE, IMAGE), Value("made", 3)), "one input is needed, not 2"),
    (lambda: Minimum((INTEGER_IMAGE,), Value("made", 3, FEATURES), 1), "quantisations differ"),
    (lambda: LeakyRelu((INTEGER_IMAGE,), Value("made", 3, FEATURES), 0.1), "quantisations differ"),
    (lambda: LeakyRelu((INTEGER_IMAGE,), Value("made", 3, PIXELS), 1.1), "an int8 slope is between 1/256 and 1"),
    (lambda: Elementwise((INTEGER_IMAGE,), Value("made", 3, FEATURES), "gelu"), "gelu has no int8 form"),
    (lambda: Elementwise((INTEGER_IMAGE,), Value("made", 3, FEATURES), "tanh"), "its int8 output must be at"),
    (lambda: Multiply((INTEGER_IMAGE,) * 2, Value("made", 3, Quantisation(1 / 256, 0))), "XNNPACK takes 1/65536 up to"),
    (lambda: PRelu((INTEGER_IMAGE,), Value("made", 3, PIXELS), np.zeros(3, np.float32)), "it has no int8 form"),
    (lambda: PRelu((IMAGE,), Value("made", 3), np.zeros(2, np.float32)), "a float32 slope for each channel is needed"),
    (lambda: Slice((IMAGE,), Value("made", 2), 2), "channels 2 to 4 of 3 were asked for"),
    (lambda: Slice((IMAGE,), Value("made", 2), -1), "channels -1 to 1 of 3 were asked for"),
    (lambda: Slice((INTEGER_IMAGE,), Value("made", 2, FEATURES), 0), "quantisations differ"),
]


@pytest.mark.parametrize(("make", "words"), MISFITS, ids=[words for _, words in MISFITS])
def test_operators_that_do_not_fit_their_values_are_refused(make: Callable[[], Op], words: str) -> None:
    op = make()
    with pytest.raises(ModelFileError, match=rf"^{type(op).__name__} making 'made': .*{words}"):
        made(op)


def test_values_are_made_before_they_are_used() -> None:
    middle, output = Value("middle", 3), Value("output", 3)
    first, second = Relu((IMAGE,), middle), Relu((middle,), output)
    assert Graph(IMAGE, output, (first, second)).values == (IMAGE, middle, output)
    with pytest.raises(ModelFileError, match="'middle' is used before it is made"):
        Graph(IMAGE, output, (second, first))


def test_a_value_does_not_change_on_the_way() -> None:
    with pytest.raises(ModelFileError, match="'image' is used before it is made, or changes on the way"):
        Graph(IMAGE, Value("output", 4), (Relu((Value("image", 4),), Value("output", 4)),))


def test_a_value_is_made_once() -> None:
    output = Value("output", 3)
    with pytest.raises(ModelFileError, match="'output' is made twice"):
        Graph(IMAGE, output, (Relu((IMAGE,), output), Relu((IMAGE,), output)))


def test_the_output_must_be_made() -> None:
    with pytest.raises(ModelFileError, match="nothing makes the output 'nobody'"):
        Graph(IMAGE, Value("nobody", 3), ())


def test_integer_and_float_are_not_mixed() -> None:
    with pytest.raises(ModelFileError, match="'made' mixes integer and float"):
        made(Relu((INTEGER_IMAGE,), Value("made", 3)))


def test_inputs_of_different_sizes_are_refused() -> None:
    image = Value("image", 4)
    large, total = Value("large", 1), Value("total", 5)
    graph = Graph(image, total, (DepthToSpace((image,), large, 2), Concat((image, large), total)))
    with pytest.raises(ModelFileError, match=r"the inputs of 'total' differ in size: \[\(4, 4\), \(8, 8\)\]"):
        graph.output_size(4, 4)


def test_float_operators_have_nothing_to_rescale() -> None:
    with pytest.raises(ModelFileError, match="there is nothing to rescale"):
        conv().multiplier()
    with pytest.raises(ModelFileError, match="its bound is no int8 level"):
        Minimum((IMAGE,), Value("made", 3), 1.0).level()
