"""Started by torchrun: every process trains the recipe of a JSON file on a folder of images.

    python -m torch.distributed.run --nproc-per-node 2 train_in_group.py RECIPE.json IMAGES FOLDER [STEPS]

With STEPS the run is stopped after so many.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_scales
from pocketsr.train import join_processes, recipe_from, train


def main(recipe_file: str, images: str, folder: str, steps: str = "0") -> None:
    torch.set_num_threads(1)
    recipe = recipe_from(json.loads(Path(recipe_file).read_text()))
    left = iter(range(int(steps) - 1, -1, -1)) if int(steps) else None
    with join_processes("cpu") as processes:
        train(
            recipe,
            load_scales(Path(images), scales=recipe.scales),
            folder=Path(folder),
            resume=(Path(folder) / "state.pt").exists(),
            rewrites=REWRITES,
            processes=processes,
            should_stop=lambda: left is not None and next(left) == 0,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
