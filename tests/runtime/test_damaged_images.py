"""A damaged image file becomes an enlarged image or one line of error: nothing else, and nothing is left behind.

By the public door, ``upscale_file``, in a process with bounded memory: every format that Pillow writes here, cut short,
with bits turned, words exchanged, sizes, profiles and EXIF that lie, directories that go in circles, and bombs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def try_images(folder: Path, first: int, last: int, every: int) -> tuple[int, int]:
    """Return how many files were refused and how many done; ``every`` so manieth thought-out bad file, 0 for none."""
    arguments = [str(Path(__file__).with_name("try_images.py")), str(folder), *map(str, (first, last, every))]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, f"{(folder / 'last').read_text()} ended with {done.returncode}: {done.stderr[-2000:]}"
    assert done.stderr == ""
    counts = json.loads(done.stdout)
    assert counts["wrong"] == []
    return counts["refused"], counts["done"]


def test_damaged_files_of_every_format_are_refused_or_done(tmp_path: Path) -> None:
    refused, done = try_images(tmp_path, 0, 200, 3)
    assert refused > 200
    assert done > 50


@pytest.mark.slow
def test_two_thousand_more_and_every_one_thought_out_are_refused_or_done(tmp_path: Path) -> None:
    assert sum(try_images(tmp_path, 1000, 3000, 1)) > 2900
