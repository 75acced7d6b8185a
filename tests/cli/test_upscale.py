from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

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
def photo(tmp_path: Path) -> Path:
    return _save(tmp_path / "in" / "photo.png", 24, 32)


def _save(path: Path, height: int, width: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def _upscale(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["upscale", "--threads", "1", *map(str, arguments)])


def _assert_one_error(done: Result, words: str, *, code: int = 1) -> None:
    assert done.exit_code == code
    assert isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert words in lines[0]


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- what it does ----------------------------------------------------------------------------------------------------


def test_an_image_becomes_a_larger_one_beside_it_and_its_path_is_printed(photo: Path, model: Path) -> None:
    done = _upscale(photo, "-m", model)
    target = photo.with_name("photo_x3.png")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{target}\n", "")
    assert np.array_equal(read_image(target).pixels, Upscaler(model, threads=1)(read_image(photo).pixels))


def test_backends_and_tiles_do_not_change_the_result(photo: Path, model: Path, tmp_path: Path) -> None:
    options = {"whole": (), "tiles": ("--tile", 16), "auto": ("--tile", 0), "numpy": ("--backend", "reference")}
    for name, more in options.items():
        assert _upscale(photo, "-m", model, "-o", tmp_path / f"{name}.png", *more).exit_code == 0
    assert len({read_image(tmp_path / f"{name}.png").pixels.tobytes() for name in options}) == 1


def test_fast_is_within_two_levels_and_goes_alone(photo: Path, model: Path, tmp_path: Path) -> None:
    for name, more in (("auto", ()), ("fast", ("--fast",))):
        done = _upscale(photo, "-m", model, "-o", tmp_path / f"{name}.png", *more)
        assert done.exit_code == 0, done.stderr
    auto, fast = (read_image(tmp_path / f"{name}.png").pixels.astype(int) for name in ("auto", "fast"))
    assert np.abs(auto - fast).max() <= 2
    done = _upscale(photo, "-m", model, "--fast", "--backend", "litert")
    assert (done.exit_code, "leave out --backend" in done.stderr) == (2, True)


def test_a_folder_goes_to_a_folder_that_is_made(photo: Path, model: Path, tmp_path: Path) -> None:
    _save(photo.with_name("other.jpg"), 9, 8)
    done = _upscale(photo.parent, "-m", model, "-o", tmp_path / "deep" / "out", "-f", "webp")
    assert done.exit_code == 0
    assert _files(tmp_path / "deep") == ["out/other.webp", "out/photo.webp"]
    assert len(done.stdout.splitlines()) == 2


def test_the_habits_of_other_upscalers_are_understood(photo: Path, model: Path, tmp_path: Path) -> None:
    done = _upscale("--input", photo, "--output", tmp_path / "out.png", "--model-name", model, "--scale", "3")
    assert done.exit_code == 0
    done = _upscale("-i", photo, "-o", tmp_path / "out.jpg", "-n", model, "-s", "3", "--ext", "jpg", "--tile", "0")
    assert done.exit_code == 0
    assert _files(tmp_path) == ["in/photo.png", "out.jpg", "out.png"]


def test_notes_are_words_on_stderr_and_quiet_silences_them(photo: Path, model: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (9, 9, 9, 0)).save(photo)
    done = _upscale(photo, "-m", model, "-f", "jpg")
    assert done.exit_code == 0
    assert done.stderr.startswith(f"note: {photo.with_name('photo_x3.jpg')}: ")
    done = _upscale(photo, "-m", model, "-o", tmp_path / "q.jpg", "-q")
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5000)])
def test_odd_sizes_work(tmp_path: Path, model: Path, height: int, width: int) -> None:
    source = _save(tmp_path / "in" / "odd.png", height, width)
    assert _upscale(source, "-m", model).exit_code == 0
    assert read_image(source.with_name("odd_x3.png")).pixels.shape == (3 * height, 3 * width, 3)


@pytest.mark.parametrize(
    ("options", "size", "mark"),
    [
        (("-s", 2), (48, 64), "x2"),
        (("-s", 2.5), (60, 80), "x2.5"),
        (("-s", 8), (192, 256), "x8"),
        (("--width", 100), (75, 100), "100w"),
        (("--height", 100), (100, 133), "100h"),
        (("--fit", "90x90"), (68, 90), "90x90"),
        (("--longest", 80), (60, 80), "80px"),
        (("--megapixels", 0.01), (87, 115), "0.01mp"),
    ],
    ids=str,
)
def test_any_size_is_made_to_the_pixel_and_named(
    photo: Path, model: Path, options: tuple[object, ...], size: tuple[int, int], mark: str
) -> None:
    done = _upscale(photo, "-m", model, *options)
    assert (done.exit_code, done.stderr) == (0, "")
    assert read_image(photo.with_name(f"photo_{mark}.png")).pixels.shape == (*size, 3)


def test_a_size_no_larger_than_the_input_is_a_note(photo: Path, model: Path) -> None:
    done = _upscale(photo, "-m", model, "-s", 0.5)
    assert done.exit_code == 0
    assert "no larger than the input" in done.stderr
    assert read_image(photo.with_name("photo_x0.5.png")).pixels.shape == (12, 16, 3)


def test_quality_lossless_strip_and_faithful_are_passed_on(photo: Path, model: Path, tmp_path: Path) -> None:
    def made(name: str, *options: object) -> Path:
        assert _upscale(photo, "-m", model, "-o", tmp_path / name, *options).exit_code == 0
        return tmp_path / name

    assert made("coarse.jpg", "--quality", 20).stat().st_size < made("fine.jpg").stat().st_size / 2
    whole = read_image(made("whole.webp", "--lossless")).pixels
    assert np.array_equal(whole, read_image(made("whole.png")).pixels)
    assert not np.array_equal(whole, read_image(made("true.png", "--faithful")).pixels)
    with Image.open(photo) as image:
        image.save(photo, dpi=(100, 100))
    assert read_image(made("dpi.png")).carried["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert "dpi" not in read_image(made("bare.png", "--strip")).carried


# -- bad input: one line, no traceback, nothing left behind ----------------------------------------------------------


def _missing(folder: Path) -> Path:
    return folder / "missing.png"


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _zero_bytes(folder: Path) -> Path:
    (folder / "zero.png").touch()
    return folder / "zero.png"


def _text(folder: Path) -> Path:
    (folder / "text.png").write_text("this is text")
    return folder / "text.png"


def _cut_short(folder: Path) -> Path:
    path = _save(folder / "cut.jpg", 64, 64)
    path.write_bytes(path.read_bytes()[:-1000])
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_missing, "no such file"),
        (_empty_folder, "no images"),
        (_zero_bytes, "empty (0 bytes)"),
        (_text, "not PNG"),
        (_cut_short, "damaged or cut short"),
    ],
)
def test_a_bad_image_is_one_error(tmp_path: Path, model: Path, make: Callable[[Path], Path], words: str) -> None:
    source = make(tmp_path)
    before = _files(tmp_path)
    done = _upscale(source, "-m", model)
    _assert_one_error(done, words)
    assert str(source) in done.stderr
    assert _files(tmp_path) == before


def test_a_bomb_beyond_the_limit_is_refused_unless_the_limit_is_lifted(photo: Path, model: Path) -> None:
    _assert_one_error(_upscale(photo, "-m", model, "--max-pixels", 24 * 32 - 1), "--max-pixels")
    assert _files(photo.parent) == ["photo.png"]
    assert _upscale(photo, "-m", model, "--max-pixels", 0).exit_code == 0


def test_a_real_bomb_is_refused_before_it_is_decoded(tmp_path: Path, model: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    _assert_one_error(_upscale(tmp_path / "bomb.png", "-m", model), "900,000,000 pixels")


def test_one_bad_image_does_not_stop_the_others(photo: Path, model: Path, tmp_path: Path) -> None:
    bad = [_text(photo.parent), _zero_bytes(photo.parent)]
    done = _upscale(photo.parent, "-m", model, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stdout == f"{tmp_path / 'out' / 'photo.png'}\n"
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == done.stderr.splitlines()[:2]
    assert all(str(path) in done.stderr for path in bad)
    assert done.stderr.splitlines()[2:] == ["2 failed, 1 done"]


def test_outputs_are_not_replaced_without_being_asked(photo: Path, model: Path) -> None:
    target = photo.with_name("photo_x3.png")
    target.write_text("mine")
    _assert_one_error(_upscale(photo, "-m", model), "--overwrite")
    assert target.read_text() == "mine"
    assert _upscale(photo, "-m", model, "--overwrite").exit_code == 0
    assert read_image(target).height == 72


def test_the_input_is_never_the_output(photo: Path, model: Path) -> None:
    before = photo.read_bytes()
    for output in (photo, photo.parent):
        _assert_one_error(_upscale(photo, "-m", model, "-o", output, "--overwrite"), "is the input itself")
    assert photo.read_bytes() == before


def test_wrong_usage_is_code_2(photo: Path, model: Path, tmp_path: Path) -> None:
    _assert_one_error(_upscale(photo, "-m", "abnp-x3"), "unknown model 'abnp-x3'", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "--backend", "lightrt"), "did you mean 'litert'", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "-s", 2, "--width", 9), "-s and --width came", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "--height", 9, "--width", 9), "--fit WxH", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "--fit", "1920"), "such as 1920x1080", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "--tile", 3), "a tile needs to be", code=2)
    _assert_one_error(_upscale(photo, "-m", model, "-f", "xyz"), "unknown format 'xyz'", code=2)
    for arguments in ((), (photo, "--threads", 0), (photo, "--no-such-option")):
        assert _upscale(*arguments).exit_code == 2
    assert _files(tmp_path) == ["in/photo.png"]


def test_an_empty_name_is_not_the_folder_one_is_in(photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    for arguments in (("",), ("photo.png", "-i", ""), ("photo.png", "-o", "")):
        _assert_one_error(_upscale("-m", model, *arguments), "empty", code=2)
    assert _files(photo.parent) == ["photo.png"]


def test_a_folder_that_cannot_be_made_is_one_error(photo: Path, model: Path) -> None:
    _assert_one_error(_upscale(photo, photo, "-m", model, "-o", photo / "out"), "cannot make the folder")


def test_a_name_too_long_is_an_error_of_its_image_only(photo: Path, model: Path) -> None:
    long = photo.with_name("a" * 251 + ".png")  # there is no room for _x3
    photo.rename(long)
    done = _upscale(photo.with_name("b" * 300 + ".png"), long, _save(photo, 8, 8), "-m", model)
    assert (done.exit_code, done.stdout) == (1, f"{photo.with_name('photo_x3.png')}\n")
    assert [line.split(" ")[:3] for line in done.stderr.splitlines()] == [
        ["error:", "cannot", "read"],
        ["error:", "cannot", "write"],
        ["2", "failed,", "1"],
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to this user")
def test_what_may_not_be_read_does_not_stop_the_others(photo: Path, model: Path, tmp_path: Path) -> None:
    closed = _save(tmp_path / "closed" / "photo.png", 8, 8)
    secret = _save(photo.with_name("secret.png"), 8, 8)
    closed.parent.chmod(0)
    secret.chmod(0)
    try:
        done = _upscale(closed.parent, closed, secret, photo, "-m", model, "-o", tmp_path / "out", "-f", "png")
    finally:
        closed.parent.chmod(0o700)
    assert (done.exit_code, done.stdout) == (1, f"{tmp_path / 'out' / 'photo.png'}\n")
    assert done.stderr.count("Permission denied") == 3


def test_a_model_file_that_is_not_ours_is_one_error(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("not a model at all")
    (tmp_path / "cut.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    for name in ("text", "cut", "none"):
        _assert_one_error(_upscale(photo, "-m", tmp_path / f"{name}.tflite"), f"{name}.tflite")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory to upscale"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_error(
    monkeypatch: pytest.MonkeyPatch, photo: Path, model: Path, error: Exception, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Upscaler, "strips", fail)
    _assert_one_error(_upscale(photo, "-m", model), words)
    assert _files(photo.parent) == ["photo.png"]


# -- a process of its own --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_disk_that_fills_is_one_error_and_leaves_nothing(tmp_path: Path, model: Path, ending: str) -> None:
    source = _save(tmp_path / "in" / "photo.png", 120, 120)

    resource = pytest.importorskip("resource")

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    words = [sys.executable, "-m", "pocketsr", "upscale", str(source), "-m", str(model), "-f", ending, "-t", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, preexec_fn=small_disk)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: cannot write {source.with_name(f'photo_x3.{ending}')}")
    assert _files(tmp_path) == ["in/photo.png"]


_INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from pocketsr.cli import main
from pocketsr.image import writing
from pocketsr.runtime import enlarge

writing.STREAM_PIXELS, enlarge._STRIP_PIXELS = 0, 500
made = enlarge.Enlarger.strips

def interrupted(*arguments, **options):
    for number, strip in enumerate(made(*arguments, **options)):
        if number == 3:
            assert len(list(Path(sys.argv[2]).parent.glob("*.part"))) == 1, "the file is being written"
            os.kill(os.getpid(), signal.SIGINT)
        yield strip

enlarge.Enlarger.strips = interrupted
main(prog_name="pocketsr")
"""


def test_ctrl_c_leaves_no_partial_file_and_exits_130(photo: Path, model: Path) -> None:
    words = [sys.executable, "-c", _INTERRUPTED, "upscale", str(photo), "-m", str(model), "-t", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")
    assert _files(photo.parent) == ["photo.png"]


def test_progress_is_drawn_on_a_terminal_only_and_paths_stay_on_stdout(photo: Path, model: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "pocketsr", "upscale", "-t", "1", "-m", str(model), str(photo)]
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment) as process:
        out, _ = process.communicate(timeout=60)
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert (process.returncode, out) == (0, f"{photo.with_name('photo_x3.png')}\n")
    assert "photo.png" in drawn
    assert "\x1b[3" not in drawn  # no colours


def test_what_is_printed_on_a_terminal_stands_on_lines_of_its_own(photo: Path, model: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    missing = photo.with_name("missing.png")
    words = [sys.executable, "-m", "pocketsr", "upscale", "-t", "1", "-m", str(model), str(photo), str(missing)]
    done = subprocess.run(words, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}, timeout=60)
    os.close(theirs)
    drawn = ""
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while piece := os.read(ours, 1 << 16):
            drawn += piece.decode()
    os.close(ours)
    assert done.returncode == 1
    assert "1/2 photo.png" in drawn
    for printed in (f"{photo.with_name('photo_x3.png')}\r\n", f"error: cannot read {missing}", "1 failed, 1 done\r\n"):
        before, _, _ = drawn.partition(printed)
        assert before != drawn
        assert before.endswith(("\r\n", "\x1b[2K")), "the bar is wiped away before"


def test_tta_takes_the_mean_over_orientations(photo: Path, model: Path) -> None:
    plain = CliRunner().invoke(main, ["upscale", str(photo), "-m", str(model), "-o", str(photo.parent / "plain.png")])
    mean = CliRunner().invoke(
        main, ["upscale", str(photo), "-m", str(model), "--tta", "-o", str(photo.parent / "mean.png")]
    )
    assert (plain.exit_code, mean.exit_code) == (0, 0)
    made = [read_image(photo.parent / name).pixels for name in ("plain.png", "mean.png")]
    expected = Upscaler(model, tta=True)(read_image(photo).pixels)
    assert np.array_equal(made[1], expected)
    assert not np.array_equal(*made)


def test_a_style_that_there_is_not_is_wrong_usage(photo: Path) -> None:
    done = CliRunner().invoke(main, ["upscale", str(photo), "--style", "anime"])
    assert done.exit_code == 2
    assert "'auto', 'photo', 'clean', 'jpeg', 'jpeg-444', 'jpeg-coarse', 'gan'" in done.stderr
