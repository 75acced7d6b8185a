"""Attention weighs channels by the whole image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketsr.blocks import ContrastAttention
from pocketsr.errors import SettingError


def test_contrast_is_the_biased_deviation_plus_the_mean() -> None:
    torch.manual_seed(0)
    attention = ContrastAttention(16, reduction=4)
    nn.init.uniform_(attention.squeeze.weight, 0.1, 0.2)  # positive, so that the ReLU lets the contrast through
    x = 1 + torch.randn(1, 16, 4, 5)

    def weighed(*, unbiased: bool) -> torch.Tensor:
        contrast = x.flatten(2).std(dim=2, unbiased=unbiased) + x.flatten(2).mean(dim=2)
        return x * torch.sigmoid(attention.expand(torch.relu(attention.squeeze(contrast[..., None, None]))))

    assert torch.allclose(attention(x), weighed(unbiased=False), atol=1e-6)
    assert not torch.allclose(attention(x), weighed(unbiased=True), atol=1e-4)  # the test can tell them apart


@pytest.mark.parametrize(("channels", "reduction"), [(8, 16), (8, 0)])
def test_a_width_of_nothing_is_refused(channels: int, reduction: int) -> None:
    with pytest.raises(SettingError, match=f"{channels} channels cannot be reduced {reduction} times"):
        ContrastAttention(channels, reduction=reduction)
