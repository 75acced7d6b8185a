"""A convolution with batch normalisation, which is one convolution when it runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNorm2d(nn.Module):
    """A 3×3 convolution and batch normalisation.

    ``folded()`` is exact for the network as it runs (``eval``), where the normalisation's mean and variance are fixed.

    Args:
        channels: Width in.
        out_channels: Width out.
        stride: Step of the convolution; 1 keeps the size.
        kernel: Side of the kernel.
    """

    def __init__(self, channels: int, out_channels: int, *, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride=stride, padding=padding)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised convolution of ``(N, C, H, W)``."""
        normalised: Tensor = self.norm(self.conv(x))
        return normalised

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the one convolution that computes the same in ``eval``; computed in double precision."""
        conv, norm = self.conv, self.norm
        assert conv.bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        plain = nn.Conv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size[0], stride=conv.stride[0], padding=conv.padding[0]
        ).to(conv.weight)  # its precision and its device
        assert plain.bias is not None
        plain.weight.copy_(conv.weight.double() * gain[:, None, None, None])
        plain.bias.copy_((conv.bias.double() - norm.running_mean.double()) * gain + norm.bias.double())
        return plain
