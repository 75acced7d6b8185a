"""FSRCNN: an hourglass on the small image, enlarged at the end by one transposed convolution.

    image ─► 5×5 C→d ─► 1×1 d→s ─► m × 3×3 s→s ─► 1×1 s→d ─► transposed 9×9 d→C, stride scale
             (an activation after each but the last)

Source:
    Dong et al., "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016, with (d, s, m) =
    (56, 12, 4). On luma with PReLU as published; the mobile papers compare with RGB and ReLU, the default here. They
    print 25.35K for it, which no convention of biases and slopes gives; it is 24,511. The paper trains the transposed
    convolution at a tenth of the others' learning rate.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

#: PReLU with a slope for each channel (the original), ReLU (both mobile re-implementations).
Activation = Literal["relu", "prelu"]


class FSRCNN(Network):
    """Fast super-resolution convolutional network.

    Args:
        scale: 2, 3 or 4.
        channels: 3 for RGB, 1 for luma.
        width: The outer width d.
        narrow: The inner width s.
        depth: Inner convolutions m.
        activation: After every convolution.
    """

    def __init__(
        self,
        *,
        scale: int = 3,
        channels: int = 3,
        width: int = 56,
        narrow: int = 12,
        depth: int = 4,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or channels not in (1, 3):
            raise SettingError(f"fsrcnn upscales 1 or 3 channels by 2, 3 or 4, not {channels} by {scale}")
        if activation not in get_args(Activation):
            raise SettingError(f"fsrcnn's activation is one of {', '.join(get_args(Activation))}, not {activation!r}")
        if min(width, narrow) < 1 or depth < 0:
            raise SettingError(
                f"fsrcnn's width and narrow are 1 or more and depth 0 or more, not {width}, {narrow} and {depth}"
            )
        self.scale, self.channels = scale, channels
        layers = [(channels, width, 5), (width, narrow, 1), *[(narrow, narrow, 3)] * depth, (narrow, width, 1)]
        self.body = nn.Sequential()
        for inputs, outputs, kernel in layers:
            self.body.append(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))
            self.body.append(nn.PReLU(outputs) if activation == "prelu" else nn.ReLU())
        self.enlarge = nn.ConvTranspose2d(width, channels, 9, stride=scale, padding=4, output_padding=scale - 1)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` to ``(N, C, sH, sW)``; the output may pass 0..1 by a little."""
        output: Tensor = self.enlarge(self.body(image))
        return output


def _initialise(module: nn.Module) -> None:
    """He's normal by fan-out for convolutions, 0.001 for the transposed one (as its published ports have it)."""
    if isinstance(module, nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.001)
    elif isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=math.sqrt(2 / (module.out_channels * math.prod(module.kernel_size))))
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
        nn.init.zeros_(module.bias)
