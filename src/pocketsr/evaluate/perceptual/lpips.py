"""LPIPS: how far apart two images are in what a recognition network sees. Lower is better.

image ── scaled ── network ─┬ tap 1 ── each pixel's channels to length 1 ─┐
truth ── scaled ── network ─┼ tap 1 ── each pixel's channels to length 1 ─┴ (difference)² · head 1 ── mean ─┐
                            └ tap 2 …                                                                       + ── sum
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError, SettingError, UnknownNameError
from pocketsr.evaluate.perceptual.features import FEATURE_NETWORKS, FeatureNetwork, extract, prepare_weights
from pocketsr.evaluate.perceptual.layers import Maps
from pocketsr.evaluate.perceptual.weight_files import read_weights

#: Of −1..1 RGB: the mean and deviation of ImageNet, in that range.
SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
SCALE = np.array([0.458, 0.448, 0.450], np.float32)
#: Added to lengths, so that pixels without any response stay zero.
_EPSILON = np.float32(1e-10)

#: BLAS's last bits differ between machines and thread counts; these do not.
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class LpipsModel:
    """A network with its weights, and what each channel of each tap counts.

    Attributes:
        network: Which one.
        weights: As ``prepare_weights`` returns them.
        heads: float64 ``(channels,)`` for each tap.
    """

    network: FeatureNetwork
    weights: Mapping[str, Maps]
    heads: tuple[npt.NDArray[np.float64], ...]


def read_lpips(network: str, weights: Path, heads: Path) -> LpipsModel:
    """Read a model from its two files.

    Args:
        network: ``squeeze``, ``alex`` or ``vgg``. Tested with SqueezeNet's published weights. AlexNet's and VGG-16's
            were not at hand: those were tested at random, with the published heads.
        weights: Of the network, by torchvision's names.
        heads: ``v0.1__squeeze.pth`` and the like: ``lin0.model.1.weight`` and so on.

    Raises:
        UnknownNameError: There is no such network.
        ModelFileError: A file is missing, damaged, or another network's.
    """
    for candidate in FEATURE_NETWORKS:
        if candidate.name == network:
            break
    else:
        raise UnknownNameError.among("LPIPS network", network, (each.name for each in FEATURE_NETWORKS))
    values, linear = read_weights(weights), read_weights(heads)
    try:
        prepared = prepare_weights(candidate, values)
    except ModelFileError as error:
        raise ModelFileError(f"{weights}: {error}") from error
    taps = []
    for number, channels in enumerate(candidate.channels):
        name = f"lin{number}.model.1.weight"
        if name not in linear or linear[name].size != channels:
            raise ModelFileError(
                f"{heads} has no {name} with {channels} values; the heads of LPIPS 0.1 for {network!r} are needed"
            )
        taps.append(linear[name].astype(np.float64).ravel())
    return LpipsModel(candidate, prepared, tuple(taps))


def lpips(image: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], model: LpipsModel) -> float:
    """Return the learned perceptual distance; lower is better, 0 for equal images.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, both sides at least 31. Borders that should not count are the caller's to cut.
        truth: The same shape.
        model: From :func:`read_lpips`. Values of different networks are not comparable; tables mostly use ``alex``.

    Returns:
        0 or more, seldom above 1; rounded to six decimals, because float32 products differ by 1e-7 or so between
        machines and numbers of threads.

    Raises:
        SettingError: The images are not uint8 RGB of one shape, or too small for the network.

    Source:
        Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), eq. 1, version
        0.1 with linear heads: mean over places, sum over taps. Agrees to 1e-4 of its value with the same steps in
        torch, and with the authors' package (lpips 0.1.4).
    """
    if image.shape != truth.shape or image.ndim != 3 or image.shape[2] != 3:
        raise SettingError(f"LPIPS needs two RGB images of one shape, not {image.shape} and {truth.shape}")
    if image.dtype != np.uint8 or truth.dtype != np.uint8:
        raise SettingError(f"LPIPS needs uint8 images, not {image.dtype} and {truth.dtype}")
    pairs = zip(*(extract(model.network, model.weights, _scaled(each)) for each in (image, truth)), strict=True)
    total = 0.0
    for (left, right), head in zip(pairs, model.heads, strict=True):
        # The next layer reads the maps too: they are not changed in place.
        difference = _unit(left) - _unit(right)
        difference *= difference
        total += float(head @ difference.reshape(len(head), -1).mean(axis=1, dtype=np.float64))
    return round(total, _DECIMALS)


def _scaled(image: npt.NDArray[np.uint8]) -> Maps:
    """Return float32 ``(3, H, W)`` as LPIPS scales it."""
    unit = image.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(((unit - SHIFT) / SCALE).transpose(2, 0, 1))


def _unit(maps: Maps) -> Maps:
    """Divide the channels of each pixel by their length."""
    length: Maps = np.sqrt(np.einsum("chw,chw->hw", maps, maps))
    return maps / (length + _EPSILON)
