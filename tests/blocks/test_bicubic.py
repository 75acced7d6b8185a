"""Bicubic enlarging inside a network is the resizer's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pocketsr.blocks import BicubicUpsample
from pocketsr.errors import SettingError
from pocketsr.image import resize_bicubic


@pytest.mark.parametrize("a", [-0.5, -0.75])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(7, 9), (1, 5), (2, 1)])
def test_it_is_the_resizer_s(scale: int, a: float, height: int, width: int) -> None:
    image = np.random.default_rng(0).uniform(0, 1, (height, width, 2)).astype(np.float32)
    expected = resize_bicubic(image, height * scale, width * scale, a=a)
    output = BicubicUpsample(scale, 2, a=a)(torch.from_numpy(image.transpose(2, 0, 1))[None])
    assert np.abs(output[0].numpy().transpose(1, 2, 0) - expected).max() < 1e-5


def test_nothing_of_it_is_trained_or_saved() -> None:
    upsample = BicubicUpsample(2, 3)
    assert not list(upsample.parameters())
    assert not upsample.state_dict()


def test_a_factor_below_one_is_refused() -> None:
    with pytest.raises(SettingError, match="factor of 1 or more"):
        BicubicUpsample(0, 3)


def test_training_in_bfloat16_does_not_round_the_image() -> None:
    image, upsample = torch.rand(1, 3, 8, 8), BicubicUpsample(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output = upsample(image)
    assert torch.equal(output, upsample(image))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_kernel_s_phases_are_rows_of_columns_and_each_sums_to_one(scale: int) -> None:
    kernel = BicubicUpsample(scale, 3).kernel
    assert kernel.shape == (scale**2, 5, 5)
    assert torch.allclose(kernel.sum(dim=(1, 2)), torch.ones(scale**2), atol=1e-6)
    image = torch.zeros(1, 1, 9, 9)
    image[..., 4, 4] = 1
    answer = BicubicUpsample(scale, 1)(image)[0, 0]
    for row in range(scale):
        for column in range(scale):
            phase = kernel[row * scale + column]
            assert torch.allclose(answer[4 * scale + row, 4 * scale + column], phase[2, 2], atol=1e-6)
            assert torch.allclose(answer[3 * scale + row, 4 * scale + column], phase[3, 2], atol=1e-6)
            assert torch.allclose(answer[4 * scale + row, 5 * scale + column], phase[2, 1], atol=1e-6)
