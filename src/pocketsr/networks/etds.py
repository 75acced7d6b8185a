"""ETDS: two streams, one of features and one that carries the image through, which fold into one plain network.

    image ─► 3→(C−r) ─► M × [(C−r)→(C−r)  +  r→(C−r)] ─► (C−r)→3s² ─► + ─► pixel shuffle
    image ─► 3→r     ─► M × [r→r]         (dual stream)  ─► r→3s²   ──┘
                              ║ fold (ReLU after every layer)
    image ─► 3→C ─► M × C→C ─► C→3s² ─► pixel shuffle

Folding stacks the streams' kernels into one: the plain network computes the same numbers, with zeros where the
feature stream does not feed the image stream.

Source:
    Chao et al., "Equivalent Transformation and Dual Stream Network Construction for Mobile Image Super-Resolution",
    CVPR 2023; ECNUSR/ETDS (Apache-2.0). Their deployed form ends in a 1×1 convolution that clips, and pads 27 channels
    to 28 at ×3; that serves one phone's converter and is left out. Their loss trains the image stream's own output
    beside the sum (``streams`` gives both).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

#: The published sizes: layers and channels after folding.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "m5c16": {"depth": 5, "width": 16},
    "m4c32": {"depth": 4, "width": 32},
    "m6c32": {"depth": 6, "width": 32},
    "m7c48": {"depth": 7, "width": 48},
}


class DualConv(nn.Module):
    """A layer of both streams, side by side on the channel axis: features first, image last.

    Args:
        features: Feature channels in and out; 0 in for the first layer.
        image: Image channels in and out.
        splits: Whether the image stream keeps channels of its own (False for the last layer, where both are summed).
    """

    def __init__(self, features: tuple[int, int], image: tuple[int, int], *, splits: bool = True) -> None:
        super().__init__()
        self.widths = features[0], features[1]
        self.splits = splits
        self.across = nn.Conv2d(image[0], features[1], 3, padding=1)
        self.along = nn.Conv2d(image[0], image[1], 3, padding=1) if splits else None
        self.features = nn.Conv2d(features[0], features[1], 3, padding=1, bias=False) if features[0] else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, features + image, H, W)``."""
        kernel, bias = self.merged()
        return F.conv2d(x, kernel, bias, padding=1)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return kernel and bias of the one convolution that is both streams."""
        assert self.across.bias is not None
        top, bias = self.across.weight, self.across.bias
        if self.features is not None:
            top = torch.cat([self.features.weight, top], dim=1)
        if self.along is None:
            return top, bias
        assert self.along.bias is not None
        bottom = self.along.weight
        if self.features is not None:
            nothing = bottom.new_zeros(bottom.shape[0], self.widths[0], 3, 3)
            bottom = torch.cat([nothing, bottom], dim=1)
        return torch.cat([top, bottom]), torch.cat([bias, self.along.bias])

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return that convolution."""
        kernel, bias = self.merged()
        plain = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1).to(kernel.dtype)
        plain.weight.copy_(kernel)
        assert plain.bias is not None
        plain.bias.copy_(bias)
        return plain


class ETDS(Network):
    """Equivalent transformation, dual stream.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the folded network.
        depth: Body layers.
        image_width: Channels r of the image stream, at least 3.
    """

    def __init__(self, *, scale: int = 3, width: int = 32, depth: int = 4, image_width: int = 3) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingError(f"etds upscales by 2, 3 or 4, not {scale}")
        if not 3 <= image_width < width:
            raise SettingError(f"etds's image_width is 3 or more and less than width {width}, not {image_width}")
        self.scale = scale
        features = width - image_width
        self.head = DualConv((0, features), (3, image_width))
        self.body = nn.ModuleList(DualConv((features,) * 2, (image_width,) * 2) for _ in range(depth))
        self.tail = DualConv((features, 3 * scale * scale), (image_width, 0), splits=False)
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, 3, H, W)`` to ``(N, 3, sH, sW)``; the output may pass 0..1 by a little."""
        x = F.relu(self.head(image))  # (N, width, H, W)
        for conv in self.body:
            x = F.relu(conv(x))
        return F.pixel_shuffle(self.tail(x), self.scale)

    @torch.no_grad()
    def _initialise(self) -> None:
        """The image stream starts as an identity, its way into the features as nothing, its end as repetition."""
        for conv in (self.head, *self.body):
            assert isinstance(conv, DualConv)
            assert conv.along is not None
            nn.init.dirac_(conv.along.weight)
            assert conv.along.bias is not None
            nn.init.zeros_(conv.along.bias)
            if conv.features is not None:
                nn.init.zeros_(conv.across.weight)
        self.tail.across.weight.zero_()
        for channel in range(self.tail.across.out_channels):
            self.tail.across.weight[channel, channel // self.scale**2, 1, 1] = 1
