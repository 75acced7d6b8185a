"""F2SRGAN's generators: a teacher with Fourier convolutions, its student without, and the student pruned.

    image − mean ─► sep 3→64 = f ─► blocks ─► + f ─► n × [sep 64→256, pixel shuffle 2, PReLU] ─► sep 64→3 ─► + mean
    block: x + 0.1 · sep(PReLU(inner(x)))        inner: a Fourier convolution in every other of the teacher's blocks,
                                                        else a separable convolution
    sep: depthwise 3×3, then 1×1                 Values inside are 0..255 less the mean.

The student as released stores four pairs of blocks, but its forward runs the first pair once and the second three
times: the other two were never trained. ``tied`` is that network (its published PSNR needs it), untied the one that the
paper draws. Light F2SRGAN is the tied student with the inner width of its blocks pruned from 64 to 1.

Source:
    F2SRGAN (bibom108/F2SRGAN) and Light F2SRGAN (khanhhungvu1508/Light-F2SRGAN). The authors' first model file doubles
    twice whatever the scale says; here ×2 doubles once, as their ×2 checkpoint does.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import FourierConv2d, MeanShift, Network, SeparableConv2d
from pocketsr.errors import SettingError

_RESIDUAL_GAIN = 0.1


class Block(nn.Module):
    """A residual block.

    Args:
        width: Channels in and out.
        inner: Channels between its two layers.
        fourier: Whether its first layer is a Fourier convolution (then ``inner`` is ``width``).
        rolled: As for the Fourier unit.
    """

    def __init__(self, width: int, *, inner: int, fourier: bool, rolled: bool) -> None:
        super().__init__()
        self.first: nn.Module = FourierConv2d(width, rolled=rolled) if fourier else SeparableConv2d(width, inner)
        self.activation = nn.PReLU(inner)
        self.second = SeparableConv2d(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        residual: Tensor = self.second(self.activation(self.first(x)))
        return x + residual * _RESIDUAL_GAIN


class Doubling(nn.Module):
    """A separable convolution and a pixel shuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = SeparableConv2d(width, 4 * width)
        self.activation = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, 2H, 2W)`` for ``(N, C, H, W)``."""
        doubled: Tensor = self.activation(F.pixel_shuffle(self.conv(x), 2))
        return doubled


class F2SRGAN(Network):
    """F2SRGAN's generator; the teacher unless told otherwise.

    Args:
        scale: 2 or 4.
        width: Channels of the trunk, a multiple of 16 where there are Fourier convolutions.
        depth: Blocks that an image passes.
        inner: Channels inside the blocks; None is ``width``.
        fourier: Fourier convolutions in the first, third, fifth ... block.
        tied: Run the second pair of blocks at every later place, and have no others.
        rolled: Apply the Fourier units' matrices as the authors' code does (see ``blocks.fourier``).
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        width: int = 64,
        depth: int = 16,
        inner: int | None = None,
        fourier: bool = True,
        tied: bool = False,
        rolled: bool = True,
    ) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise SettingError(f"f2srgan upscales by 2 or 4, not {scale}")
        if min(width, depth, width if inner is None else inner) < 1:
            raise SettingError(f"f2srgan needs widths and a depth of 1 or more, not {width}, {inner} and {depth}")
        if fourier and (width % 16 or inner not in (None, width)):
            raise SettingError("f2srgan with Fourier convolutions needs a width that is a multiple of 16, and no inner")
        if tied and (depth < 4 or depth % 2):
            raise SettingError(f"f2srgan tied runs pairs of blocks: an even depth of 4 or more, not {depth}")
        self.scale = scale
        self.mean = MeanShift()
        self.head = SeparableConv2d(3, width)
        kept = 4 if tied else depth
        self.body = nn.ModuleList(
            Block(width, inner=width if inner is None else inner, fourier=fourier and index % 2 == 0, rolled=rolled)
            for index in range(kept)
        )
        #: The block at each place.
        self.order = [index if index < 4 else 2 + index % 2 for index in range(depth)] if tied else list(range(depth))
        self.enlarge = nn.Sequential(*(Doubling(width) for _ in range(scale // 2)))
        self.tail = SeparableConv2d(width, 3)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.head(self.mean.subtract(image) * 255)  # (N, width, H, W)
        features = first
        for index in self.order:
            features = self.body[index](features)
        features = self.enlarge(features + first)  # (N, width, sH, sW)
        return self.mean.add(self.tail(features) / 255)
