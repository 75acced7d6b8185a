"""What half precision and the paper's 16-bit integers cost an F2SRGAN, beside this project's own int8.

    python benchmarks/half.py NETWORK.safetensors FOLDER

NETWORK is a saved network, FOLDER high-resolution images. PSNR in dB, RGB, no border: against the truth, and of each
form against float32. Nothing is timed: processors without float16 arithmetic say nothing about those with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import torch

from pocketsr.compress import quantise
from pocketsr.compress.fake_quantise import FakeQuantised
from pocketsr.compress.half import HalfNetwork
from pocketsr.errors import LoweringError
from pocketsr.evaluate import psnr
from pocketsr.image import downscale, list_images, read_image
from pocketsr.image.resize import crop_to_multiple
from pocketsr.networks.saved import load_network
from pocketsr.train import to_tensor, upscale_with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    network, _ = load_network(options.network)
    highs = [crop_to_multiple(read_image(file).pixels, network.scale) for file in list_images(options.folder)]
    pairs = [(downscale(high, network.scale), high) for high in highs]
    forms: dict[str, torch.nn.Module] = {"float32": network, "float16, Fourier units float32": HalfNetwork(network)}
    for bits in (16, 8):
        fake = FakeQuantised(network, bits=bits).train()
        with torch.no_grad():
            for low, _ in pairs:
                fake(to_tensor(low[None]))
        forms[f"fake {bits}-bit (ranges of these images)"] = fake.eval()
    try:
        forms["int8 (quantised after training)"] = quantise(network, [low for low, _ in pairs])
    except LoweringError as error:
        print(f"no int8 form: {error}")
    exact = [upscale_with(network, low) for low, _ in pairs]
    print(f"{'form':<40} {'PSNR':>8} {'to float32':>11}")
    for name, form in forms.items():
        made = [upscale_with(form, low) for low, _ in pairs]
        truth = fmean(psnr(one, high) for one, (_, high) in zip(made, pairs, strict=True))
        apart = fmean(min(99.0, psnr(one, two)) for one, two in zip(made, exact, strict=True))
        print(f"{name:<40} {truth:>8.3f} {apart:>11.2f}")


if __name__ == "__main__":
    main()
