"""Distance between what VGG-19 sees in two images.

The layers are written here with torchvision's names, so that no torchvision is needed to read its weights from a file.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from pocketsr.errors import CheckpointError, SettingError

#: Environment variable that names the file of weights.
VGG19_FILE = "POCKETSR_VGG19"
#: Convolutions of each block and their width; a block ends in 2×2 max pooling.
_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VGG(nn.Module):
    """Mean distance between features of VGG-19, trained on ImageNet and frozen.

    Args:
        layer: Convolution whose features are compared: ``conv<block>_<number>``; PCARN's, SRGAN's and F2SRGAN's is
            ``conv5_4``.
        relu: Compare after that convolution's ReLU, as papers write, rather than before, as the public code of PCARN
            and F2SRGAN does.
        imagenet: Bring colours to ImageNet's mean and deviation, as VGG was trained (F2SRGAN); False takes 0..1 as it
            is (PCARN's code).
        distance: ``l2`` is the mean squared difference, ``l1`` the mean absolute one.
        factor: Features are multiplied with this first; SRGAN's is 1/12.75.
        weights: File of weights (``.pth`` or ``.safetensors`` with torchvision's keys). Left out, the environment
            variable ``POCKETSR_VGG19`` names it, or torchvision fetches it.

    Raises:
        SettingError: There is no such layer, or no weights are to be had.
        CheckpointError: The file is not VGG-19.

    Source:
        Simonyan and Zisserman 2014; Ledig et al., SRGAN, §2.2.1.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        *,
        layer: str = "conv5_4",
        relu: bool = False,
        imagenet: bool = True,
        distance: Literal["l1", "l2"] = "l2",
        factor: float = 1.0,
        weights: str = "",
    ) -> None:
        super().__init__()
        if distance not in ("l1", "l2"):
            raise SettingError(f"loss 'vgg': distance is l1 or l2, not {distance!r}")
        self._imagenet, self._distance, self._factor = imagenet, distance, factor
        self.features = features_up_to(layer, relu=relu)
        _load(self.features, weights)
        self.requires_grad_(False).eval()
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the distance of ``(N, 3, H, W)`` images in 0..1; the gradient flows to ``output`` alone."""
        with torch.no_grad():
            wanted = self._see(target)
        difference = self._see(output) - wanted
        return difference.square().mean() if self._distance == "l2" else difference.abs().mean()

    def _see(self, images: Tensor) -> Tensor:
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        if self._imagenet:
            images = (images - self.mean) / self.deviation
        features: Tensor = self.features(images) * self._factor
        return features


def features_up_to(layer: str, *, relu: bool) -> nn.Sequential:
    """Return VGG-19's layers, with fresh weights, up to a convolution or its ReLU."""
    found = re.fullmatch(r"conv([1-5])_([1-4])", layer)
    if not found or int(found[2]) > _BLOCKS[int(found[1]) - 1][0]:
        raise SettingError(
            f"loss 'vgg': VGG-19 has no layer {layer!r}; it has conv1_1 to conv5_4, as conv<block>_<number>"
        )
    layers, channels = nn.Sequential(), 3
    for block, (count, width) in enumerate(_BLOCKS, 1):
        for number in range(1, count + 1):
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
            if (block, number) == (int(found[1]), int(found[2])):
                return layers.append(nn.ReLU()) if relu else layers
            layers.append(nn.ReLU())
        layers.append(nn.MaxPool2d(2))
    raise AssertionError(layer)


def _load(layers: nn.Sequential, weights: str) -> None:
    """Give the layers the weights of a file, or torchvision's."""
    name = weights or os.environ.get(VGG19_FILE, "")
    state = _read(Path(name)) if name else _from_torchvision()
    own = {key: state.get(f"features.{key}", state.get(key)) for key in layers.state_dict()}
    wrong = [key for key, value in layers.state_dict().items() if own[key] is None or own[key].shape != value.shape]  # type: ignore[union-attr]
    if wrong:
        raise CheckpointError(f"{name or 'torchvision'} is not VGG-19: features.{wrong[0]} is missing or another size")
    layers.load_state_dict(own)


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise SettingError(f"loss 'vgg': there is no file {path} with VGG-19's weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} cannot be read as weights ({type(error).__name__})") from error
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path} holds no table of weights")
    return state


def _from_torchvision() -> Mapping[str, Tensor]:
    try:
        from torchvision.models import VGG19_Weights
    except ImportError as error:
        raise SettingError(
            "loss 'vgg' needs VGG-19's weights: install torchvision, which fetches them, or download torchvision's "
            f"vgg19-dcbb9e9d.pth and name it by the loss's option weights or the environment variable {VGG19_FILE}"
        ) from error
    state: Mapping[str, Tensor] = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
    return state
