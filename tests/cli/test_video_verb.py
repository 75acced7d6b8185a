from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Upscaler
from sample_graphs import abpn_like_graph, spec_for
from sample_videos import HEIGHT, WIDTH, frames, noise, tracks, write_clip

pytest.importorskip("av")

EVEN = [512 * index for index in range(8)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), path)
    return path


def _video(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["video", "--threads", "1", *map(str, arguments)])


def test_a_video_becomes_what_the_model_makes_of_its_pictures(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN, codec="ffv1", form="bgr0", audio=["eng"])
    target = tmp_path / "out.mkv"
    done = _video(source, target, "-m", model, "-c", "ffv1")
    assert (done.exit_code, done.stdout) == (0, f"{target}\n")
    upscaler = Upscaler(model, threads=1)
    for index, frame in enumerate(frames(target)):
        assert np.array_equal(frame.to_ndarray(format="rgb24"), upscaler(noise(index)))
    assert [track.kind for track in tracks(target)] == ["video", "audio"]
    done = _video(source, target, "-m", model)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--overwrite" in done.stderr


def test_options_reach_the_encoder(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN)
    sizes = []
    for crf in (10, 40):
        target = tmp_path / f"{crf}.mp4"
        arguments = ["-m", model, "-c", "libx264", "--crf", crf, "--preset", "ultrafast", "--pix-fmt", "yuv444p"]
        assert _video(source, target, *arguments, "-e", "tune=grain").exit_code == 0
        sizes.append(target.stat().st_size)
        assert frames(target)[0].format.name == "yuv444p"
    assert sizes[0] > sizes[1]
    for asked in (["-e", "b=300k"], ["--bit-rate", 300000]):  # ways of an encoder and of ours to write a number
        assert _video(source, tmp_path / "b.mp4", "-m", model, "--overwrite", *asked).exit_code == 0
    done = _video(source, tmp_path / "x.mp4", "-m", model, "-e", "speed=9")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no option speed" in done.stderr
    done = _video(source, tmp_path / "x.mp4", "-m", model, "--start", "soon")
    assert (done.exit_code, done.stderr.startswith("error: ")) == (2, True)


def test_options_reach_the_container(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN, metadata={"title": "A day", "camera": "mine"})
    target = tmp_path / "out.mp4"
    assert _video(source, target, "-m", model, "-F", "movflags=+faststart").exit_code == 0
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"CAMERA" in content.upper()  # what else movflags were set to is kept
    assert _video(source, target, "-m", model, "-F", "movflags").exit_code == 2


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("libx265", ".mp4"),
        ("libsvtav1", ".mkv"),
        ("libvpx-vp9", ".webm"),
        ("prores_ks", ".mov"),
        ("ffv1", ".mkv"),
        ("mpeg4", ".avi"),
        ("mpeg4", ".ts"),
    ],
)
def test_every_encoder_writes_what_can_be_read(tmp_path: Path, model: Path, codec: str, suffix: str) -> None:
    import av

    try:
        av.codec.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"this PyAV has no {codec}")
    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    target = tmp_path / f"out{suffix}"
    done = _video(source, target, "-m", model, "-c", codec, "-s", 4)
    assert done.exit_code == 0, done.stderr
    made = frames(target)
    assert len(made) == 3
    shown = made[1].to_ndarray(format="gray").astype(int)
    before = frames(source)[1].reformat(width=4 * WIDTH, height=4 * HEIGHT).to_ndarray(format="gray")
    assert np.abs(shown - before).mean() < 40  # weights of the model are random; a grey or green picture is far off


def test_progress_and_result_are_lines_of_json(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN)
    done = _video(source, tmp_path / "out.mp4", "-m", model, "--json", "--resume")
    assert done.exit_code == 0
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["event"], last["frames"], last["damage"]) == ("done", len(EVEN), [])
    assert set(last["stage_s"]) == {"decode", "colour", "network", "encode"}


def test_y4m_goes_in_and_out_of_pipes(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.y4m", [0, 1, 2], codec="rawvideo", time_base=Fraction(1, 24), rate=Fraction(24))
    command = [sys.executable, "-m", "pocketsr", "video", "-", "-", "-m", str(model), "-t", "1", "-q"]
    done = subprocess.run(command, input=source.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"YUV4MPEG2 W{3 * WIDTH} H{3 * HEIGHT} F24:1".encode())
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    assert len(frames(tmp_path / "out.y4m")) == 3


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_file_that_is_cut_off_gives_what_is_there_and_says_so(tmp_path: Path, model: Path, suffix: str) -> None:
    times = [512 * index for index in range(60)]
    source = write_clip(tmp_path / "in.mkv", times, options={"g": "10"}, audio=["eng"])
    if suffix == ".mp4":  # with its index in front, as files for the web have it
        import av

        moved = tmp_path / "in.mp4"
        with av.open(str(source)) as old, av.open(str(moved), "w", options={"movflags": "faststart"}) as new:
            copies = [new.add_stream_from_template(stream, opaque=True) for stream in old.streams]
            for packet in old.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    new.mux(packet)
        source = moved
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    target = tmp_path / f"out{suffix}"
    done = _video(source, target, "-m", model)
    assert done.exit_code == 3, done.stderr
    assert done.stdout == f"{target}\n"
    assert "the input is damaged" in done.stderr
    assert 5 < len(frames(target)) < 60


def test_damage_in_the_middle_leaves_what_is_around_it(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", [512 * index for index in range(30)], codec="ffv1")
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 900] = np.random.default_rng(0).integers(0, 256, 900, np.uint8).tobytes()
    source.write_bytes(bytes(content))
    target = tmp_path / "out.mkv"
    done = _video(source, target, "-m", model)
    assert done.exit_code == 3, done.stderr
    assert "could not be decoded" in done.stderr
    assert len(frames(target)) >= 15  # Matroska goes on at its next cluster
    assert tracks(target)[0].times[-1] == tracks(source)[0].times[-1]


@pytest.mark.data
def test_a_real_clip_keeps_its_times_and_sound(tmp_path: Path, model: Path, data_folder: Path) -> None:
    source, target = data_folder / "video" / "bigbuckbunny.mp4", tmp_path / "out.mp4"
    done = _video(source, target, "-m", model, "--frames", 2)
    assert done.exit_code == 0, done.stderr
    video, sound = tracks(target)
    before, sound_before = tracks(source)
    assert video.times == before.times[:2]
    assert sound.data == sound_before.data[: len(sound.data)]
    assert len(sound.data) >= 3


def _size(path: Path) -> tuple[int, int]:
    (first, *_) = frames(path)
    return first.width, first.height


def test_sizes_previews_and_models_are_asked_for(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN)
    target = tmp_path / "out.mp4"
    for asked, size in (
        (["-s", 2.5], (120, 80)),
        (["--width", 100], (100, 66)),
        (["--fit", "96x96"], (96, 64)),
        (["--preview"], (6 * WIDTH, 3 * HEIGHT)),
        (["--preview", "--resume", "--height", 64], (2 * 96, 64)),
    ):
        done = _video(source, target, "-m", model, "--frames", 3, "--overwrite", *asked)
        assert done.exit_code == 0, done.stderr
        assert _size(target) == size
    for asked, words in (
        (["-s", 2, "--width", 7], "in one way"),
        (["--luma"], "--luma and --rgb choose among models"),
        (["--raw", "17"], "640x360"),
    ):
        done = _video(source, target, "-m", model, "--overwrite", *asked)
        assert done.exit_code == 2
        assert words in done.stderr


def test_a_model_of_brightness_is_taken_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketsr import runtime
    from pocketsr.weights import catalogue

    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    opened = []
    original = runtime.open_models

    def watched(*arguments: object, **settings: object) -> object:
        opened.append(settings["prefers_luma"])
        return original(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(runtime, "open_models", watched)
    assert _video(source, tmp_path / "a.mp4").exit_code == 0
    assert _video(source, tmp_path / "b.mp4", "--rgb").exit_code == 0
    assert opened == [True, False]
    luma = catalogue.defaults(channels=1)
    assert luma[3].channels == 1
    assert luma[3].precision == "int8"
    assert catalogue.defaults()[3].channels == 3  # photos are not touched by it
    asked = [runtime.open_models(None, runtime.Target(scale=scale), prefers_luma=True)[0] for scale in (3, 2.5)]
    assert [model.spec.channels for model in asked] == [1, 1]
    assert runtime.open_models(None, None, prefers_luma=False)[0].spec.channels == 3


def test_raw_pictures_and_other_pipes(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", [0, 40, 80], time_base=Fraction(1, 1000), audio=["eng"])
    pixels = b"".join(frame.to_ndarray().tobytes() for frame in frames(source))
    command = [sys.executable, "-m", "pocketsr", "video", "-m", str(model), "-t", "1", "-q"]
    given = [*command, "-", "-", "--raw", f"{WIDTH}x{HEIGHT}:yuv420p", "--rate", "25", "--pipe", "raw"]
    done = subprocess.run(given, input=pixels, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 9 * len(pixels)
    (tmp_path / "in.raw").write_bytes(pixels)
    done = subprocess.run(
        [*command, str(tmp_path / "in.raw"), str(tmp_path / "raw.mkv"), "--raw", f"{WIDTH}x{HEIGHT}"], check=False
    )
    assert (done.returncode, len(frames(tmp_path / "raw.mkv"))) == (0, 3)
    for pipe in ("nut", "ts"):
        done = subprocess.run([*command, str(source), "-", "--pipe", pipe], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        (tmp_path / f"out.{pipe}").write_bytes(done.stdout)
        assert [track.kind for track in tracks(tmp_path / f"out.{pipe}")] == ["video", "audio"]


def test_an_encoder_without_its_hardware_is_explained(tmp_path: Path, model: Path) -> None:
    import av

    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    try:
        av.codec.Codec("h264_nvenc", "w")
    except ValueError:
        pytest.skip("this PyAV has no encoder of Nvidia's")
    done = _video(source, tmp_path / "out.mp4", "-m", model, "-c", "h264_nvenc", "-s", 6)
    if done.exit_code:  # where there is such hardware, it is used
        assert "needs hardware that this machine may not have" in done.stderr
        assert not (tmp_path / "out.mp4").exists()


def _upscale(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["upscale", "--threads", "1", *map(str, arguments)])


def test_upscale_takes_a_video(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN[:3], audio=["eng"])
    done = _upscale(source, "-m", model)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'in_x3.mp4'}\n"), done.stderr
    assert _size(tmp_path / "in_x3.mp4") == (3 * WIDTH, 3 * HEIGHT)
    (tmp_path / "larger").mkdir()
    done = _upscale(source, "-m", model, "-o", tmp_path / "larger", "--width", 96, "--json")
    assert json.loads(done.stdout.splitlines()[-1])["output"] == str(tmp_path / "larger" / "in_96w.mp4")
    done = _upscale(source, "-m", model, "-o", tmp_path / "named.mkv")
    assert [track.kind for track in tracks(tmp_path / "named.mkv")] == ["video", "audio"]
    done = _upscale(source, "-m", model, "--quality", 90)
    assert (done.exit_code, "--quality is for photos" in done.stderr) == (2, True)
    done = _upscale(source, source, "-m", model)
    assert "one at a time" in done.stderr


def test_both_commands_take_onnx_files(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from pocketsr.lower.onnx import onnx_bytes

    graph = abpn_like_graph(channels=4, depth=1, precision="float32")
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(graph, spec_for(graph)))
    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    for run, asked in ((_video, [tmp_path / "out.mp4"]), (_upscale, []), (_upscale, ["--backend", "onnxruntime"])):
        done = run(source, *asked, "-m", tmp_path / "m.onnx", "--overwrite")
        assert done.exit_code == 0, done.stderr
    assert _size(tmp_path / "in_x3.mp4") == _size(tmp_path / "out.mp4") == (3 * WIDTH, 3 * HEIGHT)


def test_upscale_takes_y4m_through_a_pipe(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.y4m", [0, 1, 2], codec="rawvideo", time_base=Fraction(1, 24), rate=Fraction(24))
    command = [sys.executable, "-m", "pocketsr", "upscale", "-m", str(model), "-t", "1", "-q"]
    done = subprocess.run([*command, "-", "-"], input=source.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"YUV4MPEG2 W{3 * WIDTH} H{3 * HEIGHT} F24:1".encode())
    photo = Path(__file__).parents[2] / "examples" / "astronaut.png"
    done = subprocess.run([*command, "-", "-"], input=photo.read_bytes(), capture_output=True, check=False)
    assert done.stdout.startswith(b"\x89PNG")
