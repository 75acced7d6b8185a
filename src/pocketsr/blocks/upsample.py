"""Ways from low-resolution to high-resolution pixels."""

from __future__ import annotations

from torch import Tensor


def repeat_pixels(image: Tensor, scale: int) -> Tensor:
    """Repeat each colour ``scale²`` times on the channel axis: after pixel shuffle, nearest-neighbour upscaling.

    ABPN calls the result the anchor. Channels come colour by colour, the order of torch's ``PixelShuffle``;
    TensorFlow's ``depth_to_space`` wants ``scale²`` copies of the whole image instead, and lowering sees to that.

    Args:
        image: ``(N, C, H, W)``.
        scale: Factor, at least 1.

    Returns:
        ``(N, C·scale², H, W)``.
    """
    return image.repeat_interleave(scale * scale, dim=1)
