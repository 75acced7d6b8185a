"""What every super-resolution network promises.

A network is a torch module from image to image. This base holds the promise and nothing else: no registry, no training.
"""

from __future__ import annotations

from typing import Self

from torch import nn

from pocketsr.blocks.fold import fold


class Network(nn.Module):
    """A module from low-resolution to high-resolution images.

    ``forward`` takes ``float32 (N, C, H, W)`` with black 0 and white 1 and returns ``(N, C, scale·H, scale·W)`` in the
    same range. C is 3 (RGB), or 1 for networks that enlarge luma only (BT.601 Y as MATLAB has it, divided by 255).
    A network whose paper works in 0..255 multiplies by 255 on entry and divides on exit, so that its weights mean
    what the paper's mean.

    A network that holds several scales in one (CARN) upscales by ``scale``; setting ``scale`` to another of them
    switches over.

    Attributes:
        scale: Output height over input height.
        channels: Channels of the image, 3 or 1.
    """

    scale: int
    channels: int = 3

    @property
    def scales(self) -> tuple[int, ...]:
        """Every factor that ``scale`` can be set to."""
        return (self.scale,)

    def folded(self) -> Self:
        """Return a plain network that computes the same: every training-only branch merged into one convolution.

        The network itself is left as it was; the copy shares no memory with it.
        """
        return fold(self)
