"""SESR: linear blocks that collapse to plain convolutions, with a long and a short skip.

    image − ½ ─► 5×5, C→16 ─► m × (3×3 16→16, act) ─► + ─► 5×5, 16→Cs² ─► + ─► pixel shuffle ─► clip 0..1
                     └────────────────────────────────┘                   ▲
    image ────────────────── each pixel repeated s² times ────────────────┘

Every convolution trains as a linear block: k×k to p channels and 1×1 back, the 3×3 ones with an identity folded into
the kernel, collapsed at every step.

Source:
    Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022; ARM-software/sesr.
    Arm's collapsed trainer smears the biases over all taps of the kernel; here they are true biases, as AIMET has them.
    Arm's code has no activation after the first 5×5 (AIMET's adds one): none here. Layers start as Keras starts them,
    in which Arm's code is written: Glorot uniform, biases and slopes zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network, RepConv2d, repeat_pixels
from pocketsr.blocks.rep_conv import Skip
from pocketsr.errors import SettingError

#: PReLU as published, ReLU as quantised.
Activation = Literal["relu", "prelu"]
#: Arm's code, and the port in aimet-model-zoo.
Form = Literal["arm", "aimet"]
#: The published sizes.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "m3": {"depth": 3},
    "m5": {"depth": 5},
    "m7": {"depth": 7},
    "m11": {"depth": 11, "expansion": 64},
    "xl": {"depth": 11, "width": 32, "expansion": 64},
}


class SESR(Network):
    """Super-efficient super-resolution network; M5 unless told otherwise.

    Args:
        scale: 2, 3 or 4. ×4 rearranges by two pixel shuffles of 2.
        channels: 3 for RGB, 1 for luma.
        width: Channels of the body.
        depth: 3×3 blocks.
        expansion: Inner width p of the linear blocks; 0 has them collapsed, as plain convolutions.
        activation: After each 3×3 block.
        bias: Whether the convolutions have biases; the printed counts for luma have none.
        form: ``"arm"`` (the paper's code), or ``"aimet"``: a ReLU after the first layer, no half taken off, and one
            pixel shuffle at ×4.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        channels: int = 3,
        width: int = 16,
        depth: int = 5,
        expansion: int = 256,
        activation: Activation = "relu",
        bias: bool = True,
        form: Form = "arm",
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or channels not in (1, 3):
            raise SettingError(f"sesr upscales 1 or 3 channels by 2, 3 or 4, not {channels} by {scale}")
        if activation not in get_args(Activation):
            raise SettingError(f"sesr's activation is one of {', '.join(get_args(Activation))}, not {activation!r}")
        if form not in get_args(Form):
            raise SettingError(f"sesr's form is one of {', '.join(get_args(Form))}, not {form!r}")
        self.scale, self.channels, self.form = scale, channels, form

        def linear(inputs: int, outputs: int, kernel: int, skip: Skip) -> nn.Module:
            if not expansion:
                return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
            return RepConv2d(inputs, out_channels=outputs, expansion=expansion, kernel=kernel, skip=skip, bias=bias)

        self.head = linear(channels, width, 5, "none")
        self.body = nn.ModuleList(linear(width, width, 3, "identity") for _ in range(depth))
        self.activations = nn.ModuleList(
            nn.PReLU(width, init=0.0) if activation == "prelu" else nn.ReLU() for _ in range(depth)
        )
        self.tail = linear(width, channels * scale * scale, 5, "none")
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` to ``(N, C, sH, sW)``, both 0..1."""
        is_arm = self.form == "arm"
        first = self.head(image - 0.5) if is_arm else F.relu(self.head(image))  # (N, width, H, W)
        features = first
        for conv, activation in zip(self.body, self.activations, strict=True):
            features = activation(conv(features))
        subpixels = self.tail(features + first) + repeat_pixels(image, self.scale)  # (N, Cs², H, W)
        if self.scale == 4 and is_arm:
            output = F.pixel_shuffle(F.pixel_shuffle(subpixels, 2), 2)
        else:
            output = F.pixel_shuffle(subpixels, self.scale)
        return torch.clamp(output, 0, 1)


def _initialise(module: nn.Module) -> None:
    """Glorot uniform with zero bias: Keras's default, which Arm's code leaves as it is."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
