"""Speed of training on this machine: steps a second, time spent waiting for data, memory. Leave the machine alone.

    python benchmarks/training.py FOLDER [--device cuda] [--recipes]

FOLDER holds training images. ABPN ×3 is trained on batches of 16 × 64×64 by the engine, and beside it by the same loop
in float32 with channels first, in turn, each round a process of its own; medians over rounds. With ``--recipes`` every
recipe's first stage is timed too, for a few steps at its own batch and patch.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import record
import torch

from pocketsr.compress.integer import REWRITES
from pocketsr.data import PatchSampler, load_scales, stream_batches
from pocketsr.networks import build
from pocketsr.train import Event, join_processes, load_recipe, recipe_from, recipe_names, to_tensor, train

ROUNDS, STEPS, WARM_UP = 3, 300, 50
ENGINE, COMPILED, PLAIN = ARMS = (
    "engine, bfloat16, channels last",
    "engine, compiled by inductor",
    "plain loop, float32, channels first",
)
STAGE = {"name": "a", "steps": STEPS + WARM_UP, "batch": 16, "patch": 64, "checkpoint_every": 100_000}
ABPN = {"name": "benchmark", "network": {"name": "abpn", "options": {"scale": 3}}, "stages": [STAGE]}


def time_engine(recipe_values: dict[str, Any], folder: Path, device: str) -> dict[str, float]:
    """Train by the engine; the first steps are not counted."""
    events: list[Event] = []
    recipe = recipe_from(recipe_values)
    with join_processes(device) as processes, tempfile.TemporaryDirectory() as run:
        pairs = load_scales(folder, scales=recipe.scales)
        train(recipe, pairs, folder=Path(run), rewrites=REWRITES, processes=processes, on_event=events.append)
    counted = [event for event in events if event.step > WARM_UP]
    return {
        "steps_per_second": median(event.steps_per_second for event in counted),
        "waiting": median(event.waiting for event in counted),
        "peak_mb": peak_mb(),
    }


def time_plain(folder: Path) -> dict[str, float]:
    """Train the same network on the same batches, as a loop that knows nothing of this processor does."""
    network = build("abpn", {"scale": 3})
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    pairs = load_scales(folder, scales=(3,))
    stage = recipe_from(ABPN).stages[0]
    sampler = PatchSampler(pairs, patch=stage.patch, batch=stage.batch, seed=0, augmentations=stage.augmentations)
    began = waited = 0.0
    batches = stream_batches(sampler, 0, STEPS + WARM_UP)
    for step in range(STEPS + WARM_UP):
        if step == WARM_UP:
            began, waited = time.perf_counter(), 0.0
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        optimiser.zero_grad()
        output = network(to_tensor(batch.low).contiguous())
        (output - to_tensor(batch.high).contiguous()).abs().mean().backward()
        optimiser.step()
    seconds = time.perf_counter() - began
    return {"steps_per_second": STEPS / seconds, "waiting": waited / seconds, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Return the peak resident memory of this process in 10^6 bytes; on a GPU, of its memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def in_own_process(*arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def arms(folder: Path, device: str) -> dict[str, dict[str, float]]:
    """Take the arms in turn."""
    rows: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(ROUNDS):
        for arm in ARMS:
            rows[arm].append(in_own_process(str(folder), "--device", device, "--arm", arm))
    return {arm: {key: round(median(run[key] for run in runs), 4) for key in runs[0]} for arm, runs in rows.items()}


def recipes(folder: Path, device: str) -> dict[str, dict[str, float]]:
    """Time the first stage of every recipe that needs no start and no weights from elsewhere."""
    results = {}
    for name in recipe_names():
        recipe = load_recipe(name)
        stage = recipe.stages[0]
        if recipe.starts_from or any(term.name == "vgg" for term in stage.losses):
            continue
        results[name] = in_own_process(str(folder), "--device", device, "--recipe", name)
        results[name] |= {"batch": stage.batch, "patch": stage.patch}
        print(name, results[name], file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--recipes", action="store_true")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--recipe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm == PLAIN:
        print(json.dumps(time_plain(options.folder)))
    elif options.arm:
        stage = {**STAGE, "compile": "inductor" if options.arm == COMPILED else ""}
        print(json.dumps(time_engine({**ABPN, "stages": [stage]}, options.folder, options.device)))
    elif options.recipe:
        chosen = load_recipe(options.recipe).to_dict()
        stage = {**chosen["stages"][0], "steps": 60, "warmup_steps": 0, "checkpoint_every": 100_000}
        print(json.dumps(time_engine({**chosen, "stages": [stage]}, options.folder, options.device)))
    else:
        load = round(os.getloadavg()[0], 2)
        results: dict[str, Any] = {"load_before": load, "abpn-x3": arms(options.folder, options.device)}
        pace = {arm: row["steps_per_second"] for arm, row in results["abpn-x3"].items()}
        results["ratios"] = {arm: round(pace[arm] / pace[PLAIN], 2) for arm in (ENGINE, COMPILED)}
        if options.recipes:
            results["recipes"] = recipes(options.folder, options.device)
        print(json.dumps(results, indent=1))
        print(record.write("training", results))


if __name__ == "__main__":
    main()
