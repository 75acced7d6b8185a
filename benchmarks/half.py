"""What half precision and the paper's 16-bit integers cost an F2SRGAN, beside this project's own int8.

    python benchmarks/half.py NETWORK FOLDER

NETWORK is a saved network (.safetensors), or a name such as f2srgan-student for random weights, of which only the
distance to float32 means anything. FOLDER holds high-resolution images; ranges of integers are taken from the same
images, which is kind to them. PSNR in dB, RGB, no border: against the truth, and of each form against float32. Bytes
are those of weights and biases; an int8 file holds blocks that are run several times as often. Nothing is timed:
processors without float16 arithmetic say nothing about those with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import record
import torch

from pocketsr.blocks import Network
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.fake_quantise import FakeQuantised
from pocketsr.compress.half import HalfNetwork
from pocketsr.errors import LoweringError
from pocketsr.evaluate import psnr
from pocketsr.graph import Conv2D
from pocketsr.image import downscale, list_images, read_image
from pocketsr.image.resize import crop_to_multiple
from pocketsr.networks import NETWORKS, build
from pocketsr.networks.saved import load_network
from pocketsr.train import to_tensor, upscale_with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    network = (
        build(options.network, {}).eval() if options.network in NETWORKS else load_network(Path(options.network))[0]
    )
    highs = [crop_to_multiple(read_image(file).pixels, network.scale) for file in list_images(options.folder)]
    pairs = [(downscale(high, network.scale), high) for high in highs]
    half = HalfNetwork(network)
    overflows = {half.first_overflow(to_tensor(low[None])) for low, _ in pairs} - {None}
    print(f"float16 overflows: {', '.join(sorted(filter(None, overflows))) or 'nowhere on these images'}")
    forms: dict[str, torch.nn.Module] = {"float32": network, "float16, Fourier units float32": half}
    for bits in (16, 8):
        fake = FakeQuantised(network, bits=bits).train()
        with torch.no_grad():
            for low, _ in pairs:
                fake(to_tensor(low[None]))
        forms[f"fake {bits}-bit"] = fake.eval()
    try:
        forms["int8 (quantised after training)"] = quantise(network, [low for low, _ in pairs])
    except LoweringError as error:
        print(f"no int8 form: {error}")
    exact = [upscale_with(network, low) for low, _ in pairs]
    print(f"{'form':<32} {'bytes':>9} {'PSNR':>8} {'to float32':>11}")
    rows = {}
    for name, form in forms.items():
        made = [upscale_with(form, low) for low, _ in pairs]
        truth = fmean(psnr(one, high) for one, (_, high) in zip(made, pairs, strict=True))
        apart = fmean(min(99.0, psnr(one, two)) for one, two in zip(made, exact, strict=True))
        bits = 8 if name == "fake 8-bit" else 16
        rows[name] = {"bytes": _bytes(form, bits), "psnr_db": truth, "to_float32_db": apart}
        print(f"{name:<32} {rows[name]['bytes']:>9} {truth:>8.3f} {apart:>11.2f}")
    facts = {"network": Path(options.network).stem, "scale": network.scale}
    facts |= {"images": len(pairs), "folder": options.folder.name}
    record.write("half", {**facts, "overflows": sorted(filter(None, overflows)), "rows": rows})


def _bytes(form: torch.nn.Module, fake_bits: int) -> int:
    if isinstance(form, IntegerNetwork):
        layers = [op for op in form.graph().ops if isinstance(op, Conv2D)]
        return sum(op.weight.nbytes + op.bias.nbytes + op.weight_scale.nbytes for op in layers)
    plain = form.folded() if isinstance(form, Network) and not isinstance(form, HalfNetwork | FakeQuantised) else form
    total = 0
    for name, parameter in plain.named_parameters():
        is_rounded = name.endswith("parametrizations.weight.original")
        total += parameter.numel() * (fake_bits // 8 if is_rounded else parameter.element_size())
    return total


if __name__ == "__main__":
    main()
