"""RepConv: a 3×3 convolution trained through a wider factorisation, at no cost when it runs.

    x ──► 3×3, C → m ──► 1×1, m → C ──► + ──►        K = W₂·W₁ + identity,  B = W₂·b₁ + b₂
    └───────────── identity ────────────┘

With the 1×1 last and zero padding the collapse is exact everywhere, borders included: the zeros are padded on x before
the 3×3, and b₁ is added after it at every position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError


class RepConv2d(nn.Module):
    """A 3×3 convolution of equal width in and out, over-parameterised in training.

    The factors are collapsed at every call and the image is convolved once, as SESR trains: a training step costs about
    what a plain convolution's costs, and gradients flow through the collapse.

    Args:
        channels: Width in and out.
        expansion: Width ``m`` between the two factors.

    Source:
        SCSRN §III-B and LRSRN §3.1 for the block, SESR §3.3 for collapsing while training.
    """

    def __init__(self, channels: int, *, expansion: int) -> None:
        super().__init__()
        if expansion < 1:
            raise SettingError(f"a RepConv's expansion must be 1 or more, not {expansion}")
        self.expand = nn.Conv2d(channels, expansion, 3, padding=1)
        self.squeeze = nn.Conv2d(expansion, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)`` with the collapsed kernel."""
        kernel, bias = self.collapsed()
        return F.conv2d(x, kernel, bias, padding=1)

    def collapsed(self) -> tuple[Tensor, Tensor]:
        """Return the kernel ``(C, C, 3, 3)`` and bias ``(C,)`` of the one convolution that computes the same."""
        squeeze = self.squeeze.weight[:, :, 0, 0]
        kernel = torch.einsum("om,miyx->oiyx", squeeze, self.expand.weight)
        kernel = kernel + _identity_kernel(kernel)
        assert self.expand.bias is not None
        assert self.squeeze.bias is not None
        return kernel, squeeze @ self.expand.bias + self.squeeze.bias

    def branches(self, x: Tensor) -> Tensor:
        """Convolve factor by factor, as the drawing has it: the slow equal of ``forward`` that tests compare with."""
        result: Tensor = self.squeeze(self.expand(x)) + x
        return result

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the one convolution that computes the same, collapsed in double precision."""
        plain = nn.Conv2d(self.squeeze.out_channels, self.squeeze.out_channels, 3, padding=1)
        squeeze = self.squeeze.weight[:, :, 0, 0].double()
        kernel = torch.einsum("om,miyx->oiyx", squeeze, self.expand.weight.double())
        assert self.expand.bias is not None
        assert self.squeeze.bias is not None
        plain = plain.to(self.squeeze.weight.dtype)
        assert plain.bias is not None
        plain.weight.copy_(kernel + _identity_kernel(kernel))
        plain.bias.copy_(squeeze @ self.expand.bias.double() + self.squeeze.bias.double())
        return plain


def _identity_kernel(like: Tensor) -> Tensor:
    """Return the 3×3 kernel that hands each channel on unchanged, in the shape and type of ``like``."""
    identity = torch.zeros_like(like)
    torch.diagonal(identity[:, :, 1, 1]).fill_(1)
    return identity
