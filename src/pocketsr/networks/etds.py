"""ETDS: two streams, one of features and one that carries the image through, which fold into one plain network.

    trained (C − r feature channels, r image channels, r = 3; all 3×3, ReLU after all but the last)

    image ─┬─► 3→C−r ──► C−r→C−r ─► + ──► … M times ──► C−r→3s² ─► + ─► pixel shuffle
           │                        │                              │
           │             r→C−r ─────┘                              │
           └─► 3→r ─┴──► r→r ───────────► … M times ──► r→3s² ─────┘

    folded

    image ─► 3→C ─► M × C→C ─► C→3s² ─► pixel shuffle

Folding stacks the streams' kernels into one: the plain network computes the same numbers, with zeros where the
feature stream does not feed the image stream.

Source:
    Chao et al., "Equivalent Transformation and Dual Stream Network Construction for Mobile Image Super-Resolution",
    CVPR 2023; ECNUSR/ETDS (Apache-2.0). Layer by layer this is their training form; theirs for phones puts one more
    1×1 convolution at the end, between two ReLUs, which clips to 0..1 (1 − max(1 − x, 0)), and one idle channel beside
    the 27 of ×3. Both serve one converter and are left out: whoever writes 8-bit pixels clips anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

#: The published sizes T, S, M, L; the authors' files call them M5C16, M4C32, M6C32, M7C48.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "t": {"depth": 5, "width": 16},
    "s": {"depth": 4, "width": 32},
    "m": {"depth": 6, "width": 32},
    "l": {"depth": 7, "width": 48},
}


class DualConv(nn.Module):
    """A layer of both streams, which lie side by side on the channel axis: features first, image last.

    Args:
        features: Feature channels in and out; 0 in where there is only the image yet.
        image: Image channels in and out; 0 out where the streams end in a sum.

    Attributes:
        features: From features to features, None where there are none yet.
        across: From the image stream into the features.
        along: From the image stream to itself, None where the streams end.
    """

    def __init__(self, *, features: tuple[int, int], image: tuple[int, int]) -> None:
        super().__init__()
        self.features = nn.Conv2d(*features, 3, padding=1) if features[0] else None
        self.across = nn.Conv2d(image[0], features[1], 3, padding=1)
        self.along = nn.Conv2d(*image, 3, padding=1) if image[1] else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, features + image, H, W)`` to the like."""
        kernel, bias = self.merged()
        return F.conv2d(x, kernel, bias, padding=1)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return kernel and bias of the one convolution that is both streams."""
        kernel, bias = self.across.weight, _bias(self.across)
        if self.features is not None:
            kernel = torch.cat([self.features.weight, kernel], dim=1)
            bias = bias + _bias(self.features)
        if self.along is not None:
            kept = F.pad(self.along.weight, (0, 0, 0, 0, kernel.shape[1] - self.along.in_channels, 0))
            kernel, bias = torch.cat([kernel, kept]), torch.cat([bias, _bias(self.along)])
        return kernel, bias

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return that convolution."""
        kernel, bias = self.merged()
        plain = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1).to(kernel.dtype)
        plain.weight.copy_(kernel)
        _bias(plain).copy_(bias)
        return plain


class ETDS(Network):
    """Equivalent transformation, dual stream.

    The authors train the image stream beside the whole, loss(output) + ½ · loss(image stream) (equation 15), with the
    weights from the image stream held still for the first 100,000 of 1,600,000 steps. Before folding, ``streams`` gives
    both pictures for such a loss.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the folded network; the default is the paper's S.
        depth: Body layers.
        image_width: Channels r of the image stream, at least 3.
    """

    def __init__(self, *, scale: int = 3, width: int = 32, depth: int = 4, image_width: int = 3) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"etds upscales by 2, 3 or 4, not {scale}")
        if not 3 <= image_width < width:
            raise SettingError(f"etds's image_width is 3 or more and less than width {width}, not {image_width}")
        self.scale, self.image_width = scale, image_width
        features = width - image_width
        self.head = DualConv(features=(0, features), image=(3, image_width))
        self.body = nn.ModuleList(DualConv(features=(features,) * 2, image=(image_width,) * 2) for _ in range(depth))
        self.tail = DualConv(features=(features, 3 * scale * scale), image=(image_width, 0))
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        return F.pixel_shuffle(self.tail(self._last(image)), self.scale)

    def streams(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output and what the image stream alone makes of it, both ``(N, 3, sH, sW)``."""
        x = self._last(image)
        carried = self.tail.across(x[:, -self.image_width :])  # (N, 3s², H, W)
        return F.pixel_shuffle(self.tail(x), self.scale), F.pixel_shuffle(carried, self.scale)

    def _last(self, image: Tensor) -> Tensor:
        x = F.relu(self.head(image))  # (N, width, H, W)
        for layer in self.body:
            x = F.relu(layer(x))
        return x

    @torch.no_grad()
    def _initialise(self) -> None:
        """The image stream starts as nearest-neighbour upscaling that feeds nothing to the features (authors' code)."""
        for layer in (self.head, *self.body):
            assert isinstance(layer, DualConv)
            assert layer.along is not None
            nn.init.dirac_(layer.along.weight)
            nn.init.zeros_(_bias(layer.along))
            if layer.features is not None:
                nn.init.zeros_(layer.across.weight)
                nn.init.zeros_(_bias(layer.across))
        repeat = self.tail.across.weight
        nn.init.zeros_(repeat)
        nn.init.zeros_(_bias(self.tail.across))
        for channel in range(len(repeat)):
            repeat[channel, channel // self.scale**2, 1, 1] = 1


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
