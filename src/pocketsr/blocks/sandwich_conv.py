"""A 3×3 convolution trained as 1×1, 3×3, 1×1 with a 1×1 skip (SPAN calls it Conv3XC).

    x ─► zeros around ─► 1×1, C → gC ─► 3×3 (no padding) ─► 1×1, gD → D ─► + ──►
    └──────────────────────────── 1×1 ─────────────────────────────────────┘

A 1×1 with a bias before a zero-padded 3×3 does not collapse exactly at the border: the collapsed convolution sees the
bias there, the two-step one zeros. Padding the image before the 1×1, as drawn, makes both see the bias.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SandwichConv2d(nn.Module):
    """A 3×3 convolution over-parameterised on both sides; collapsed at every call.

    Args:
        channels: Width in.
        out_channels: Width out.
        gain: Inner widths over the outer ones.

    Source:
        Wan et al., SPAN, CVPR Workshops 2024; hongyuanyu/SPAN.
    """

    def __init__(self, channels: int, out_channels: int, *, gain: int = 2) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, gain * channels, 1)
        self.middle = nn.Conv2d(gain * channels, gain * out_channels, 3)
        self.squeeze = nn.Conv2d(gain * out_channels, out_channels, 1)
        self.skip = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)`` to ``(N, D, H, W)`` with the collapsed kernel."""
        kernel, bias = self.collapsed()
        return F.conv2d(x, kernel, bias, padding=1)

    def branches(self, x: Tensor) -> Tensor:
        """Convolve as the drawing has it: the slow equal that tests compare with."""
        result: Tensor = self.squeeze(self.middle(self.expand(F.pad(x, (1, 1, 1, 1))))) + self.skip(x)
        return result

    def collapsed(self) -> tuple[Tensor, Tensor]:
        """Return kernel ``(D, C, 3, 3)`` and bias ``(D,)`` of the one convolution that computes the same."""
        expand, squeeze = self.expand.weight[:, :, 0, 0], self.squeeze.weight[:, :, 0, 0]
        kernel = torch.einsum("om,mnyx,ni->oiyx", squeeze, self.middle.weight, expand)
        kernel = kernel + F.pad(self.skip.weight, (1, 1, 1, 1))
        biases = [conv.bias for conv in (self.expand, self.middle, self.squeeze, self.skip)]
        first, middle, last, skip = (bias for bias in biases if bias is not None)
        inner = self.middle.weight.sum(dim=(2, 3)) @ first + middle
        return kernel, squeeze @ inner + last + skip

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return that convolution, collapsed in double precision."""
        kernel, bias = copy.deepcopy(self).double().collapsed()
        plain = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1).to(self.expand.weight.dtype)
        plain.weight.copy_(kernel)
        assert plain.bias is not None
        plain.bias.copy_(bias)
        return plain
