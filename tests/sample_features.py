"""Files that LPIPS needs, with random weights: not the published ones, which are not ours to ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pocketsr.evaluate.perceptual.features import Convolution, FeatureNetwork, Fire

#: Names of the files of weights.
FILES = {"squeeze": "squeezenet1_1", "alex": "alexnet", "vgg": "vgg16"}


def shapes(network: FeatureNetwork) -> dict[str, tuple[int, ...]]:
    """What the network's weights measure, from the sizes that its papers print."""
    fires = ((64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128))
    fires += ((256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))
    convolutions = {
        "squeeze": ((3, 64, 3),),
        "alex": ((3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)),
        "vgg": tuple(
            (inputs, outputs, 3)
            for inputs, outputs in zip(
                (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512),
                (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
                strict=True,
            )
        ),
    }
    found: dict[str, tuple[int, ...]] = {}
    plain, fire = iter(convolutions[network.name]), iter(fires)
    for layer in network.layers:
        if isinstance(layer, Convolution):
            inputs, outputs, side = next(plain)
            found[layer.key] = (outputs, inputs, side, side)
        elif isinstance(layer, Fire):
            inputs, few, each = next(fire)
            found[f"{layer.key}.squeeze"] = (few, inputs, 1, 1)
            found[f"{layer.key}.expand1x1"], found[f"{layer.key}.expand3x3"] = (each, few, 1, 1), (each, few, 3, 3)
    return found


def write_lpips_files(folder: Path, network: FeatureNetwork) -> Path:
    """Weights and heads at random, kept at one size from layer to layer."""
    random = np.random.default_rng(0)
    weights: dict[str, np.ndarray] = {}
    for key, shape in shapes(network).items():
        weights[f"{key}.weight"] = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        weights[f"{key}.bias"] = random.normal(0, 0.1, shape[0]).astype(np.float32)
    np.savez(folder / f"{FILES[network.name]}.npz", **weights)
    heads = {f"lin{index}.model.1.weight": torch.rand(1, width, 1, 1) for index, width in enumerate(network.channels)}
    torch.save(heads, folder / f"v0.1__{network.name}.pth")
    return folder
