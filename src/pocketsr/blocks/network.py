"""What every super-resolution network promises.

A network is a torch module from image to image. This base holds the promise and nothing else: no registry, no training.
"""

from __future__ import annotations

from typing import Self

from torch import nn

from pocketsr.blocks.fold import fold


class Network(nn.Module):
    """A module from low-resolution to high-resolution images.

    ``forward`` takes ``float32 (N, 3, H, W)`` RGB with black 0 and white 1 and returns ``(N, 3, scale·H, scale·W)`` in
    the same range. A network whose paper works in 0..255 multiplies by 255 on entry and divides on exit, so that its
    weights mean what the paper's mean.

    Attributes:
        scale: Output height over input height.
    """

    scale: int

    def folded(self) -> Self:
        """Return a plain network that computes the same: every training-only branch merged into one convolution.

        The network itself is left as it was; the copy shares no memory with it.
        """
        return fold(self)
