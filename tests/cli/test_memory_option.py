"""``--memory``: what is refused, what is chosen, and that no more is taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pocketsr.batch import bytes_held
from pocketsr.cli import main
from pocketsr.cli.memory import Shares
from pocketsr.runtime import Target
from sample_files import deep_png, deep_samples


def _photo(path: Path, height: int, width: int) -> Path:
    rows, columns = np.mgrid[0:height, 0:width]
    Image.fromarray(np.dstack([rows * 3, columns * 5, rows + columns]).astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "much"], "an amount of memory is a number and M or G"),
        (["--memory", "100M"], "too little"),
        (["--memory", "300M", "--faithful"], "310 MB go without an image; allow 470M"),
        (["--memory", "200M", "--tta"], "220 MB go without an image; allow 380M"),
        (["--memory", "1G", "--tile", "64"], "leave out --tile"),
    ],
)
def test_what_makes_no_sense_is_one_error(tmp_path: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["upscale", str(_photo(tmp_path / "a.png", 8, 8)), *words])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_an_image_that_would_take_more_is_refused_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _photo(tmp_path / "in" / "large.png", 3000, 4200)
    _photo(tmp_path / "in" / "small.png", 20, 30)
    done = CliRunner().invoke(main, ["upscale", str(tmp_path / "in"), "-o", f"{tmp_path}/", "--memory", "200M"])
    assert done.exit_code == 1
    assert "large.png: it needs about 266 MB and --memory allows 200" in done.stderr
    assert (tmp_path / "small.png").exists()


def test_what_an_image_takes_is_counted_by_its_kind(tmp_path: Path) -> None:
    source, three = _photo(tmp_path / "a.png", 100, 100), Target(scale=3)
    (tmp_path / "deep.png").write_bytes(deep_png(deep_samples(100, 100)))
    pictures = [Image.new("RGB", (100, 100), (number, 0, 0)) for number in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=50)
    pictures[0].save(tmp_path / "pages.tif", save_all=True, append_images=pictures[1:])
    Image.new("F", (100, 100)).save(tmp_path / "a.tif")
    plain = bytes_held(source, tmp_path / "o.png", three)
    assert plain == 10_000 * 7 + 90_000 * 6
    assert bytes_held(source, tmp_path / "o.tif", three) == 10_000 * 7
    assert bytes_held(source, tmp_path / "o.webp", three) > 4 * plain
    assert bytes_held(tmp_path / "deep.png", tmp_path / "o.png", three) == 3 * 10_000 * 7
    assert bytes_held(tmp_path / "deep.png", tmp_path / "o.jpg", three) == 3 * 10_000 * 7 + 90_000 * 6
    assert bytes_held(tmp_path / "a.gif", tmp_path / "o.gif", three) > 3 * plain
    assert bytes_held(tmp_path / "a.gif", tmp_path / "o.jpg", three) == plain  # of which only the first is read
    assert bytes_held(tmp_path / "a.tif", tmp_path / "o.tif", three) == 3 * 10_000 * 7
    assert bytes_held(tmp_path / "pages.tif", tmp_path / "o.png", three) == plain
    assert bytes_held(tmp_path / "pages.tif", tmp_path / "o.tif", three) > 3 * 10_000 * 7
    assert bytes_held(source, tmp_path / "o.png", Target(scale=8)) > 64 * 10_000 * 6
    assert bytes_held(tmp_path / "missing.png", tmp_path / "o.png", three) == 0


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not say what a process took")
@pytest.mark.parametrize(("ending", "allowed"), [("png", 230), ("tif", 180)])
def test_no_more_is_taken(tmp_path: Path, ending: str, allowed: int) -> None:
    source = _photo(tmp_path / "a.jpg", 700, 1000)
    # Started by a small process: what its parent held counts as the child's.
    starter = (
        "import os, subprocess, sys; child = subprocess.Popen(sys.argv[1:]); print(os.wait4(child.pid, 0)[2].ru_maxrss)"
    )
    words = [sys.executable, "-m", "pocketsr", "upscale", str(source), "-f", ending, "-q", "--memory", f"{allowed}M"]
    done = subprocess.run([sys.executable, "-c", starter, *words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    *_, kilobytes = done.stdout.splitlines()
    assert int(kilobytes) * 1024 / 1e6 < allowed
    assert Shares(allowed).tiles_mb < 50
