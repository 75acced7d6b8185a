"""What a recipe will take: a few real steps on noise, timed."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from collections.abc import Mapping
from statistics import median

import numpy as np
import torch

from pocketsr.data import PatchBatch
from pocketsr.train.distributed import Processes
from pocketsr.train.loop import Rewrite, network_for
from pocketsr.train.recipe import Recipe
from pocketsr.train.stage_run import make_learner


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageEstimate:
    """What one stage will take.

    Attributes:
        trained: Parameters that are trained.
        step_ms: Milliseconds a step, without data, validation and checkpoints.
        hours: The same for all its steps.
        peak_mb: Most memory that the process has held so far, in 10^6 bytes; on a GPU, of its memory.
    """

    trained: int
    step_ms: float
    hours: float
    peak_mb: float


def estimate(
    recipe: Recipe, index: int, rewrites: Mapping[str, Rewrite], processes: Processes, *, steps: int = 3
) -> StageEstimate:
    """Take a first step and a few more on random pixels, and time the latter.

    Args:
        recipe: The recipe.
        index: Which stage.
        rewrites: As for ``train``.
        processes: The device is theirs.
        steps: Steps that are timed; their median counts.
    """
    stage = recipe.stages[index]
    network = network_for(recipe, index, rewrites)
    learner = make_learner(recipe, index, network, processes)
    scale = max(stage.scales or (recipe.scale,))
    random = np.random.default_rng(0)
    sides = (stage.patch, stage.patch * scale)
    batch = stage.batch // processes.world
    low, high = (random.integers(0, 256, (batch, side, side, 3), dtype=np.uint8) for side in sides)
    # A teacher whose images are made before costs a step nothing.
    guide = high if stage.distillation and stage.distillation.outputs == "cached" else None
    times = []
    for step in range(steps + 1):
        began = time.perf_counter()
        learner.learn(PatchBatch(low, high, scale, guide), step)
        if processes.device.type == "cuda":
            torch.cuda.synchronize(processes.device)
        times.append(time.perf_counter() - began)
    seconds = median(times[1:])
    return StageEstimate(
        trained=sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        step_ms=1000 * seconds,
        hours=seconds * stage.steps / 3600,
        peak_mb=_peak_mb(processes.device),
    )


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
