from __future__ import annotations

import contextlib
import itertools
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

from pocketsr.errors import SettingError, VideoFileError
from pocketsr.video import Encoding
from pocketsr.video.items import Picture
from pocketsr.video.packets import Stored, read_foot, read_segment, write_segment
from pocketsr.video.segments import decode_times, upscale_in_segments
from pocketsr.video.source import Source
from sample_videos import frames, nearest, tracks, write_clip

pytest.importorskip("av")

#: Pictures of a segment in these tests.
LENGTH = 10
#: Runs a job whose network takes its time, so that it can be killed in the middle.
_JOB = """
import json, sys, time
from sample_videos import nearest
from pocketsr.video.segments import upscale_in_segments
from pocketsr.video import Encoding
upscaler = nearest(on_run=lambda: time.sleep(0.03))
upscale_in_segments(upscaler, sys.argv[1], sys.argv[2], segment_frames=10, encoding=Encoding(**json.loads(sys.argv[3])))
"""


def _clip(tmp_path: Path, suffix: str = ".mp4") -> Path:
    times = np.cumsum(np.random.default_rng(0).integers(200, 900, 64)).tolist()
    return write_clip(tmp_path / f"in{suffix}", times, audio=["eng"], options={"g": "12"})


def _environment() -> dict[str, str]:
    """The tests' own folder is one to import from."""
    folders = [str(Path(__file__).parents[1]), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _assert_equal_videos(one: Path, other: Path) -> None:
    before, after = frames(one), frames(other)
    assert [(frame.pts, frame.time_base) for frame in before] == [(frame.pts, frame.time_base) for frame in after]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.to_ndarray(), new.to_ndarray())
    assert tracks(one) == tracks(other)


@pytest.mark.parametrize(("suffix", "asked"), [(".mp4", {"options": {"mbtree": "0"}}), (".mkv", {"codec": "ffv1"})])
def test_a_killed_job_goes_on_and_gives_what_one_that_was_not_gives(
    tmp_path: Path, suffix: str, asked: dict[str, Any]
) -> None:
    # With its macroblock tree, x264 itself gives other bits for the same pictures at each run.
    encoding = Encoding(**asked)
    source = _clip(tmp_path, suffix)
    whole, killed = tmp_path / f"whole{suffix}", tmp_path / f"killed{suffix}"
    assert (
        upscale_in_segments(nearest(), str(source), str(whole), segment_frames=LENGTH, encoding=encoding).frames == 64
    )
    child = subprocess.Popen(
        [sys.executable, "-c", _JOB, str(source), str(killed), json.dumps(asked)], env=_environment()
    )
    folder = tmp_path / f".killed{suffix}.unfinished"
    for _ in range(12000):
        time.sleep(0.01)
        if len(list(folder.glob("*.segment"))) >= 2:
            break
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not killed.exists()
    done = {path: path.stat().st_mtime_ns for path in folder.glob("*.segment")}
    kept = read_foot(max(done))["frames"]
    assert 2 * LENGTH <= kept < 64
    upscaler = nearest()
    join, upscaler_runs = upscaler._session, []
    join._on_run = lambda: upscaler_runs.append({path for path in done if path.stat().st_mtime_ns != done[path]})
    result = upscale_in_segments(upscaler, str(source), str(killed), segment_frames=LENGTH, encoding=encoding)
    assert (result.frames, result.frames_kept) == (64, kept)
    assert len(upscaler_runs) == 64 - kept + 1  # one more: the picture by which a model is known
    assert not any(upscaler_runs)
    assert not folder.exists()
    _assert_equal_videos(whole, killed)
    clean = tracks(source)
    for old, new in zip(clean, tracks(killed), strict=True):
        assert np.abs(np.subtract(old.times, new.times)).max() < 0.001
        assert old.data == new.data


def test_a_job_is_gone_on_with_only_as_it_was_begun(tmp_path: Path) -> None:
    source, target = _clip(tmp_path), tmp_path / "out.mp4"

    def stop() -> None:
        if session.runs == 30:
            raise KeyboardInterrupt

    upscaler = nearest(on_run=stop)
    session = upscaler._session
    with pytest.raises(KeyboardInterrupt):
        upscale_in_segments(upscaler, str(source), str(target), segment_frames=LENGTH)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mp4.unfinished", "in.mp4"]
    with pytest.raises(SettingError, match=r"begun with another codec, options; ask for the same"):
        upscale_in_segments(nearest(), str(source), str(target), segment_frames=LENGTH, encoding=Encoding(codec="ffv1"))
    with pytest.raises(SettingError, match=r"another .*model"):
        upscale_in_segments(nearest(scale=3), str(source), str(target), segment_frames=LENGTH)
    described = tmp_path / ".out.mp4.unfinished" / "job.json"
    content = described.read_bytes()
    described.write_bytes(content[:50])
    with pytest.raises(SettingError, match=r"job\.json is damaged; remove the folder"):
        upscale_in_segments(nearest(), str(source), str(target), segment_frames=LENGTH)
    described.write_bytes(content)
    assert upscale_in_segments(nearest(), str(source), str(target), segment_frames=LENGTH).frames_kept >= LENGTH


def test_a_picture_that_is_not_found_again_is_an_error_and_no_end(tmp_path: Path) -> None:
    times = [0, 512, 1024, 1536]
    source = write_clip(tmp_path / "in.mp4", times)
    for asked in (513, 2048, 10**9):
        with (
            contextlib.closing(Source(str(source))) as reader,
            pytest.raises(VideoFileError, match=f"no picture at {asked} any more"),
        ):
            list(reader.items(resume_at=asked))
    with contextlib.closing(Source(str(source))) as reader:
        assert [item.pts for item in reader.items(resume_at=512) if isinstance(item, Picture)] == times[1:]


def test_a_stream_that_does_not_fit_is_told_before_any_work(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", [0, 512, 1024], subtitles="subrip")
    upscaler = nearest()
    with pytest.raises(VideoFileError, match=r"mp4 cannot hold stream 1 .* subtitle"):
        upscale_in_segments(upscaler, str(source), str(tmp_path / "out.mp4"))
    assert upscaler._session.runs == 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_part_in_segments_is_the_part(tmp_path: Path) -> None:
    source, target = _clip(tmp_path), tmp_path / "out.mp4"
    result = upscale_in_segments(nearest(), str(source), str(target), segment_frames=5, start_s=0.5, frames=12)
    assert result.frames == 12
    video, sound = tracks(target)  # x264 with pictures out of order, whose times of decoding are made anew
    times = [time - 0.5 for time in tracks(source)[0].times if time >= 0.5][:12]
    assert np.abs(np.subtract(video.times, times)).max() < 0.001
    assert sound.times[-1] < video.times[-1] + 0.1


def test_pipes_and_images_have_no_segments(tmp_path: Path) -> None:
    for target in ("-", str(tmp_path / "%05d.png")):
        with pytest.raises(SettingError, match="--resume needs a file"):
            upscale_in_segments(nearest(), "in.mp4", target)


def test_times_of_decoding_increase_and_are_never_late() -> None:
    shown = [0, 40, 10, 20, 30, 41, 90, 60, 50, 70, 200]
    decoded = decode_times(shown)
    assert all(a < b for a, b in itertools.pairwise(decoded))
    assert all(when <= pts for when, pts in zip(decoded, shown, strict=True))
    assert decode_times([5, 6, 7]) == [5, 6, 7]


def test_segments_are_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.segment"
    packets = [Stored(5, 1, True, b"abc"), Stored(-7, 2, False, b"")]
    write_segment(path, iter(packets), {"next": 9})
    assert list(read_segment(path)) == packets
    assert [packet.pts for packet in read_segment(path, with_data=False)] == [5, -7]
    assert read_foot(path) == {"next": 9}
    path.write_bytes(path.read_bytes()[:-15])
    with pytest.raises(VideoFileError, match="not a whole segment"):
        read_foot(path)
    (tmp_path / "1.segment").write_bytes(b"other")
    with pytest.raises(VideoFileError, match="not a whole segment"):
        list(read_segment(tmp_path / "1.segment"))
