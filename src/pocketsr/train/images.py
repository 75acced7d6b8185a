"""The one place where 8-bit images become network tensors and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pocketsr.image import enlarge_by_luma


def to_tensor(images: npt.NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """Turn uint8 ``(N, H, W, 3)`` into float32 ``(N, 3, H, W)`` in 0..1, laid out channels last, on a device."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)


def to_luma(images: Tensor) -> Tensor:
    """Turn RGB ``(N, 3, H, W)`` in 0..1 into luma ``(N, 1, H, W)``: BT.601 Y of 16..235, by 255, not rounded."""
    red, green, blue = images.unbind(1)
    return ((65.481 * red + 128.553 * green + 24.966 * blue + 16) / 255)[:, None]


def to_image(output: Tensor) -> npt.NDArray[np.uint8]:
    """Turn float ``(N, 3, H, W)`` in 0..1 into uint8 ``(N, H, W, 3)``: clipped, rounded half to even.

    Rounding happens in float32: in bfloat16 white plus a half is 256 and would wrap to black.
    """
    levels = output.detach().float().mul(255).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


@torch.no_grad()
def to_levels(network: nn.Module, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Run a network on one uint8 ``(H, W, 3)`` image; return float ``(sH, sW, 3)`` in levels 0..255, not rounded."""
    output: Tensor = network(to_tensor(image[None], device_of(network)))[0]
    return output.permute(1, 2, 0).mul(255).cpu().numpy()


@torch.no_grad()
def upscale_with(network: nn.Module, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Upscale one uint8 ``(H, W, 3)`` image with a torch network, in float32; colour by bicubic where it knows luma."""
    if getattr(network, "channels", 3) == 1:
        return enlarge_by_luma(image, int(network.scale), lambda luma: to_levels(network, luma[:, :, None])[:, :, 0])  # type: ignore[arg-type]
    upscaled: npt.NDArray[np.uint8] = to_image(network(to_tensor(image[None], device_of(network))))[0]
    return upscaled


def device_of(network: nn.Module) -> torch.device:
    """Return where a network's weights are; a network without any is on the processor."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
