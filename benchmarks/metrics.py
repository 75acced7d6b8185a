"""Speed of the measures of evaluation on this machine, one thread. Leave the machine alone meanwhile.

    python benchmarks/metrics.py [HEIGHT WIDTH]

Milliseconds of one image against its truth: median and spread of several runs, after one that is not counted. Networks
whose files are not there are given random weights of the right shapes, which cost the same.
"""

from __future__ import annotations

import os

# Before numpy is imported: its library reads them once.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import record

from pocketsr.evaluate import psnr, ssim_gaussian, ssim_uniform
from pocketsr.evaluate.perceptual import LpipsModel, NiqeModel, lpips, ms_ssim, niqe
from pocketsr.evaluate.perceptual.features import (
    FEATURE_NETWORKS,
    Convolution,
    FeatureNetwork,
    Fire,
    prepare_weights,
)
from pocketsr.image import rgb_to_y

RUNS = 7
#: (squeezed, each side) of SqueezeNet's modules, in order; widths and windows of the other networks' convolutions.
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
CONVOLUTIONS = {
    "squeeze": ((64, 3),),
    "alex": ((64, 11), (192, 5), (384, 3), (256, 3), (256, 3)),
    "vgg": tuple(
        (width, 3) for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)) for _ in range(count)
    ),
}


def random_model(network: FeatureNetwork) -> LpipsModel:
    """Return a network with weights of the published shapes."""
    random, weights, inputs = np.random.default_rng(0), {}, 3
    fires, convolutions = iter(FIRES), iter(CONVOLUTIONS[network.name])

    def add(key: str, outputs: int, inputs: int, side: int) -> int:
        deviation = (2 / inputs / side**2) ** 0.5
        weights[f"{key}.weight"] = random.normal(0, deviation, (outputs, inputs, side, side))
        weights[f"{key}.bias"] = np.zeros(outputs)
        return outputs

    for layer in network.layers:
        if isinstance(layer, Convolution):
            inputs = add(layer.key, (size := next(convolutions))[0], inputs, size[1])
        elif isinstance(layer, Fire):
            few, each = next(fires)
            add(f"{layer.key}.squeeze", few, inputs, 1)
            inputs = add(f"{layer.key}.expand1x1", each, few, 1) + add(f"{layer.key}.expand3x3", each, few, 3)
    heads = tuple(random.random(width) for width in network.channels)
    return LpipsModel(network, prepare_weights(network, weights), heads)


def milliseconds(run: Callable[[], float]) -> list[float]:
    """Return the times of RUNS runs."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Time every measure."""
    height, width = (int(argument) for argument in sys.argv[1:3]) if len(sys.argv) > 2 else (480, 500)
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (height, width, 3), np.uint8)
    image = np.clip(truth + random.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    y, true_y = rgb_to_y(image), rgb_to_y(truth)
    model = NiqeModel(np.zeros(36), np.eye(36))
    cases: dict[str, Callable[[], float]] = {
        "psnr, rgb": lambda: psnr(image, truth),
        "ssim 11×11, y": lambda: ssim_gaussian(y, true_y),
        "ssim 11×11, rgb": lambda: ssim_gaussian(image, truth),
        "ssim 7×7, rgb": lambda: ssim_uniform(image, truth),
        "ms-ssim, y": lambda: ms_ssim(y, true_y),
        "niqe": lambda: niqe(image, model),
    }
    for network in FEATURE_NETWORKS:
        weights = random_model(network)
        cases[f"lpips-{network.name}"] = lambda weights=weights: lpips(image, truth, weights)
    facts = record.circumstances()
    print(f"{facts['processor']}; {facts['system']}, numpy {np.__version__}; commit {facts['commit']}")
    print(f"{height}×{width}, one thread, median (least to most) of {RUNS}")
    for name, run in cases.items():
        times = milliseconds(run)
        print(f"{name:16} {median(times):8.1f} ms  ({min(times):.1f} to {max(times):.1f})")


if __name__ == "__main__":
    main()
