"""SRResNet: residual blocks with batch normalisation; SRGAN's generator.

    image ─► 9×9 3→64, PReLU ─► 16 × [conv-norm, PReLU, conv-norm, +] ─► conv-norm ─► + ─►
                             └───────────────────────────────────────────────────────┘
          ─► n × [64→256, pixel shuffle 2, PReLU] ─► 9×9 64→3

Source:
    Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017.
    Its images are 0..1 at low and −1..1 at high resolution; here the output is brought to 0..1. Its count of 1.5M is
    1,549,462 as trained, 1,545,238 with the normalisation folded into the convolutions. PReLUs have one slope
    each. Layers start as torch starts them; the paper does not say how. ``form="tutorial"`` is that of sgrvinod's
    tutorial, whose input is normalised by ImageNet's mean and deviation and whose output passes a tanh.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import ConvNorm2d, Network, Normalise
from pocketsr.errors import SettingError

#: As published, or as in the tutorial.
Form = Literal["paper", "tutorial"]


class NormalisedBlock(nn.Module):
    """Two normalised convolutions around a PReLU, and the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm2d(width, width), ConvNorm2d(width, width)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` for ``(N, C, H, W)``."""
        inner: Tensor = self.second(self.activation(self.first(x)))
        return inner + x


class Doubling(nn.Module):
    """A convolution and a pixel shuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, 2H, 2W)`` for ``(N, C, H, W)``."""
        doubled: Tensor = self.activation(F.pixel_shuffle(self.conv(x), 2))
        return doubled


class SRResNet(Network):
    """Super-resolution residual network.

    Args:
        scale: 2 or 4.
        width: Channels of the body.
        depth: Residual blocks.
        form: ``"paper"`` or ``"tutorial"``.
    """

    def __init__(self, *, scale: int = 4, width: int = 64, depth: int = 16, form: Form = "paper") -> None:
        super().__init__()
        if scale not in (2, 4):
            raise SettingError(f"srresnet upscales by 2 or 4, not {scale}")
        if form not in get_args(Form):
            raise SettingError(f"srresnet's form is one of {', '.join(get_args(Form))}, not {form!r}")
        if min(width, depth) < 1:
            raise SettingError(f"srresnet's width and depth are 1 or more, not {width} and {depth}")
        self.scale, self.form = scale, form
        self.normalise = Normalise() if form == "tutorial" else nn.Identity()
        self.head = nn.Conv2d(3, width, 9, padding=4)
        self.activation = nn.PReLU()
        self.body = nn.ModuleList(NormalisedBlock(width) for _ in range(depth))
        self.last = ConvNorm2d(width, width)
        self.enlarge = nn.Sequential(*(Doubling(width) for _ in range(scale // 2)))
        self.tail = nn.Conv2d(width, 3, 9, padding=4)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        first = self.activation(self.head(self.normalise(image)))  # (N, width, H, W)
        features = first
        for block in self.body:
            features = block(features)
        features = self.enlarge(self.last(features) + first)  # (N, width, sH, sW)
        output: Tensor = self.tail(features)
        if self.form == "tutorial":
            output = torch.tanh(output)
        return (output + 1) / 2
