"""Open damaged model files one after another and say how each ended; run by ``test_damaged_models``.

A process of its own, so that a crash below Python is seen and costs no more than itself.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from mutations import mutated
from pocketsr.errors import ModelFileError
from pocketsr.image.chatter import without_chatter
from pocketsr.runtime import Upscaler
from runtime.spoilt_models import spoilt


def main(folder: Path, first: int, last: int) -> None:
    warnings.simplefilter("error")
    originals = [path.read_bytes() for path in sorted(folder.glob("original-*.tflite"))]
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    path, counts = folder / "damaged.tflite", {"refused": 0, "run": 0}
    for seed in range(first, last):
        (folder / "last").write_text(str(seed))
        path.write_bytes((spoilt if seed % 3 == 0 else mutated)(originals[seed % len(originals)], seed))
        try:
            with without_chatter():
                upscaler = Upscaler(path, threads=1, backend="reference" if seed % 12 == 0 else "litert")
                made = upscaler(image)
        except ModelFileError as error:
            counts["refused" if len(str(error).splitlines()) == 1 else "refused in several lines"] += 1
        else:
            assert made.shape == (8 * upscaler.scale, 9 * upscaler.scale, 3), seed
            counts["run"] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
