"""A float network's int8 files by each way of taking ranges, and with layers of 16 bits: quality and time of each.

    python benchmarks/ptq.py FLOAT.pt [--trained INTEGER.pt] --data FOLDER --valid FOLDER

Ranges come from 100 images of --data. Each file is judged on the images of --valid (RGB, no border) and timed by LiteRT
with one thread on a frame of 180×320, one after the other. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import fmean, median

import numpy as np
import record

import pocketsr
from pocketsr.blocks import Network
from pocketsr.compress import quantise
from pocketsr.compress.calibrate import Method, with_extremes
from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_pairs
from pocketsr.evaluate import psnr
from pocketsr.pipeline import to_file
from pocketsr.train import read_checkpoint, restore

HEIGHT, WIDTH, ROUNDS, IMAGES = 180, 320, 5, 100
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--trained", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    options = parser.parse_args()
    state = read_checkpoint(options.network)
    network = restore(state, REWRITES)
    assert isinstance(network, Network)
    scale = state.recipe.scale
    pairs, valid = load_pairs(options.data, scale=scale), load_pairs(options.valid, scale=scale)
    lows = [pair.low for pair in pairs[:: max(1, len(pairs) // IMAGES)][:IMAGES]]
    forms = {"float32": network.folded()}
    for method in METHODS:
        forms[method] = quantise(network, lows, method=method, rounding="nearest")
        forms[f"{method}, extremes"] = quantise(network, with_extremes(lows), method=method, rounding="nearest")
        forms[f"{method}, compensated"] = quantise(network, lows, method=method)
    for wide in ("ends", "all"):
        forms[f"minmax, 16 bits: {wide}"] = quantise(network, lows, rounding="nearest", wide=[wide])
        forms[f"minmax, compensated, 16 bits: {wide}"] = quantise(network, lows, wide=[wide])
    if options.trained:
        forms["trained in integers"] = restore(read_checkpoint(options.trained), REWRITES)
    rows = {}
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for name, form in forms.items():
            file = to_file(form, Path(folder) / "measured.tflite", check=lows[:1])
            upscale = pocketsr.load(file, threads=1)
            quality = fmean(psnr(upscale(pair.low), pair.high) for pair in valid)
            times = []
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                upscale(frame)
                times.append(1000 * (time.perf_counter() - began))
            rows[name] = {"psnr_db": quality, "ms": median(times[1:]), "bytes": file.stat().st_size}
            print(f"{name:<24} {quality:.3f} dB, {rows[name]['ms']:.1f} ms", flush=True)
    facts = {"network": state.recipe.network.name, "scale": scale, "images": len(valid), "ranges_from": len(lows)}
    record.write("ptq", {**facts, "frame": [HEIGHT, WIDTH], "rows": rows})


if __name__ == "__main__":
    main()
