"""How far ranges reach: the largest value, all but the rarest, or what rounds with the least error."""

from __future__ import annotations

import numpy as np
import pytest

from pocketsr.compress.calibrate import activation_maxima, with_extremes
from pocketsr.errors import SettingError
from pocketsr.graph import Conv2D, Graph, Value


def identity(bias: float = 0.0, gain: float = 1.0) -> Graph:
    image, output = Value("image", 1), Value("output", 1)
    weight = np.full((1, 1, 1, 1), gain, np.float32)
    return Graph(image, output, (Conv2D((image,), output, weight, np.full(1, bias, np.float32)),))


def error_of(values: np.ndarray, reach: float, levels: int, low: int) -> float:
    step = reach / levels
    return float(((np.clip(np.rint(values / step), low, levels) * step - values) ** 2).mean())


@pytest.mark.parametrize(("bias", "levels", "low"), [(0.0, 255, 0), (-30.0, 127, -128)])
def test_mse_finds_a_range_that_rounds_with_less_error_than_the_whole(bias: float, levels: int, low: int) -> None:
    random = np.random.default_rng(0)
    image = np.clip(random.normal(30, 4, (200, 200, 1)), 0, 255).astype(np.uint8)
    image[0, :3] = 200  # rare peaks
    reach = activation_maxima(identity(bias, 0.737), [image], method="mse")["output"]
    whole = activation_maxima(identity(bias, 0.737), [image])["output"]
    values = image.astype(np.float64) * 0.737 + bias
    assert reach < whole == pytest.approx(200 * 0.737 + bias)
    assert error_of(values, reach, levels, low) <= error_of(values, whole, levels, low)


def test_mse_does_not_depend_on_the_order_of_images() -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, top, (30, 30, 1), dtype=np.uint8) for top in (3, 40, 256)]
    forward = activation_maxima(identity(), images, method="mse")["output"]
    backward = activation_maxima(identity(), images[::-1], method="mse")["output"]
    assert forward == pytest.approx(backward, rel=0.03)


def test_percentile_leaves_out_rare_peaks() -> None:
    image = np.full((200, 200, 1), 10, np.uint8)
    image[0, 0] = 255
    assert activation_maxima(identity(), [image], method="percentile")["output"] == 10


def test_extremes_reach_black_and_white() -> None:
    grey = np.random.default_rng(0).integers(90, 150, (16, 12, 3), dtype=np.uint8)
    plain, stretched, negative, board = with_extremes([grey])
    assert np.array_equal(plain, grey)
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert np.array_equal(negative, 255 - grey)
    assert set(np.unique(board)) == {0, 255}
    assert board.shape == grey.shape
    assert list(with_extremes([])) == []


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(SettingError, match="'minmax', 'percentile', 'mse', not 'median'"):
        activation_maxima(identity(), [np.zeros((4, 4, 1), np.uint8)], method="median")  # type: ignore[arg-type]
