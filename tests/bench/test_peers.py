"""What others offer, timed as ours is; each test skips with a word where its program is not installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bench.records import MEASURED
from pocketsr.bench import Asked, Idleness, LocalContender, measure, read_record
from pocketsr.bench.peers import KERNELS, open_peer, version_of
from pocketsr.cli import main
from pocketsr.cli.bench_peer_files import write_compact, write_espcn, write_fsrcnn
from pocketsr.cli.bench_peers import Peers, peers
from pocketsr.errors import MissingExtraError, ModelFileError, UnknownNameError
from pocketsr.graph.tflite import write_model
from sample_graphs import abpn_like_graph, spec_for

IMAGE = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", ["pillow", "opencv"])
def test_kernels_enlarge_as_their_programs_do(program: str, kernel: str) -> None:
    pytest.importorskip({"pillow": "PIL", "opencv": "cv2"}[program], reason="pip install 'pocketsr[peers]'")
    work, spec = open_peer(program, kernel, 2, 1)
    made = work(IMAGE)
    assert (made.shape, made.dtype, spec.scale) == ((20, 24, 3), np.uint8, 2)
    nearest = IMAGE.repeat(2, axis=0).repeat(2, axis=1).astype(float)
    assert np.corrcoef(made.reshape(-1), nearest.reshape(-1))[0, 1] > 0.8
    if program == "pillow" and kernel == "bicubic":
        assert np.array_equal(made, np.asarray(Image.fromarray(IMAGE).resize((24, 20), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_opencv_runs_the_small_networks_on_luma(scale: int, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="pip install 'pocketsr[peers]'")
    pytest.importorskip("onnx")
    write_fsrcnn(tmp_path / "plain.onnx", scale, is_rewritten=False)
    write_fsrcnn(tmp_path / "quick.onnx", scale, is_rewritten=True)
    write_espcn(tmp_path / "espcn.onnx", scale)
    for name in ("plain", "quick", "espcn"):
        work, spec = open_peer("opencv", str(tmp_path / f"{name}.onnx"), 0, 1)
        assert (spec.scale, spec.name, work(IMAGE).shape) == (scale, name, (10 * scale, 12 * scale, 3))


def test_opencv_runs_our_own_colour_network(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="pip install 'pocketsr[peers]'")
    pytest.importorskip("onnx")
    from pocketsr.graph import execute
    from pocketsr.lower.onnx import onnx_bytes

    graph = abpn_like_graph(precision="float32")
    # What OpenCV feeds is 0..1; ours takes 0..255, so only its time and not its pixels would be a trained network's.
    (tmp_path / "ours.onnx").write_bytes(onnx_bytes(graph, spec_for(graph)))
    work, spec = open_peer("opencv", str(tmp_path / "ours.onnx"), 0, 1)
    expected = execute(graph, IMAGE[None].astype(np.float32) / 255)[0] * 255
    assert spec.scale == 3
    assert np.abs(work(IMAGE) - np.clip(np.abs(expected), 0, 255)).max() <= 1


def test_ncnn_runs_the_compact_network(tmp_path: Path) -> None:
    pytest.importorskip("ncnn", reason="pip install 'pocketsr[peers]'")
    write_compact(tmp_path / "compact.param", 3, depth=1, width=4)
    work, spec = open_peer("ncnn", str(tmp_path / "compact.param"), 0, 1)
    assert (spec.scale, work(IMAGE).shape) == (3, (30, 36, 3))
    weights = np.frombuffer((tmp_path / "compact.bin").read_bytes(), np.float32)
    silent = np.zeros_like(weights)
    (tmp_path / "compact.bin").write_bytes(silent.tobytes())
    work, _ = open_peer("ncnn", str(tmp_path / "compact.param"), 0, 1)
    assert np.array_equal(work(IMAGE), IMAGE.repeat(3, axis=0).repeat(3, axis=1)), "without weights it is nearest"


def test_files_that_are_none_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"none")
    (tmp_path / "bad.param").write_text("7767517\n0 0\n")
    (tmp_path / "bad.txt").touch()
    for program, name, module in (
        ("opencv", "bad.onnx", "cv2"),
        ("opencv", "bad.txt", "cv2"),
        ("ncnn", "bad.param", "ncnn"),
    ):
        pytest.importorskip(module)
        with pytest.raises(ModelFileError, match=name):
            open_peer(program, str(tmp_path / name), 3, 1)
    with pytest.raises(ModelFileError, match="there is no"):
        open_peer("pillow", "none.pb", 3, 1)
    with pytest.raises(UnknownNameError):
        open_peer("ncnn", "bicubic", 3, 1)


def test_a_missing_program_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    for module in ("cv2", "ncnn", "onnx"):
        monkeypatch.setitem(sys.modules, module, None)
    for work in (
        lambda: open_peer("opencv", "bicubic", 3, 1),
        lambda: write_espcn(tmp_path / "e.onnx", 3),
        lambda: write_fsrcnn(tmp_path / "f.onnx", 3, is_rewritten=True),
    ):
        with pytest.raises(MissingExtraError, match=r"pocketsr\[peers\]"):
            work()
    assert version_of("ncnn") is None or version_of("ncnn")


def test_absent_programs_are_told_and_the_others_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketsr.bench.peers.version_of", lambda program: "1" if program == "pillow" else None)
    with peers(3, (1, 2), (), is_asked=True) as found:
        assert [(one.model, one.backend, one.threads) for one in found.asked] == [
            ("bicubic", "pillow", 1), ("lanczos", "pillow", 1),
        ]  # fmt: skip
        assert set(found.absent) >= {"opencv", "ncnn"}
        assert "pocketsr[peers]" in found.absent["opencv"]
    with peers(3, (1,), (), is_asked=False) as found:
        assert found == Peers((), {}, {})


def test_a_record_has_names_versions_and_a_word_on_random_weights() -> None:
    import dataclasses

    drawn = Peers((), {"/tmp/x/fsrcnn.onnx": "fsrcnn"}, {})
    one = dataclasses.replace(
        MEASURED, backend="opencv", model=dataclasses.replace(MEASURED.model, name="/tmp/x/fsrcnn.onnx")
    )
    named = drawn.named(one)
    assert (named.model.name, named.model.sha256) == ("fsrcnn", "")
    assert named.backend.startswith("opencv")
    assert "random weights" in named.remarks[0]
    assert drawn.named(MEASURED) is MEASURED


def test_the_command_times_peers_and_the_bare_runtime_in_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketsr.bench.watch", lambda: Idleness(busy=0.0, load=0.0))
    monkeypatch.setattr("pocketsr.bench.peers.version_of", lambda program: "1" if program == "pillow" else None)
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), tmp_path / "small.tflite")
    words = ["bench", str(tmp_path / "small.tflite"), "-t", "1", "--size", "8x9", "--runs", "2", "--bare", "--peers"]
    done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "r.json")])
    assert done.exit_code == 0, done.output
    record = read_record(tmp_path / "r.json")
    assert [one.backend for one in record.results] == ["litert", "litert, bare", "pillow 1", "pillow 1"]
    assert [one.correctness is not None for one in record.results] == [True, False, False, False]
    assert "not measured: ncnn" in done.stdout
    assert " 1.00 " in done.stdout, "how many times as long as the first"
    wrong = CliRunner().invoke(main, ["bench", "--peer", "x.caffemodel"])
    assert (wrong.exit_code, "--peer takes .pb" in wrong.stderr) == (2, True)


def test_a_usual_peer_that_cannot_be_run_is_told_and_one_that_was_asked_for_stops() -> None:
    drawn = Peers((), {"drawn.onnx": "fsrcnn"}, {})
    good = Asked(model="bicubic", backend="pillow", threads=1)
    bad = Asked(model="drawn.onnx", backend="opencv", threads=1)
    asked = [LocalContender(good), LocalContender(bad)]
    results = measure(asked, ["8x9"], runs=1, leaves_out=drawn.leaves_out)
    assert [one.model.name for one in results] == ["bicubic"]
    assert "there is no drawn.onnx" in drawn.absent["fsrcnn in opencv"]
    with pytest.raises(ModelFileError):
        measure([LocalContender(bad)], ["8x9"], runs=1, leaves_out=Peers((), {}, {}).leaves_out)


def test_a_contender_may_be_a_peer() -> None:
    contender = LocalContender(Asked(model="bicubic", backend="pillow", threads=1, scale=2))
    _, spec = contender.load()
    assert spec.scale == 2
    contender.prepare((8, 9), 0)
    assert len(contender.run(2)) == 2
    assert contender.compare() is None
