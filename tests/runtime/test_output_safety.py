"""Whatever goes wrong while a file is written: one line of error, nothing left behind, and the old file still there."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pocketsr.cli import main
from pocketsr.errors import ImageFileError, ModelFileError
from pocketsr.graph.tflite import write_model
from pocketsr.image import FORMATS, Photo, write_image, writing
from pocketsr.runtime import Upscaler
from pocketsr.runtime.photo import upscale_file
from runtime.try_images import Doubling
from sample_graphs import abpn_like_graph, spec_for

#: A user that owns nothing.
_NOBODY = 65534


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    write_image(tmp_path / "in.png", Photo(pixels))
    return tmp_path / "in.png"


@pytest.fixture
def upscaler() -> Upscaler:
    return Upscaler("none.tflite", backend=Doubling(), tile=16)


@pytest.fixture(params=["in one piece", "in strips"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of writing: through Pillow, and row by row as large images are."""
    if request.param == "in strips":
        monkeypatch.setattr(writing, "STREAM_PIXELS", 0)
    return request.param


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """A folder with a file in it that is to survive."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    for suffix in FORMATS:
        (folder / f"old{suffix}").write_bytes(b"precious")
    return folder


def untouched(folder: Path) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {f"old{end}": b"precious" for end in FORMATS}


def filling_open(limit: int) -> Callable[..., Any]:
    """Return ``Path.open`` of a disk that has so many bytes left."""

    class FullDisk(io.FileIO):
        left = limit

        def write(self, data: Any) -> int:
            taken = min(self.left, memoryview(data).nbytes)
            if taken == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.left -= taken
            return super().write(memoryview(data).cast("B")[:taken])

    real = Path.open

    def opened(path: Path, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
        if "w" not in mode:
            return real(path, mode, buffering, **options)
        raw = FullDisk(path, "w")
        return raw if buffering == 0 else io.BufferedWriter(raw)

    return opened


@pytest.mark.parametrize("limit", [0, 1, 300])
@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_a_disk_that_fills_is_one_line_and_leaves_nothing(
    suffix: str, limit: int, way: str, source: Path, outputs: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", filling_open(limit))
    with pytest.raises(ImageFileError, match=os.strerror(errno.ENOSPC)) as caught:
        upscale_file(upscaler, source, outputs / f"old{suffix}", overwrite=True)
    monkeypatch.undo()
    assert "\n" not in str(caught.value), way
    assert untouched(outputs)


@pytest.mark.parametrize("suffix", sorted(FORMATS))
@pytest.mark.parametrize("at", [1, 3])
def test_ctrl_c_in_the_middle_leaves_nothing(
    suffix: str, at: int, way: str, source: Path, outputs: Path, upscaler: Upscaler
) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total > 3, way
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale_file(upscaler, source, outputs / f"old{suffix}", overwrite=True, on_progress=interrupt)
    assert untouched(outputs)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EXDEV, errno.EACCES, errno.EIO, errno.EDQUOT])
def test_a_rename_that_fails_leaves_the_old_file(
    number: int, source: Path, outputs: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ImageFileError, match=os.strerror(number)):
        upscale_file(upscaler, source, outputs / "old.png", overwrite=True)
    assert untouched(outputs)


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Give a folder of root's that may be entered and not written, and be somebody else meanwhile."""
    if not hasattr(os, "seteuid"):
        pytest.skip("users of POSIX")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(_NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(before)
            folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_one_line() -> None:
    with as_nobody() as folder:
        with pytest.raises(ImageFileError, match=r"cannot write .*Permission denied; check that the folder") as caught:
            write_image(folder / "a.png", Photo(np.zeros((3, 3, 3), np.uint8)))
        assert "\n" not in str(caught.value)
        graph = abpn_like_graph()
        with pytest.raises(ModelFileError, match=r"cannot write .*Permission denied; check that the folder"):
            write_model(graph, spec_for(graph), folder / "a.tflite")
        assert not any(folder.iterdir())


def test_a_file_that_may_not_be_read_is_one_line(upscaler: Upscaler) -> None:
    with as_nobody() as folder:
        os.seteuid(0 if os.getuid() == 0 else os.geteuid())
        folder.chmod(0o755)
        (folder / "closed.png").write_bytes(b"")
        (folder / "closed.png").chmod(0)
        if os.getuid() == 0:
            os.seteuid(_NOBODY)
        with pytest.raises(ImageFileError, match=r"cannot read .*closed\.png: Permission denied"):
            upscale_file(upscaler, folder / "closed.png", folder / "made.png")


def test_a_real_disk_that_is_full_is_one_line_for_every_format(source: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small disk is root's")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        for suffix in sorted(FORMATS):
            done = CliRunner().invoke(
                main, ["upscale", str(source), "--backend", "reference", "-t", "1", "-o", str(disk / f"a{suffix}")]
            )
            assert done.exit_code == 1, suffix
            assert done.stderr.startswith(f"error: cannot write {disk / f'a{suffix}'}"), done.stderr
            assert done.stderr.count("\n") == 1
            assert not any(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_model_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tflite").write_bytes(b"precious")
    graph = abpn_like_graph()
    monkeypatch.setattr(Path, "open", filling_open(100))
    with pytest.raises(ModelFileError, match=os.strerror(errno.ENOSPC)):
        write_model(graph, spec_for(graph), tmp_path / "a.tflite")
    monkeypatch.undo()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]
