"""CARN and PCARN: residual blocks in cascades within cascades, one network for several scales.

    image − mean ─► 3→64 = e ─► cascade of 3 × [cascade of 3 × residual block] ─► (+ e) ─► upsampler ─► 64→3 ─► + mean
    residual block: conv, ReLU, conv, + x, ReLU          mobile: grouped conv, ReLU, grouped conv, ReLU, 1×1, + x, ReLU

PCARN has CARN's layers and parameters; it drops the ReLU after every fusion and adds e before the upsampler. (Its paper
says that it also adds ReLUs in the upsampler. The public code of CARN has them already.)

Source:
    Ahn et al., "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", ECCV 2018;
    Ahn et al., PCARN ("Photo-realistic Image Super-Resolution with Fast and Lightweight Cascading Residual Network");
    nmhkahn/CARN-pytorch, nmhkahn/PCARN-pytorch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Cascade, MeanShift, Network
from pocketsr.errors import SettingError

#: PCARN's Table 3, with F = fan-in: uniform ±√(1/F), the best and the default; uniform ±√(6/F); normal √(2/F); and
#: each at a tenth.
Initialisation = Literal["uniform", "uniform-6", "normal", "uniform-tenth", "uniform-6-tenth", "normal-tenth"]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions; grouped, with a 1×1 after them, where groups are more than one.

    Args:
        width: Channels in and out.
        groups: Groups of the 3×3 convolutions.
        residual: Whether the input is added.
    """

    def __init__(self, width: int, *, groups: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.first = nn.Conv2d(width, width, 3, padding=1, groups=groups)
        self.second = nn.Conv2d(width, width, 3, padding=1, groups=groups)
        self.mix = nn.Conv2d(width, width, 1) if groups > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        features = self.second(F.relu(self.first(x)))
        if self.mix is not None:
            features = self.mix(F.relu(features))
        return F.relu(features + x if self.residual else features)


class Upsampler(nn.Module):
    """Convolution, ReLU and pixel shuffle; twice by 2 for ×4."""

    def __init__(self, width: int, scale: int, *, groups: int) -> None:
        super().__init__()
        self.factors = (2, 2) if scale == 4 else (scale,)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, factor**2 * width, 3, padding=1, groups=groups) for factor in self.factors
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, sH, sW)`` for ``(N, C, H, W)``."""
        for conv, factor in zip(self.convs, self.factors, strict=True):
            x = F.pixel_shuffle(F.relu(conv(x)), factor)
        return x


class CARN(Network):
    """Cascading residual network; PCARN unless told otherwise.

    Args:
        scale: 2, 3 or 4: the scale it upscales by. Setting the attribute switches to another of ``scales``.
        scales: The scales it holds; None is ``scale`` alone. The body is one, each scale has its upsampler.
        width: Channels of the body.
        depth: Residual blocks in a cascading block, and cascading blocks.
        groups: Groups of the 3×3 convolutions, 1 to 64; the mobile networks have 4.
        recursive: Each cascading block runs one residual block at all its places, as the mobile networks do.
        local_cascade: Fusions inside the cascading blocks (PCARN's Table 1).
        global_cascade: Fusions around them.
        residual: The additions inside the residual blocks.
        fusion_relu: A ReLU after each fusion: CARN's.
        long_skip: Add the first features before the upsampler: PCARN's.
        initialisation: How weights start (PCARN's Table 3); biases start at zero.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        scales: Sequence[int] | None = None,
        width: int = 64,
        depth: int = 3,
        groups: int = 1,
        recursive: bool = False,
        local_cascade: bool = True,
        global_cascade: bool = True,
        residual: bool = True,
        fusion_relu: bool = False,
        long_skip: bool = True,
        initialisation: Initialisation = "uniform",
    ) -> None:
        super().__init__()
        held = tuple(scales) if scales is not None else (scale,)
        if not held or any(factor not in (2, 3, 4) for factor in held):
            raise SettingError(f"carn upscales by 2, 3 or 4, not {', '.join(map(str, held))}")
        if min(width, depth) < 1:
            raise SettingError(f"carn needs a width and a depth of 1 or more, not {width} and {depth}")
        if groups < 1 or width % groups:
            raise SettingError(f"carn's groups divide its width of {width}, {groups} does not")
        if initialisation not in get_args(Initialisation):
            raise SettingError(
                f"carn's initialisation is one of {', '.join(get_args(Initialisation))}, not {initialisation!r}"
            )
        self.mean = MeanShift()
        self.head = nn.Conv2d(3, width, 3, padding=1)

        def residual_block() -> nn.Module:
            return ResidualBlock(width, groups=groups, residual=residual)

        def cascading_block() -> nn.Module:
            return Cascade(width, depth, residual_block, shares=recursive, fuses=local_cascade, fusion_relu=fusion_relu)

        self.body = Cascade(width, depth, cascading_block, fuses=global_cascade, fusion_relu=fusion_relu)
        self.long_skip = long_skip
        self.upsamplers = nn.ModuleDict({str(factor): Upsampler(width, factor, groups=groups) for factor in held})
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.scale = scale
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _initialise(module, initialisation)

    @property
    def scale(self) -> int:
        """The scale it upscales by, one of those it holds."""
        return self._scale

    @scale.setter
    def scale(self, scale: int) -> None:
        if str(scale) not in self.upsamplers:
            raise SettingError(f"this network upscales by {', '.join(self.upsamplers)}, not by {scale}")
        self._scale = scale

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales it holds."""
        return tuple(int(scale) for scale in self.upsamplers)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.head(self.mean.subtract(image))  # (N, width, H, W)
        features = self.body(first)
        if self.long_skip:
            features = features + first
        features = self.upsamplers[str(self.scale)](features)  # (N, width, sH, sW)
        return self.mean.add(self.tail(features))


def _initialise(conv: nn.Conv2d, initialisation: Initialisation) -> None:
    fan_in = conv.weight[0].numel()
    gain = 0.1 if initialisation.endswith("tenth") else 1.0
    if initialisation.startswith("normal"):
        nn.init.normal_(conv.weight, std=gain * math.sqrt(2 / fan_in))
    else:
        bound = gain * math.sqrt((6 if "-6" in initialisation else 1) / fan_in)
        nn.init.uniform_(conv.weight, -bound, bound)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
