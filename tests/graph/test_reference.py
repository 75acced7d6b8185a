"""The exact executor, compared with LiteRT bit for bit and with small sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.graph import (
    Add,
    Conv2D,
    DepthToSpace,
    Graph,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Quantisation,
    Relu,
    Requantise,
    SpaceToDepth,
    Value,
    execute,
    reference,
)
from pocketsr.graph.reference import execute_all
from pocketsr.graph.tflite import model_bytes
from pocketsr.spec import Precision
from sample_graphs import (
    abpn_like_graph,
    attention_graph,
    random_chain,
    random_graph,
    random_image,
    run_litert,
    spec_for,
)

#: Largest float32 difference from LiteRT, relative to the largest output: sums are taken in another order.
FLOAT_TOLERANCE = 1e-5
SIZES = [(1, 1), (1, 7), (5, 1), (6, 9), (13, 11), (2, 2)]

sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))
seeds = st.integers(0, 2**31)


def assert_litert_agrees(graph: Graph, sizes_to_try: list[tuple[int, int]], seed: int = 0) -> None:
    images = [random_image(graph, *size, seed=seed) for size in sizes_to_try]
    model = model_bytes(graph, spec_for(graph), size=(8, 8))
    for image, theirs in zip(images, run_litert(model, images), strict=True):
        ours = execute(graph, image)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        allowed = 0.0 if graph.is_integer else FLOAT_TOLERANCE * max(1.0, float(np.abs(theirs).max()))
        assert np.abs(ours.astype(np.float64) - theirs).max() <= allowed


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("anchor", ["conv", "concat"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_litert_computes_the_same_on_every_size_with_one_interpreter(
    precision: Precision, anchor: str, scale: int
) -> None:
    assert_litert_agrees(abpn_like_graph(scale=scale, precision=precision, anchor=anchor, seed=scale), SIZES)


def test_litert_agrees_on_operators_of_attention_and_padding() -> None:
    assert_litert_agrees(attention_graph(), [(5, 7), (2, 2), (12, 9)])


def test_mirror_padding_continues_the_image_as_named() -> None:
    image, made = Value("image", 1), Value("made", 1)
    row = np.arange(3, dtype=np.float32).reshape(1, 1, 3, 1).repeat(3, axis=1)
    for mirror, expected in (("symmetric", [1, 0, 0, 1, 2, 2, 1]), ("reflect", [2, 1, 0, 1, 2, 1, 0])):
        graph = Graph(image, made, (MirrorPad((image,), made, 2, mirror),))
        assert execute(graph, row)[0, 0, :, 0].tolist() == expected


def test_space_to_depth_undoes_depth_to_space() -> None:
    image, deep, made = Value("image", 3), Value("deep", 12), Value("made", 3)
    graph = Graph(image, made, (SpaceToDepth((image,), deep, 2), DepthToSpace((deep,), made, 2)))
    pixels = random_image(graph, 6, 8)
    assert np.array_equal(execute(graph, pixels), pixels)
    with pytest.raises(ModelFileError, match="no whole number of 2×2 blocks"):
        graph.sizes(5, 8)


@pytest.mark.parametrize("kind", [Requantise, Relu])
@pytest.mark.parametrize(("scale", "zero_point"), [(0.99869, -128), (1.3, 10), (0.31, -77), (2.5, 127)])
def test_litert_agrees_on_a_change_of_quantisation(kind: type, scale: float, zero_point: int) -> None:
    image, made = Value("image", 3, Quantisation(1.0, -60)), Value("made", 3, Quantisation(scale, zero_point))
    assert_litert_agrees(Graph(image, made, (kind((image,), made),)), [(9, 11), (16, 16)])


def test_both_forms_of_the_anchor_give_the_same_bytes() -> None:
    by_convolution, by_concatenation = (abpn_like_graph(anchor=anchor, seed=4) for anchor in ("conv", "concat"))
    image = random_image(by_convolution, 9, 8)
    assert np.array_equal(execute(by_convolution, image), execute(by_concatenation, image))


@settings(max_examples=20, deadline=None)
@given(seeds, st.lists(sizes, min_size=1, max_size=2))
def test_litert_agrees_bit_for_bit_on_random_integer_graphs(seed: int, several: list[tuple[int, int]]) -> None:
    assert_litert_agrees(random_graph(precision="int8", seed=seed), several, seed)


@settings(max_examples=20, deadline=None)
@given(seeds, st.lists(sizes, min_size=1, max_size=2))
def test_litert_agrees_up_to_rounding_on_random_float_graphs(seed: int, several: list[tuple[int, int]]) -> None:
    assert_litert_agrees(random_graph(precision="float32", seed=seed), several, seed)


@settings(max_examples=15, deadline=None)
@given(
    seeds,
    st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.sampled_from([1, 3, 5])), min_size=1, max_size=4),
    sizes,
)
def test_litert_agrees_bit_for_bit_on_chains_of_convolutions(
    seed: int, layers: list[tuple[int, bool, int]], size: tuple[int, int]
) -> None:
    widths, relus, kernels = (list(column) for column in zip(*layers, strict=True))
    chain = random_chain(widths=widths, relus=relus, kernels=kernels, precision="int8", seed=seed)
    assert_litert_agrees(chain, [size], seed)


def sum_of_two(scales: tuple[float, float, float], zero_points: tuple[int, int, int], *, relu: bool) -> Graph:
    """Return image ─► two 1×1 convolutions that rescale it and its channels in another order ─► sum."""
    image = Value("image", 16, Quantisation(1.0, -128))
    left, right, total = (
        Value(name, 16, Quantisation(scale, zero_point))
        for name, scale, zero_point in zip(("left", "right", "total"), scales, zero_points, strict=True)
    )
    weight = (127 * np.eye(16)).astype(np.int8).reshape(16, 1, 1, 16)

    def copy(made: Value, shift: int) -> Conv2D:
        assert made.quantisation is not None
        # One level in gives one level out: every pair of bytes can meet in the sum.
        bias = np.full(16, -127 * (made.quantisation.zero_point + 128), np.int32)
        scale = np.full(16, made.quantisation.scale / 127, np.float32)
        return Conv2D((image,), made, np.roll(weight, shift, 0), bias, scale)

    return Graph(image, total, (copy(left, 0), copy(right, 5), Add((left, right), total, "relu" if relu else "none")))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(-3, 2.5)] * 3),
    st.tuples(*[st.integers(-128, 127)] * 3),
    st.booleans(),
    seeds,
)
def test_litert_agrees_bit_for_bit_on_sums_of_unequal_scales(
    log_scales: tuple[float, float, float], zero_points: tuple[int, int, int], relu: bool, seed: int
) -> None:
    left, right, total = (float(np.exp(log_scale)) for log_scale in log_scales)
    assert_litert_agrees(sum_of_two((left, right, total), zero_points, relu=relu), [(8, 16)], seed)


@pytest.mark.parametrize("scales", [(2, 1, 6), (1, 2, 6), (4, 2, 12), (3, 1, 10), (1, 1, 6)])
def test_litert_agrees_where_sums_fall_on_halves_and_the_last_bit_of_a_ratio_decides(
    scales: tuple[float, float, float],
) -> None:
    assert_litert_agrees(sum_of_two(scales, (0, 0, 0), relu=False), [(40, 40)])


def test_equal_scales_add_as_whole_numbers() -> None:
    graph = sum_of_two((0.7, 0.7, 0.7), (3, -5, 0), relu=False)
    values = execute_all(graph, random_image(graph, 7, 9))
    expected = (values["left"].astype(int) - 3) + (values["right"].astype(int) + 5)
    assert np.array_equal(values["total"], np.clip(expected, -128, 127))


def test_litert_agrees_on_the_order_in_which_three_scales_are_multiplied() -> None:
    weight_scales = np.random.default_rng(0).uniform(0.001, 0.01, 12).astype(np.float32)
    order_matters = []
    for weight_scale in weight_scales:
        source = np.float32(0.3)
        made = source * weight_scale * 2  # in the right order the multiplier is one half, and odd sums fall on halves
        order_matters.append(source * (weight_scale / made) != 0.5)
        image, output = Value("image", 1, Quantisation(0.3, 0)), Value("output", 1, Quantisation(float(made), 0))
        weight, bias, scale = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32), weight_scale.reshape(1)
        graph = Graph(image, output, (Conv2D((image,), output, weight, bias, scale),))
        assert_litert_agrees(graph, [(8, 16)])
    assert any(order_matters)


@pytest.mark.parametrize("multiplier", [1e-12, 1e-6, 1.0, 255.0])
def test_litert_agrees_on_convolutions_that_scale_by_very_little_or_very_much(multiplier: float) -> None:
    random = np.random.default_rng(2)
    image, output = Value("image", 8, Quantisation(1.0, -128)), Value("output", 8, Quantisation(1.0, 3))
    scale = np.full(8, 0.004, np.float32)
    scale[0] = multiplier
    weight = random.integers(-127, 128, (8, 3, 3, 8)).astype(np.int8)
    bias = random.integers(-999, 999, 8).astype(np.int32)
    assert_litert_agrees(Graph(image, output, (Conv2D((image,), output, weight, bias, scale),)), [(9, 9)])


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_litert_agrees_on_groups_and_depthwise_convolutions(groups: int, precision: Precision) -> None:
    random = np.random.default_rng(groups)
    integer = precision == "int8"
    image = Value("image", 8, Quantisation(1.0, -128) if integer else None)
    output = Value("output", 16, Quantisation(1.0, 3) if integer else None)
    weight = random.integers(-127, 128, (16, 3, 5, 8 // groups)).astype(np.int8 if integer else np.float32)
    bias = random.integers(-999, 999, 16).astype(np.int32 if integer else np.float32)
    scale = random.uniform(0.001, 0.01, 16).astype(np.float32) if integer else None
    op = Conv2D((image,), output, weight, bias, scale, "relu", groups)
    assert_litert_agrees(Graph(image, output, (op,)), [(9, 6)])


def test_requantisation_rounds_halves_to_even() -> None:
    image, output = Value("image", 1, Quantisation(1.0, 0)), Value("output", 1, Quantisation(2.0, 0))
    weight, bias = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32)
    graph = Graph(image, output, (Conv2D((image,), output, weight, bias, np.ones(1, np.float32)),))
    halves = np.array([-5, -3, -1, 1, 3, 5], np.int8).reshape(1, 1, -1, 1)
    assert execute(graph, halves).ravel().tolist() == [-2, -2, 0, 0, 2, 2]


def test_integer_results_saturate_and_relu_stops_at_the_zero_point() -> None:
    image, output = Value("image", 1, Quantisation(1.0, 0)), Value("output", 1, Quantisation(0.5, -28))
    weight, bias = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32)
    for activation, expected in (("none", [-128, -30, -28, -26, 127]), ("relu", [-28, -28, -28, -26, 127])):
        op = Conv2D((image,), output, weight, bias, np.ones(1, np.float32), activation)
        levels = np.array([-90, -1, 0, 1, 120], np.int8).reshape(1, 1, -1, 1)
        assert execute(Graph(image, output, (op,)), levels).ravel().tolist() == expected


def test_depth_to_space_puts_subpixels_outside_colours() -> None:
    image, output = Value("image", 8), Value("output", 2)
    graph = Graph(image, output, (DepthToSpace((image,), output, 2),))
    made = execute(graph, np.arange(8, dtype=np.float32).reshape(1, 1, 1, 8))
    assert made.tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]


def test_small_operators_do_what_they_say() -> None:
    image, output = Value("image", 1), Value("output", 1)
    numbers = np.array([-2, 0, 3], np.float32).reshape(1, 1, 3, 1)
    for op, expected in (
        (Relu((image,), output), [0, 0, 3]),
        (Minimum((image,), output, 1.5), [-2, 0, 1.5]),
        (LeakyRelu((image,), output, 0.25), [-0.5, 0, 3]),
    ):
        assert execute(Graph(image, output, (op,)), numbers).ravel().tolist() == expected


def test_rows_convolved_in_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = abpn_like_graph(seed=3)
    image = random_image(graph, 13, 6)
    whole = execute(graph, image)
    monkeypatch.setattr(reference, "_BLOCK_VALUES", 1)
    assert np.array_equal(execute(graph, image), whole)


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    graph = abpn_like_graph(seed=5)
    batch = np.concatenate([random_image(graph, 6, 5, seed=seed) for seed in range(3)])
    together = execute(graph, batch)
    assert all(np.array_equal(together[n], execute(graph, batch[n : n + 1])[0]) for n in range(3))


def test_every_value_can_be_looked_at() -> None:
    graph = abpn_like_graph()
    values = execute_all(graph, random_image(graph, 4, 4))
    assert list(values) == [value.name for value in graph.values]


@pytest.mark.parametrize(
    "image", [np.zeros((1, 4, 4, 3), np.float32), np.zeros((4, 4, 3), np.int8), np.zeros((1, 4, 4, 1), np.int8)]
)
def test_images_of_another_kind_are_refused(image: np.ndarray) -> None:
    with pytest.raises(SettingError, match=r"the graph takes int8 \(N, H, W, 3\)"):
        execute(abpn_like_graph(), image)
