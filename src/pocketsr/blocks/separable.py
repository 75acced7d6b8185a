"""A depthwise convolution and a 1×1 that mixes: most of a convolution for a fraction of its cost."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

#: What stands around the image for the depthwise part.
Border = Literal["zeros", "reflect"]


class SeparableConv2d(nn.Module):
    """Depthwise k×k, then 1×1, nothing in between.

    Args:
        channels: Width in.
        out_channels: Width out.
        kernel: Side of the depthwise convolution.
        border: What is around the image.
        depthwise_bias: Whether the depthwise convolution has a bias; the 1×1 always has.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        border: Border = "zeros",
        depthwise_bias: bool = True,
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels,
            channels,
            kernel,
            padding=kernel // 2,
            groups=channels,
            padding_mode=border,
            bias=depthwise_bias,
        )
        self.pointwise = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)`` to ``(N, D, H, W)``."""
        mixed: Tensor = self.pointwise(self.depthwise(x))
        return mixed
