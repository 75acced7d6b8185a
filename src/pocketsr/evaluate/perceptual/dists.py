"""DISTS: like LPIPS, but textures may differ in their details if they look alike. Lower is better.

    image, truth ── VGG-16 with smooth pooling ── 6 maps (the image first) ── means and covariances over all places
                                                    1 − Σ α · likeness of means − Σ β · likeness of structure

Untested on VGG-16's real weights, which were not at hand. With random ones it agrees with the authors' package, with
their α and β and with random ones.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.evaluate.perceptual.features import VGG16, FeatureNetwork, Pool, SmoothPool, extract, prepare_weights
from pocketsr.evaluate.perceptual.layers import Maps
from pocketsr.evaluate.perceptual.weight_files import read_weights

_Float = npt.NDArray[np.float64]

#: VGG-16 as DISTS has it: no jumps where an edge moves by a pixel.
SMOOTH_VGG16: FeatureNetwork = dataclasses.replace(
    VGG16, layers=tuple(SmoothPool() if isinstance(layer, Pool) else layer for layer in VGG16.layers)
)
_CHANNELS = (3, *VGG16.channels)

#: ImageNet's mean and deviation, of 0..1 RGB.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
_C1 = _C2 = 1e-6
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class DistsModel:
    """VGG-16's weights, and what each channel counts.

    Attributes:
        weights: As ``prepare_weights`` returns them.
        alpha: float64 ``(1475,)``, of means.
        beta: float64 ``(1475,)``, of structure.
    """

    weights: Mapping[str, Maps]
    alpha: _Float
    beta: _Float


def read_dists(weights: Path, heads: Path) -> DistsModel:
    """Read a model from its two files.

    Args:
        weights: VGG-16's, by torchvision's names.
        heads: The authors' ``weights.pt``: ``alpha`` and ``beta`` with 1475 values each.

    Raises:
        ModelFileError: A file is missing, damaged, or another network's.
    """
    values = read_weights(heads)
    parts = []
    for name in ("alpha", "beta"):
        if name not in values or values[name].size != sum(_CHANNELS):
            raise ModelFileError(f"{heads} has no {name} with {sum(_CHANNELS)} values; DISTS' weights.pt is needed")
        parts.append(values[name].astype(np.float64).ravel())
    try:
        return DistsModel(prepare_weights(SMOOTH_VGG16, read_weights(weights)), *parts)
    except ModelFileError as error:
        raise ModelFileError(f"{weights}: {error}") from error


def dists(image: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], model: DistsModel) -> float:
    """Return the distance in structure and texture; lower is better, 0 for equal images.

    Args:
        image: uint8 ``(H, W, 3)`` RGB of any size, judged at that. The authors' script shrinks
            images to a shorter side of 256 pixels first: that is the caller's, where their values are to be met.
        truth: The same shape.
        model: From :func:`read_dists`.

    Returns:
        0 or more, seldom above 1; rounded to six decimals.

    Raises:
        SettingError: The images are not uint8 RGB of one shape.

    Source:
        Ding, Ma, Wang and Simoncelli, "Image quality assessment: unifying structure and texture similarity" (2020),
        eq. 6 to 8. Untested on VGG-16's real weights; agrees with the same steps in torch, and with the authors'
        package (DISTS-pytorch 0.1), to 1e-4 on random ones.
    """
    if image.shape != truth.shape or image.ndim != 3 or image.shape[2] != 3:
        raise SettingError(f"DISTS needs two RGB images of one shape, not {image.shape} and {truth.shape}")
    if image.dtype != np.uint8 or truth.dtype != np.uint8:
        raise SettingError(f"DISTS needs uint8 images, not {image.dtype} and {truth.dtype}")
    likeness, start = 0.0, 0
    for left, right in zip(*(_maps(each, model) for each in (image, truth)), strict=True):
        here = slice(start, start := start + len(left))
        means, structure = _compared(left, right)
        likeness += float(model.alpha[here] @ means + model.beta[here] @ structure)
    return round(1 - likeness / float(model.alpha.sum() + model.beta.sum()), _DECIMALS)


def _maps(image: npt.NDArray[np.uint8], model: DistsModel) -> itertools.chain[Maps]:
    x: Maps = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / np.float32(255)
    return itertools.chain([x], extract(SMOOTH_VGG16, model.weights, (x - _MEAN) / _DEVIATION))


def _compared(left: Maps, right: Maps) -> tuple[_Float, _Float]:
    """Return the likeness of means and of structure, by channel; sums are of float64."""
    x, y = (maps.reshape(len(maps), -1).astype(np.float64) for maps in (left, right))
    mean_x, mean_y = x.mean(axis=1), y.mean(axis=1)
    x -= mean_x[:, None]
    y -= mean_y[:, None]
    spread = (x * x).mean(axis=1) + (y * y).mean(axis=1)
    means = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return means, (2 * (x * y).mean(axis=1) + _C2) / (spread + _C2)
