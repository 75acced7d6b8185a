"""What a verb's process does about streams and signals, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.cli.process import ended_by_signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file descriptors and signals of POSIX")


def _photo(folder: Path, name: str | bytes = "photo.png") -> Path:
    path = folder / os.fsdecode(name)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)).save(path, format="PNG")
    return path


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "pocketsr", "upscale", "--backend", "reference", "-t", "1", *map(str, words)]


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [("utf-8:strict", b"caf\xe9 \xe2\x82\xac_x3.png"), ("latin-1:strict", b"caf? ?_x3.png")],
    ids=["utf-8", "latin-1"],
)
def test_a_name_that_the_terminal_cannot_write_is_printed_all_the_same(
    tmp_path: Path, encoding: str, printed: bytes
) -> None:
    try:
        source = _photo(tmp_path, b"caf\xe9 \xe2\x82\xac.png")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(_command(source), capture_output=True, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert b"enlarged by pocket-x3: it shows no sign of JPEG" in done.stderr
    assert done.stdout == os.fsencode(tmp_path) + b"/" + printed + b"\n"


def test_closed_streams_neither_stop_the_work_nor_reach_a_file(tmp_path: Path) -> None:
    source, expected = _photo(tmp_path), tmp_path / "expected.png"
    subprocess.run(_command(source, "-o", expected), capture_output=True, timeout=60, check=True)
    for number, closing in enumerate(("2>&-", ">&-", "<&- >&- 2>&-")):
        target = tmp_path / f"{number}.png"
        done = subprocess.run(
            [
                "sh",
                "-c",
                f'exec "$@" {closing}',
                "sh",
                *_command(source, tmp_path / "missing.png", "-o", f"{tmp_path}/o"),
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, "only the missing one failed"
        (tmp_path / "o" / "photo.png").rename(target)
        assert target.read_bytes() == expected.read_bytes()


_ENDED = """
import os, signal, sys
from pocketsr.cli import main
from pocketsr.runtime.enlarge import Enlarger

made = Enlarger.strips

def ended(*arguments, **options):
    os.kill(os.getpid(), int(sys.argv[1]))
    yield from made(*arguments, **options)

Enlarger.strips = ended
main(sys.argv[2:], prog_name="pocketsr")
"""


@pytest.mark.parametrize(("name", "said"), [("SIGTERM", b""), ("SIGHUP", b""), ("SIGINT", b"stopped\n")])
def test_termination_and_ctrl_c_leave_no_partial_file(tmp_path: Path, name: str, said: bytes) -> None:
    source, number = _photo(tmp_path), int(getattr(signal, name))
    words = [sys.executable, "-c", _ENDED, str(number), *_command(source)[3:]]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", said)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_handlers_of_signals_are_put_back_and_an_ignored_one_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ended_by_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
