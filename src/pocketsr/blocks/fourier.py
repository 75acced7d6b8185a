"""Fourier convolution: a block whose every output pixel sees the whole image, through the spectrum.

    x = local | global            local'  = sep(local) + sep(global)
                                  global' = sep(local) + spectral(global)

    spectral: 1×1, ReLU = h ─► 1×1 of ( h + unit(h) + tiled unit of h's quadrants )
    unit:     Fourier transform ─► complex 1×1 ─► back

Source:
    Chi et al., "Fast Fourier Convolution", NeurIPS 2020, as F2SRGAN revises it: the spectrum is multiplied by a complex
    matrix, with no normalisation or ReLU there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks.separable import SeparableConv2d


class FourierUnit(nn.Module):
    """A complex 1×1 convolution of the spectrum.

    The authors' code calls ``fftshift`` without axes before the convolution and ``ifftshift`` after it. Over height,
    width and batch the two cancel around a 1×1; over the channels they do not: the matrix is applied to channels that
    are rolled by half, and its outputs are rolled back. ``rolled`` does so, and the authors' weights need it; without,
    the matrix is applied as stored. Training is indifferent.

    Args:
        channels: Width in and out.
        rolled: Roll both channel axes of the matrix by half.
    """

    def __init__(self, channels: int, *, rolled: bool = True) -> None:
        super().__init__()
        self.rolled = rolled
        self.weight = nn.Parameter(0.02 * torch.randn(channels, channels, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``, computed in float32: half types cannot hold a spectrum."""
        matrix = torch.view_as_complex(self.weight.float().contiguous())
        if self.rolled:
            half = matrix.shape[0] // 2
            matrix = torch.roll(matrix, (-half, -half), (0, 1))
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        mixed = torch.einsum("oi,nihw->nohw", matrix, spectrum)
        transformed: Tensor = torch.fft.irfft2(mixed, s=x.shape[-2:], norm="ortho")
        return transformed.to(x.dtype)


class SpectralTransform(nn.Module):
    """The global branch: the whole image and its four quadrants, each through a Fourier unit.

    Args:
        channels: Width in and out; half of it goes through the spectrum.
        rolled: As for the unit.
    """

    def __init__(self, channels: int, *, rolled: bool = True) -> None:
        super().__init__()
        inner = channels // 2
        self.narrow = SeparableConv2d(channels, inner, kernel=1, depthwise_bias=False)
        self.whole = FourierUnit(inner, rolled=rolled)
        self.quadrants = FourierUnit(inner, rolled=rolled)
        self.widen = SeparableConv2d(inner, channels, kernel=1, depthwise_bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)`` with H and W of 2 or more."""
        h = F.relu(self.narrow(x))
        widened: Tensor = self.widen(h + self.whole(h) + self._from_quadrants(h))
        return widened

    def _from_quadrants(self, h: Tensor) -> Tensor:
        """A quarter of the channels, its quadrants side by side on the channel axis; the result tiles the image."""
        height, width = h.shape[-2:]
        rows, columns = height // 2, width // 2
        quarter = h[:, : h.shape[1] // 4]
        stacked = torch.cat([quarter[:, :, :rows], quarter[:, :, rows : 2 * rows]], dim=1)
        stacked = torch.cat([stacked[..., :columns], stacked[..., columns : 2 * columns]], dim=1)
        tiled = self.quadrants(stacked).repeat(1, 1, 2, 2)
        return F.pad(tiled, (0, width - 2 * columns, 0, height - 2 * rows))


class FourierConv2d(nn.Module):
    """A layer with a local and a global half.

    Args:
        channels: Width in and out, a multiple of 16.
        rolled: As for the unit.
    """

    def __init__(self, channels: int, *, rolled: bool = True) -> None:
        super().__init__()
        half = self.local_width = channels // 2
        self.local_to_local = SeparableConv2d(half, half, border="reflect")
        self.global_to_local = SeparableConv2d(half, half, border="reflect")
        self.local_to_global = SeparableConv2d(half, half, border="reflect")
        self.global_to_global = SpectralTransform(half, rolled=rolled)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)`` with H and W of 2 or more."""
        near, far = torch.split(x, [self.local_width, self.local_width], dim=1)
        near_out = self.local_to_local(near) + self.global_to_local(far)
        far_out = self.local_to_global(near) + self.global_to_global(far)
        return torch.cat([near_out, far_out], dim=1)
