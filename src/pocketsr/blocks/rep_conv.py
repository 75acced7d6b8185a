"""RepConv: a convolution trained through a wider factorisation, at no cost when it runs.

    x ──► k×k, C → m ──► 1×1, m → D ──► + ──►        K = W₂·W₁ + skip,  B = W₂·b₁ + b₂ (+ skip's bias)
    └───── identity (C = D), or 1×1 ────┘

With the 1×1 last and zero padding the collapse is exact everywhere, borders included: the zeros are padded on x before
the k×k, and b₁ is added after it at every position. The other order is not exact unless x is padded before the 1×1:
``sandwich_conv`` does that.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError

#: The second branch: the input itself, a 1×1 convolution of it (for unequal widths), or nothing.
Skip = Literal["identity", "conv", "none"]


class RepConv2d(nn.Module):
    """A convolution that keeps the image's size, over-parameterised in training.

    Args:
        channels: Width in.
        expansion: Width ``m`` between the two factors.
        out_channels: Width out; None is the width in.
        kernel: Side of the convolution, odd.
        skip: The second branch.
        bias: Whether the convolution it stands for has a bias.
        collapse: Collapse the factors at every call and convolve the image once, as SESR trains: a training step costs
            about what a plain convolution's costs, and gradients flow through the collapse. False runs the branches one
            by one; the result is the same up to rounding.

    Source:
        SCSRN §III-B and LRSRN §3.1 (with a 1×1 skip between unequal widths) for the block, SESR §3.3 for collapsing
        while training.
    """

    def __init__(
        self,
        channels: int,
        *,
        expansion: int,
        out_channels: int | None = None,
        kernel: int = 3,
        skip: Skip = "identity",
        bias: bool = True,
        collapse: bool = True,
    ) -> None:
        super().__init__()
        width = channels if out_channels is None else out_channels
        if expansion < 1:
            raise SettingError(f"a RepConv's expansion must be 1 or more, not {expansion}")
        if kernel < 1 or kernel % 2 == 0:
            raise SettingError(f"a RepConv's kernel must be odd, not {kernel}")
        if skip not in get_args(Skip):
            raise SettingError(f"a RepConv's skip is one of {', '.join(get_args(Skip))}, not {skip!r}")
        if skip == "identity" and width != channels:
            raise SettingError(f"an identity from {channels} to {width} channels does not exist; use skip='conv'")
        self.collapse, self.has_identity = collapse, skip == "identity"
        self.expand = nn.Conv2d(channels, expansion, kernel, padding=kernel // 2, bias=bias)
        self.squeeze = nn.Conv2d(expansion, width, 1, bias=bias)
        self.skip = nn.Conv2d(channels, width, 1, bias=bias) if skip == "conv" else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)`` to ``(N, D, H, W)``."""
        if not self.collapse:
            return self.branches(x)
        kernel, bias = self.collapsed()
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    def collapsed(self) -> tuple[Tensor, Tensor | None]:
        """Return the kernel ``(D, C, k, k)`` and bias ``(D,)`` of the one convolution that computes the same."""
        return self._collapsed(self.expand.weight.dtype)

    def branches(self, x: Tensor) -> Tensor:
        """Convolve factor by factor, as the drawing has it."""
        result: Tensor = self.squeeze(self.expand(x))
        if self.has_identity:
            return result + x
        return result if self.skip is None else result + self.skip(x)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the one convolution that computes the same, collapsed in double precision."""
        kernel, bias = self._collapsed(torch.float64)
        width, channels, side, _ = kernel.shape
        plain = nn.Conv2d(channels, width, side, padding=side // 2, bias=bias is not None)
        plain = plain.to(self.squeeze.weight.dtype)
        plain.weight.copy_(kernel)
        if plain.bias is not None and bias is not None:
            plain.bias.copy_(bias)
        return plain

    def _collapsed(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        squeeze = self.squeeze.weight[:, :, 0, 0].to(dtype)
        kernel = torch.einsum("om,miyx->oiyx", squeeze, self.expand.weight.to(dtype))
        bias = None
        if self.expand.bias is not None and self.squeeze.bias is not None:
            bias = squeeze @ self.expand.bias.to(dtype) + self.squeeze.bias.to(dtype)
        if self.has_identity:
            kernel = kernel + _centred(torch.eye(kernel.shape[0], dtype=dtype, device=kernel.device), kernel)
        elif self.skip is not None:
            kernel = kernel + _centred(self.skip.weight[:, :, 0, 0].to(dtype), kernel)
            if bias is not None and self.skip.bias is not None:
                bias = bias + self.skip.bias.to(dtype)
        return kernel, bias


def _centred(matrix: Tensor, like: Tensor) -> Tensor:
    """Return a 1×1 convolution's matrix ``(D, C)`` as a kernel of the shape of ``like``."""
    reach = like.shape[-1] // 2
    return F.pad(matrix[:, :, None, None], (reach, reach, reach, reach))
