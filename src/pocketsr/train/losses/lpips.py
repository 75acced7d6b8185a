"""LPIPS to train by: the measure of ``pocketsr.evaluate`` with gradients, by the same table of layers and weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError
from pocketsr.evaluate.perceptual import find_file, find_measure, read_lpips
from pocketsr.evaluate.perceptual.features import FEATURE_NETWORKS, Convolution, Fire, Pool
from pocketsr.evaluate.perceptual.lpips import SCALE, SHIFT

#: A place's channels are taken for no shorter than this: the measure adds 1e-10, and gradients would reach 1e10.
_SHORTEST = 1e-4


class LPIPS(nn.Module):
    """Learned perceptual distance between what a recognition network sees in two images, frozen.

    Args:
        network: ``squeeze``, the smallest; ``alex``; or ``vgg``.
        folder: With the network's weights and its heads, as ``pocketsr evaluate --metric`` takes them. Left out, the
            folder that the environment variable ``POCKETSR_METRICS`` names, or ``~/.cache/pocketsr/metrics``.

    Raises:
        SettingError: There is no such network, or a file is missing.
        ModelFileError: A file is damaged, or another network's.

    Source:
        Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), version 0.1.
    """

    def __init__(self, *, network: str = "squeeze", folder: str = "") -> None:
        super().__init__()
        names = [candidate.name for candidate in FEATURE_NETWORKS]
        if network not in names:
            raise SettingError(f"loss 'lpips': network is one of {', '.join(names)}, not {network!r}")
        measure = find_measure(f"lpips-{network}")
        given = Path(folder) if folder else None
        if (reason := measure.reason(given)) is not None:
            raise SettingError(f"loss 'lpips': {reason}")
        files = {needed.key: path for needed in measure.files if (path := find_file(needed, given)) is not None}
        model = read_lpips(network, files["weights"], files["heads"])
        self._layers = model.network.layers
        values = {**model.weights, "shift": SHIFT, "scale": SCALE}
        values |= {f"head.{index}": head.astype(np.float32) for index, head in enumerate(model.heads)}
        for name, value in values.items():
            self.register_buffer(_key(name), torch.from_numpy(np.array(value)), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean distance of ``(N, 3, H, W)`` images in 0..1; the gradient flows to ``output`` alone.

        Luma is seen as grey. Both sides of the images are at least 31.
        """
        with torch.no_grad():
            wanted = self._see(target)
        distances = [
            ((seen - true).square() * self._value(f"head.{index}")[:, None, None]).sum(1).mean()
            for index, (seen, true) in enumerate(zip(self._see(output), wanted, strict=True))
        ]
        return torch.stack(distances).sum()

    def _see(self, images: Tensor) -> list[Tensor]:
        """Return what each tap sees, every pixel's channels brought to length 1."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        shift, scale = (self._value(name)[:, None, None] for name in ("shift", "scale"))
        x = (images * 2 - 1 - shift) / scale
        taps = []
        for layer in self._layers:
            if isinstance(layer, Convolution):
                x = self._convolve(layer.key, x, layer.stride, layer.padding)
            elif isinstance(layer, Fire):
                few = self._convolve(f"{layer.key}.squeeze", x)
                expanded = (f"{layer.key}.expand1x1", 0), (f"{layer.key}.expand3x3", 1)
                x = torch.cat([self._convolve(key, few, padding=padding) for key, padding in expanded], 1)
            elif isinstance(layer, Pool):
                x = F.max_pool2d(x, layer.side, layer.stride, ceil_mode=layer.is_ceil)
            else:
                raise TypeError(f"LPIPS has no layer {layer!r}")
            if isinstance(layer, Convolution | Fire) and layer.is_tap:
                taps.append(unit(x))
        return taps

    def _convolve(self, key: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self._value(f"{key}.weight"), self._value(f"{key}.bias")
        return F.conv2d(x, weight, bias, stride, padding).relu()

    def _value(self, name: str) -> Tensor:
        value: Tensor = getattr(self, _key(name))
        return value


def unit(x: Tensor) -> Tensor:
    """Bring each place's channels to length 1, those that hardly respond to less."""
    return x / (x.square().sum(1, keepdim=True) + _SHORTEST**2).sqrt()


def _key(name: str) -> str:
    """Return a name that a buffer may have."""
    return name.replace(".", "_")
