"""The equivalent transformation, measured: a float network's int8 files with its skip and with the skip folded away.

    python benchmarks/equivalent.py NETWORK.pt --data FOLDER --valid FOLDER [--steps 1500]

NETWORK is a float checkpoint of ABPN, SCSRN or LRSRN. Both graphs are quantised after training and by training for the
same steps from the same weights; each of the four files is judged on the validation images and timed, interleaved, by
LiteRT with one and two threads and by OpenVINO where that is installed. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import record

import pocketsr
from pocketsr.choice import Choice
from pocketsr.compress import quantise
from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_pairs
from pocketsr.evaluate import psnr
from pocketsr.graph.tflite import read_model
from pocketsr.pipeline import to_file
from pocketsr.train import Recipe, Stage, read_checkpoint, restore, train

HEIGHT, WIDTH, ROUNDS = 360, 640, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    state = read_checkpoint(options.network)
    scale = state.recipe.scale
    pairs, valid = load_pairs(options.data, scale=scale), load_pairs(options.valid, scale=scale)
    lows = [pair.low for pair in pairs[:: max(1, len(pairs) // 50)][:50]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {}
        for folds in (False, True):
            word = "folded" if folds else "skip"
            float_network = restore(state, REWRITES)
            ptq = quantise(float_network, lows, folds_skip=folds)  # type: ignore[arg-type]
            files[f"{word}, after training"] = to_file(ptq, folder / f"{word}-ptq.tflite", check=lows[:2])
            trained = restore(_trained(state.recipe, options, pairs, folder / word, folds=folds), REWRITES)
            files[f"{word}, trained"] = to_file(trained, folder / f"{word}-qat.tflite", check=lows[:2])
        rows = {word: _row(file, valid) for word, file in files.items()}
        for threads in (1, 2):
            for word, figure in _interleaved(files, "litert", threads).items():
                rows[word][f"litert_{threads}_ms"] = figure
        try:
            import openvino  # noqa: F401 - only asked whether it is there
        except ImportError:
            print("OpenVINO is not installed: not timed there")
        else:
            for word, figure in _openvino(files).items():
                rows[word]["openvino_ms"] = figure
    for word, row in rows.items():
        print(f"{word:<24}", ", ".join(f"{key} {value:,.3f}" for key, value in row.items()))
    facts = {"network": state.recipe.network.name, "scale": scale, "steps": options.steps, "images": len(valid)}
    record.write("equivalent", {**facts, "frame": [HEIGHT, WIDTH], "rows": rows})


def _trained(recipe: Recipe, options: Any, pairs: Any, folder: Path, *, folds: bool) -> Any:
    stage = Stage(
        name="integer",
        steps=options.steps,
        arithmetic="integer",
        precision="fp32",
        equivalent=folds,
        patch=40,
        optimiser=Choice(name="SOAP"),
        learning_rate=5e-4,
        warmup_steps=min(100, options.steps),
        ema_decay=0.99,
    )
    run = Recipe(name="equivalent", network=recipe.network, stages=(stage,))
    return train(run, pairs, folder=folder, start=options.network, rewrites=REWRITES)


def _row(file: Path, valid: Any) -> dict[str, float]:
    graph, _ = read_model(file)
    upscale = pocketsr.load(file)
    return {
        "parameters": graph.parameter_count(),
        "gmacs": graph.multiply_accumulates(HEIGHT, WIDTH) / 1e9,
        "psnr_db": fmean(psnr(upscale(pair.low), pair.high) for pair in valid),
    }


def _interleaved(files: dict[str, Path], backend: str, threads: int) -> dict[str, float]:
    """Return the median milliseconds of a frame for each file, all in turn."""
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    upscalers = {word: pocketsr.load(file, backend=backend, threads=threads) for word, file in files.items()}
    times: dict[str, list[float]] = {word: [] for word in files}
    for _ in range(ROUNDS + 2):
        for word, upscale in upscalers.items():
            began = time.perf_counter()
            upscale(frame)
            times[word].append(1000 * (time.perf_counter() - began))
    return {word: median(found[2:]) for word, found in times.items()}


def _openvino(files: dict[str, Path]) -> dict[str, float]:
    """The same by OpenVINO on the same files, its inputs bound to the frame's size."""
    import openvino

    core = openvino.Core()
    frame = np.random.default_rng(0).integers(-128, 128, (1, HEIGHT, WIDTH, 3)).astype(np.int8)
    compiled = {}
    for word, file in files.items():
        model = core.read_model(str(file))
        model.reshape([1, HEIGHT, WIDTH, 3])
        compiled[word] = core.compile_model(model, "CPU").create_infer_request()
    times: dict[str, list[float]] = {word: [] for word in files}
    for _ in range(ROUNDS + 2):
        for word, request in compiled.items():
            began = time.perf_counter()
            request.infer([frame])
            times[word].append(1000 * (time.perf_counter() - began))
    return {word: median(found[2:]) for word, found in times.items()}


if __name__ == "__main__":
    main()
