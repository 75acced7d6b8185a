import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pocketsr.errors import SettingError
from pocketsr.evaluate.perceptual import layers
from pocketsr.evaluate.perceptual.layers import convolve, convolve_depthwise, max_pool, relu

#: float32 sums in another order, of values about 1.
AGREEMENT = 1e-5


def maps(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("side", [1, 3, 5, 11])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (2, 1), (4, 2)])
@pytest.mark.parametrize("columns", [1, 1 << 21])
def test_convolutions_agree_with_torch(side: int, stride: int, padding: int, columns: int, monkeypatch) -> None:
    monkeypatch.setattr(layers, "_COLUMNS", columns)
    x, weight, bias = maps(3, 19, 24), maps(5, 3, side, side) / side, maps(5)
    ours = convolve(x, weight, bias, stride=stride, padding=padding)
    theirs = F.conv2d(torch.from_numpy(x)[None], torch.from_numpy(weight), torch.from_numpy(bias), stride, padding)
    assert ours.dtype == np.float32
    assert ours == pytest.approx(theirs[0].numpy(), abs=AGREEMENT)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [(1, 1), (0, 1)])
@pytest.mark.parametrize("size", [(9, 12), (8, 7)])
def test_depthwise_convolutions_agree_with_torch(stride: int, padding: tuple, size: tuple) -> None:
    x, weight = maps(4, *size), maps(4, 3, 3)
    padded = F.pad(torch.from_numpy(x)[None], (*padding, *padding))
    theirs = F.conv2d(padded, torch.from_numpy(weight)[:, None], stride=stride, groups=4)
    ours = convolve_depthwise(x, weight, stride=stride, padding=padding)
    assert ours == pytest.approx(theirs[0].numpy(), abs=AGREEMENT)


@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize("is_ceil", [False, True])
@pytest.mark.parametrize("size", [(3, 3), (4, 5), (8, 7), (9, 10)])
def test_pooling_is_torchs(side: int, is_ceil: bool, size: tuple[int, int]) -> None:
    x = maps(3, *size)
    theirs = F.max_pool2d(torch.from_numpy(x)[None], side, 2, ceil_mode=is_ceil)[0].numpy()
    assert (max_pool(x, side, 2, is_ceil=is_ceil) == theirs).all()


def test_relu_is_in_place() -> None:
    x = np.array([[[-1.0, 2.0]]], np.float32)
    assert relu(x) is x
    assert x.tolist() == [[[0.0, 2.0]]]


def test_what_is_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(SettingError, match="too small"):
        convolve(maps(3, 2, 9), maps(4, 3, 3, 3))
    with pytest.raises(SettingError, match="too small"):
        max_pool(maps(3, 9, 1), 2, 2)
