"""Many files in one call: what is there already, JSON, pipes, names, and several processes on one folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pocketsr.batch.journal import FILE_NAME
from pocketsr.cli import main
from pocketsr.graph.tflite import write_model
from pocketsr.image import read_image
from pocketsr.runtime import Upscaler
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight images of several sizes, two of them in folders of folders."""
    for number, name in enumerate(("a.png", "b.jpg", "c.png", "d.webp", "e.png", "f.png", "x/a.png", "x/y/b.png")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20 + number, 30 - number, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "in"


def _upscale(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["upscale", "--threads", "1", *map(str, arguments)], input=stdin)


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _command(folder: Path, out: Path, model: Path, *more: str) -> list[str]:
    words = ["upscale", str(folder), "-r", "-o", str(out), "-m", str(model), "-t", "1"]
    return [sys.executable, "-m", "pocketsr", *words, *more]


# -- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_tree_is_made_again_in_order_and_as_one_by_one(folder: Path, model: Path, tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "out"
    done = _upscale(folder, "-r", "-o", out, "-m", model, "-j", jobs, "-f", "png")
    assert (done.exit_code, done.stderr) == (0, "")
    names = ["a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "x/a.png", "x/y/b.png"]
    assert done.stdout.splitlines() == [str(out / name) for name in names]
    assert _files(out) == names, "and nothing else: no lock, no journal"
    upscaler = Upscaler(model, threads=1)
    for source in sorted(folder.rglob("*.png")):
        made = read_image(out / source.relative_to(folder)).pixels
        assert np.array_equal(made, upscaler(read_image(source).pixels))


def test_a_budget_smaller_than_an_image_does_one_at_a_time(folder: Path, model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (700, 500)).save(folder / "large.png")
    done = _upscale(folder, "-o", tmp_path / "out", "-m", model, "--in-work", 1)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 7)


def test_bad_images_among_many_stop_none(folder: Path, model: Path, tmp_path: Path) -> None:
    for number in range(20):
        (folder / f"bad{number:02}.png").write_bytes(b"no image")
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:-200])
    done = _upscale(folder, "-o", tmp_path / "out", "-m", model)
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 6
    lines = done.stderr.splitlines()
    assert lines[-1] == "21 failed, 6 done"
    assert [line.partition(": ")[0] for line in lines[:-1]] == ["error"] * 21 + ["failed"] * 21
    assert len(_files(tmp_path / "out")) == 7, "six images, and the journal of a batch that is not whole"


def test_patterns_names_and_suffixes(folder: Path, model: Path, tmp_path: Path) -> None:
    done = _upscale(folder / "*.png", "-o", tmp_path / "o", "-m", model, "--name", "{number:03}/{stem}_{scale}x.{ext}")
    assert done.exit_code == 0
    assert _files(tmp_path / "o") == ["001/a_3x.png", "002/c_3x.png", "003/e_3x.png", "004/f_3x.png"]
    assert _upscale(folder / "a.png", "-m", model, "--suffix", "{big}").exit_code == 0
    assert (folder / "a{big}.png").exists()
    for more in (("--name", "{nome}.png"), ("--suffix", "/../x"), ("--name", "{stem}.png", "--suffix", "b")):
        done = _upscale(folder, "-m", model, *more)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_outputs_do_not_leave_their_folder_through_links(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (out / "x").symlink_to(tmp_path / "elsewhere")
    done = _upscale(folder, "-r", "-o", out, "-m", model)
    assert done.exit_code == 1
    assert done.stderr.count("outside") == 2
    assert _files(tmp_path / "elsewhere") == []


def test_a_dry_run_prints_what_would_be_written_and_writes_nothing(folder: Path, model: Path, tmp_path: Path) -> None:
    before = _files(tmp_path)
    done = _upscale(folder, folder / "none.png", "-r", "-o", tmp_path / "out", "-m", model, "--dry-run")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 8
    assert "none.png: there is no such file" in done.stderr
    assert _files(tmp_path) == before
    assert not (tmp_path / "out").exists()


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_json_is_a_line_for_each_image_and_one_for_the_whole(folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "bad.png").write_bytes(b"")
    Image.new("RGBA", (9, 8), (9, 9, 9, 0)).save(folder / "alpha.png")
    (tmp_path / "empty").mkdir()
    done = _upscale(folder, tmp_path / "empty", "-o", tmp_path / "out", "-m", model, "-f", "jpg", "--json")
    assert (done.exit_code, done.stderr) == (1, "")
    problem, *lines, summary = map(json.loads, done.stdout.splitlines())
    assert problem["source"] == str(tmp_path / "empty")
    assert [Path(line["source"]).name for line in lines] == [
        "a.png", "alpha.png", "b.jpg", "bad.png", "c.png", "d.webp", "e.png", "f.png",
    ]  # fmt: skip
    first, alpha, _, bad = lines[:4]
    assert (first["target"], first["width"], first["height"]) == (str(tmp_path / "out" / "a.jpg"), 90, 60)
    assert first["seconds"] > 0
    assert "flattened" in alpha["notes"][0]
    assert "empty" in bad["error"]
    assert {key: summary["summary"][key] for key in ("done", "skipped", "failed")} == {
        "done": 7, "skipped": 0, "failed": 2,
    }  # fmt: skip
    assert summary["summary"]["megapixels_per_second"] > 0
    again = _upscale(folder / "a.png", "-o", f"{tmp_path}/out/", "-m", model, "-f", "jpg", "--json", "--resume")
    assert json.loads(again.stdout.splitlines()[0])["skipped"]


# -- pipes -----------------------------------------------------------------------------------------------------------


def test_an_image_goes_through_a_pipe(folder: Path, model: Path, tmp_path: Path) -> None:
    source = folder / "b.jpg"
    beside = tmp_path / "b3.jpg"
    assert _upscale(source, "-o", beside, "-m", model).exit_code == 0
    done = _upscale("-", "-m", model, stdin=source.read_bytes())
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout_bytes == beside.read_bytes(), "of the input's format, and nothing but the image"
    done = _upscale("-", "-m", model, "-f", "png", "-o", "-", stdin=source.read_bytes())
    assert Image.open(io.BytesIO(done.stdout_bytes)).format == "PNG"
    done = _upscale(source, "-m", model, "-o", "-")
    assert done.stdout_bytes == beside.read_bytes()
    done = _upscale("-", "-m", model, "-o", tmp_path / "c.png", stdin=source.read_bytes())
    assert (done.exit_code, done.stdout_bytes) == (0, b"")
    assert read_image(tmp_path / "c.png").width == 3 * read_image(source).width


def test_what_comes_through_a_pipe_may_be_bad(model: Path, tmp_path: Path) -> None:
    for content, words in ((b"", "empty"), (b"no image at all, but text", "not PNG"), (b"\xff\xd8\xff\xe0", "damaged")):
        done = _upscale("-", "-m", model, stdin=content)
        assert (done.exit_code, done.stdout_bytes) == (1, b"")
        assert done.stderr.startswith("error: cannot read standard input: ")
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    for more in (("x.png",), ("--json",), ("-r",), ("-o", tmp_path), ("-f", "xyz"), ("-f", "jpg", "-o", "a.png")):
        assert _upscale("-", "-m", model, *more, stdin=b"").exit_code == 2


def test_a_terminal_gets_no_bytes_and_gives_none(folder: Path, model: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pocketsr", "upscale", "-m", str(model), "-t", "1"]
    ends: list[tuple[list[str], dict[str, Any]]] = [
        (["-"], {"stdin": subprocess.DEVNULL, "stdout": theirs}),
        ([str(folder / "a.png"), "-o", "-"], {"stdout": theirs}),
        (["-"], {"stdin": theirs, "stdout": subprocess.DEVNULL}),
    ]
    for arguments, streams in ends:
        done = subprocess.run([*command, *arguments], stderr=subprocess.PIPE, text=True, timeout=60, **streams)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "terminal" in done.stderr
    os.close(theirs)
    os.close(ours)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_pipe_that_takes_no_more_is_one_error(folder: Path, model: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pocketsr",
        "upscale",
        "-m",
        str(model),
        "-t",
        "1",
        "-o",
        "-",
        str(folder / "a.png"),
    ]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write standard output: No space left")
    assert "Traceback" not in done.stderr


# -- killed, stopped, and not alone ----------------------------------------------------------------------------------

#: Ends as a power cut would, while the image of this number is being written.
_KILLED = """
import os, signal, sys
from pocketsr.cli import main
from pocketsr.image import writing

whole = writing._write_whole
written = []

def killed(temporary, job, strips):
    written.append(temporary)
    if len(written) == 4:
        temporary.write_bytes(b"half an image")
        os.kill(os.getpid(), signal.SIGKILL)
    whole(temporary, job, strips)

writing._write_whole = killed
main(prog_name="pocketsr")
"""


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_batch_that_was_killed_goes_on_where_it_stopped(folder: Path, model: Path, tmp_path: Path, jobs: str) -> None:
    out = tmp_path / "out"
    command = _command(folder, out, model, "-j", jobs)
    done = subprocess.run([command[0], "-c", _KILLED, *command[3:]], capture_output=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL
    left = _files(out)
    assert any(name.endswith(".part") for name in left)
    assert any(name.endswith(".lock") for name in left)
    finished = {name: (out / name).stat().st_mtime_ns for name in left if ".pocketsr" not in name}
    assert len(finished) < 8
    for part in out.rglob("*.part"):
        os.utime(part, (1, 1))  # it was killed a while ago
    again = _upscale(folder, "-r", "-o", out, "-m", model, "--resume", "--json")
    assert again.exit_code == 0, again.output
    *lines, summary = map(json.loads, again.stdout.splitlines())
    assert summary["summary"]["skipped"] == len(finished), again.stdout
    assert summary["summary"]["done"] == 8 - len(finished)
    assert {str(Path(line["target"]).relative_to(out)) for line in lines if "skipped" in line} == set(finished)
    assert {name: (out / name).stat().st_mtime_ns for name in finished} == finished
    assert [name for name in _files(out) if name != FILE_NAME] == [
        "a.png", "b.jpg", "c.png", "d.webp", "e.png", "f.png", "x/a.png", "x/y/b.png",
    ]  # fmt: skip
    for path in out.rglob("*.*"):
        if path.name != FILE_NAME:
            read_image(path)


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 130, "stopped\n"), (signal.SIGTERM, 143, "")])
def test_a_batch_that_is_stopped_leaves_whole_files_only(
    folder: Path, model: Path, tmp_path: Path, number: int, code: int, said: str
) -> None:
    out = tmp_path / "out"
    for copy in range(200):
        (folder / f"g{copy}.png").write_bytes((folder / "a.png").read_bytes())
    command = _command(folder, out, model)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        process.send_signal(number)
        _, words = process.communicate(timeout=120)
    assert (process.returncode, words) == (code, said)
    assert Path(first).exists()
    made = [name for name in _files(out) if name != FILE_NAME]
    assert 0 < len(made) < 208
    assert not [name for name in made if ".pocketsr" in name]
    for name in made:
        read_image(out / name)


def test_two_processes_on_one_folder_do_every_image_once(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in range(40):
        (folder / f"g{number:02}.png").write_bytes((folder / "a.png").read_bytes())
    command = _command(folder, out, model, "--resume", "--json")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    lines: list[dict[str, Any]] = []
    for process in both:
        printed, words = process.communicate(timeout=300)
        assert (process.returncode, words) == (0, "")
        lines += map(json.loads, printed.splitlines()[:-1])
    made = [line["target"] for line in lines if "width" in line]
    assert len(lines) == 2 * 48
    assert len(made) == len(set(made)) == 48, "all of them, and none twice"
    assert len([name for name in _files(out) if name != FILE_NAME]) == 48
    for name in made:
        read_image(name)


def test_existing_outputs_are_refused_skipped_or_replaced_as_asked(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("mine")
    done = _upscale(folder, "-o", out, "-m", model)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "1 failed, 5 done"
    done = _upscale(folder, "-o", out, "-m", model, "--skip-existing")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "6 skipped, 0 done"
    done = _upscale(folder, "-o", out, "-m", model, "--resume")
    assert done.exit_code == 1, "whose the first is cannot be known"
    assert (out / "a.png").read_text() == "mine"
    done = _upscale(folder, "-o", out, "-m", model, "--resume", "--overwrite")
    assert (done.exit_code, done.stdout) == (0, f"{out / 'a.png'}\n")
    assert _upscale(folder, "-m", model, "--resume", "--skip-existing").exit_code == 2


def test_the_bar_of_many_says_how_many_how_fast_and_how_long(folder: Path, model: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    for number in range(60):
        (folder / f"g{number:02}.png").write_bytes((folder / "a.png").read_bytes())
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}
    command = _command(folder, tmp_path / "out", model)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        drawn, deadline = "", time.monotonic() + 300
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while time.monotonic() < deadline and (piece := os.read(ours, 1 << 16)):
                drawn += piece.decode(errors="replace")
    os.close(ours)
    assert process.returncode == 0
    assert "1/68 a.png" in drawn
    assert " MP/s " in drawn
    assert " left" in drawn
