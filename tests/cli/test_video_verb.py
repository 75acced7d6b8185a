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
    done = _video(source, tmp_path / "x.mp4", "-m", model, "-e", "speed=9")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no option speed" in done.stderr
    done = _video(source, tmp_path / "x.mp4", "-m", model, "--start", "soon")
    assert (done.exit_code, done.stderr.startswith("error: ")) == (2, True)


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
