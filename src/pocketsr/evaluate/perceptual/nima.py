"""NIMA: how much people would like a picture, by a MobileNet that guesses their votes from 1 to 10. No ground truth.

    image ── −1..1 ── 3×3 /2 ── 13 × (3×3 by channel ── 1×1) ── mean over places ── 10 votes ── Σ i·share of i

Untested on real weights: none were at hand. The arithmetic is tested against torch with random ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.evaluate.perceptual.layers import Maps, convolve, convolve_depthwise
from pocketsr.evaluate.perceptual.weight_files import read_weights

#: Steps of the thirteen windows by channel, in pixels.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_VOTES = 10
#: Keras' MobileNet adds this to variances, and clips after each layer at six.
_EPSILON, _CEILING = 1e-3, np.float32(6)
#: Zeros before and after where a step is two, as Keras pads.
_AT_STRIDE_TWO, _AT_STRIDE_ONE = (0, 1), (1, 1)
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class NimaModel:
    """Weights with the normalisation multiplied in.

    Attributes:
        first: Weight ``(C, 3, 3, 3)`` and bias of the first layer.
        blocks: For each block, weight ``(C, 3, 3)`` and bias by channel, then weight ``(O, C, 1, 1)`` and bias.
        votes: Weight ``(channels, 10)`` and bias of the last layer, float64.
    """

    first: tuple[Maps, Maps]
    blocks: tuple[tuple[Maps, Maps, Maps, Maps], ...]
    votes: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def read_nima(path: Path) -> NimaModel:
    """Read the weights of a MobileNet (version 1) with ten votes.

    Args:
        path: ``.npz`` or ``.safetensors`` with Keras' names and layouts, of which the last two parts count:
            ``conv1/kernel``, ``conv1_bn/gamma``, ``conv_dw_1/depthwise_kernel``, ``conv_pw_1/kernel`` and so on to 13,
            and one kernel ``(channels, 10)`` with its bias. ``docs/reference/metrics.md`` has the lines that make it
            from the ``.h5`` that weights come in.

    Raises:
        ModelFileError: The file is missing or damaged, or lacks a weight.
    """
    weights = _by_layer(read_weights(path))

    def take(name: str) -> npt.NDArray[np.float64]:
        if name not in weights:
            raise ModelFileError(f"{path} lacks {name}; weights of Keras' MobileNet with ten votes are needed")
        return weights[name].astype(np.float64)

    def scale_and_shift(layer: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        gamma, beta, mean, variance = (
            take(f"{layer}_bn/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale

    def folded(layer: str, kernel: npt.NDArray[np.float64]) -> tuple[Maps, Maps]:
        """Multiply the normalisation into a kernel whose outputs come first."""
        scale, shift = scale_and_shift(layer)
        weight = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
        return np.ascontiguousarray(weight, np.float32), shift.astype(np.float32)

    try:
        first = folded("conv1", take("conv1/kernel").transpose(3, 2, 0, 1))
        blocks, channels = [], len(first[0])
        for number in range(1, len(_STRIDES) + 1):
            by_channel = take(f"conv_dw_{number}/depthwise_kernel")[..., 0].transpose(2, 0, 1)
            across = take(f"conv_pw_{number}/kernel").transpose(3, 2, 0, 1)
            if across.shape[1] != len(by_channel) or len(by_channel) != channels:
                raise ValueError(f"block {number} takes {channels} channels, not {len(by_channel)}, {across.shape[1]}")
            channels = len(across)
            blocks.append((*folded(f"conv_dw_{number}", by_channel), *folded(f"conv_pw_{number}", across)))
    except ValueError as error:
        raise ModelFileError(f"{path}: the weights do not fit each other or Keras' layout: {error}") from error
    last = [name for name, value in weights.items() if value.ndim == 2 and value.shape[1] == _VOTES]
    if len(last) != 1:
        raise ModelFileError(f"{path} has {len(last)} kernels with ten outputs where one is needed: {last}")
    return NimaModel(first, tuple(blocks), (take(last[0]), take(last[0].replace("/kernel", "/bias"))))


def nima(image: npt.NDArray[np.uint8], model: NimaModel) -> float:
    """Return the mean vote, 1 to 10; higher is better. It likes or dislikes what is shown, too.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, looked at in full and at its own size; both sides at least 32. The network was
            trained at 224×224: values depend on size.
        model: From :func:`read_nima`.

    Returns:
        1..10, rounded to six decimals, because float32 products differ in their last bits between machines.

    Raises:
        SettingError: The image is not uint8 RGB, or too small.

    Source:
        Talebi and Milanfar, "NIMA: neural image assessment" (2018), with Howard et al., "MobileNets" (2017), as Keras
        builds it today. Untested on real weights; agrees with torch to 1e-4 on random ones.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise SettingError(f"NIMA needs uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")
    x: Maps = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / np.float32(127.5) - np.float32(1)
    x = _clipped(convolve(np.pad(x, [(0, 0), _AT_STRIDE_TWO, _AT_STRIDE_TWO]), *model.first, stride=2))
    for stride, (by_channel, shift, across, bias) in zip(_STRIDES, model.blocks, strict=True):
        x = convolve_depthwise(x, by_channel, stride=stride, padding=_AT_STRIDE_TWO if stride == 2 else _AT_STRIDE_ONE)
        x = _clipped(x + shift[:, None, None])
        x = _clipped(convolve(x, across, bias))
    kernel, bias_of_votes = model.votes
    votes = x.mean(axis=(1, 2), dtype=np.float64) @ kernel + bias_of_votes
    shares = np.exp(votes - votes.max())
    return round(float(shares @ np.arange(1, _VOTES + 1) / shares.sum()), _DECIMALS)


def _by_layer(weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Name weights by layer and kind, whatever came before: ``model/conv1/conv1/kernel:0`` is ``conv1/kernel``."""
    return {"/".join(name.removesuffix(":0").split("/")[-2:]): value for name, value in weights.items()}


def _clipped(x: Maps) -> Maps:
    return np.clip(x, np.float32(0), _CEILING, out=x)
