"""Three networks for recognising things, as tables of layers, and what they see in an image on the way.

    image ── layers ──┬── layers ──┬── …      (torchvision's layers and keys)
                      └ tap 1      └ tap 2    (maps that measures compare)

Knows nothing of measures; weights come as arrays by torchvision's names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError
from pocketsr.evaluate.perceptual.layers import Maps, convolve, max_pool, relu, smooth_pool


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution with bias, then ReLU.

    Attributes:
        key: Name of weight and bias, less ``.weight`` and ``.bias``.
        stride: In pixels.
        padding: Zeros at each side.
        is_tap: What comes out is compared.
    """

    key: str
    stride: int = 1
    padding: int = 1
    is_tap: bool = False


@dataclasses.dataclass(frozen=True)
class Fire:
    """SqueezeNet's module: 1×1 to few channels, from there 1×1 and 3×3 side by side, each with ReLU.

    Attributes:
        key: Name before ``.squeeze``, ``.expand1x1`` and ``.expand3x3``.
        is_tap: What comes out is compared.
    """

    key: str
    is_tap: bool = False


@dataclasses.dataclass(frozen=True)
class Pool:
    """The largest value of each window.

    Attributes:
        side: Of the window, in pixels.
        stride: In pixels.
        is_ceil: The last window may reach over the edge.
    """

    side: int
    stride: int = 2
    is_ceil: bool = False


@dataclasses.dataclass(frozen=True)
class SmoothPool:
    """Halving by the root of a weighted mean of squares over 3×3 values, as DISTS puts in the place of ``Pool``."""


Layer: TypeAlias = Convolution | Fire | Pool | SmoothPool


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """A network up to the last map that is compared.

    Attributes:
        name: Name to ask for.
        layers: In the order that pixels meet them.
        channels: Of each tap.
        source: Paper, and whose keys the weights have.
    """

    name: str
    layers: tuple[Layer, ...]
    channels: tuple[int, ...]
    source: str


SQUEEZENET = FeatureNetwork(
    name="squeeze",
    layers=(
        Convolution("features.0", stride=2, padding=0, is_tap=True),
        Pool(3, is_ceil=True),
        Fire("features.3"),
        Fire("features.4", is_tap=True),
        Pool(3, is_ceil=True),
        Fire("features.6"),
        Fire("features.7", is_tap=True),
        Pool(3, is_ceil=True),
        Fire("features.9", is_tap=True),
        Fire("features.10", is_tap=True),
        Fire("features.11", is_tap=True),
        Fire("features.12", is_tap=True),
    ),
    channels=(64, 128, 256, 384, 384, 512, 512),
    source="Iandola et al. (2016), version 1.1, as torchvision's squeezenet1_1",
)

ALEXNET = FeatureNetwork(
    name="alex",
    layers=(
        Convolution("features.0", stride=4, padding=2, is_tap=True),
        Pool(3),
        Convolution("features.3", padding=2, is_tap=True),
        Pool(3),
        Convolution("features.6", is_tap=True),
        Convolution("features.8", is_tap=True),
        Convolution("features.10", is_tap=True),
    ),
    channels=(64, 192, 384, 256, 256),
    source="Krizhevsky (2014), as torchvision's alexnet",
)

VGG16 = FeatureNetwork(
    name="vgg",
    layers=(
        Convolution("features.0"),
        Convolution("features.2", is_tap=True),
        Pool(2),
        Convolution("features.5"),
        Convolution("features.7", is_tap=True),
        Pool(2),
        Convolution("features.10"),
        Convolution("features.12"),
        Convolution("features.14", is_tap=True),
        Pool(2),
        Convolution("features.17"),
        Convolution("features.19"),
        Convolution("features.21", is_tap=True),
        Pool(2),
        Convolution("features.24"),
        Convolution("features.26"),
        Convolution("features.28", is_tap=True),
    ),
    channels=(64, 128, 256, 512, 512),
    source="Simonyan and Zisserman (2015), configuration D, as torchvision's vgg16",
)

FEATURE_NETWORKS = (SQUEEZENET, ALEXNET, VGG16)


def prepare_weights(network: FeatureNetwork, weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, Maps]:
    """Return the weights that a network needs, as float32; others, such as its classifier's, are left out.

    Args:
        network: Which one.
        weights: By torchvision's names, floating point of any width.

    Raises:
        ModelFileError: One is missing, or of a shape that does not fit its neighbours.
    """
    prepared: dict[str, Maps] = {}
    channels, widths = 3, iter(network.channels)

    def take(key: str, inputs: int) -> int:
        for name in (f"{key}.weight", f"{key}.bias"):
            if name not in weights:
                raise ModelFileError(f"the weights lack {name}; {network.source} is needed")
            prepared[name] = np.ascontiguousarray(weights[name], np.float32)
        weight, bias = prepared[f"{key}.weight"], prepared[f"{key}.bias"]
        if weight.ndim != 4 or weight.shape[1] != inputs or bias.shape != weight.shape[:1]:
            raise ModelFileError(
                f"{key}: {inputs} channels come in, its weight is {weight.shape} and its bias {bias.shape}; "
                f"{network.source} is needed"
            )
        return len(weight)

    for layer in network.layers:
        if isinstance(layer, Convolution):
            channels = take(layer.key, channels)
        elif isinstance(layer, Fire):
            few = take(f"{layer.key}.squeeze", channels)
            channels = take(f"{layer.key}.expand1x1", few) + take(f"{layer.key}.expand3x3", few)
        if isinstance(layer, Convolution | Fire) and layer.is_tap and channels != (wanted := next(widths)):
            raise ModelFileError(f"{layer.key} gives {channels} channels, not {wanted}; {network.source} is needed")
    return prepared


def extract(network: FeatureNetwork, weights: Mapping[str, Maps], x: Maps) -> Iterator[Maps]:
    """Yield the maps at each tap, one after another, so that only one need be held.

    Args:
        network: Which one.
        weights: As :func:`prepare_weights` returns them.
        x: float32 ``(3, H, W)``, scaled as the network was trained.

    Yields:
        float32 ``(channels, h, w)``.

    Raises:
        SettingError: The image is too small for the network's windows.
    """
    for layer in network.layers:
        if isinstance(layer, Pool):
            x = max_pool(x, layer.side, layer.stride, is_ceil=layer.is_ceil)
            continue
        if isinstance(layer, SmoothPool):
            x = smooth_pool(x)
            continue
        if isinstance(layer, Convolution):
            x = _convolved(weights, layer.key, x, layer.stride, layer.padding)
        else:
            few = _convolved(weights, f"{layer.key}.squeeze", x)
            sides = (
                _convolved(weights, f"{layer.key}.expand1x1", few),
                _convolved(weights, f"{layer.key}.expand3x3", few, padding=1),
            )
            x = np.concatenate(sides)
        if layer.is_tap:
            yield x


def _convolved(weights: Mapping[str, Maps], key: str, x: Maps, stride: int = 1, padding: int = 0) -> Maps:
    return relu(convolve(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride=stride, padding=padding))
