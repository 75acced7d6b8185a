from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import OutputExistsError, SettingError, UnknownNameError, VideoFileError
from pocketsr.video import Encoding, upscale_video
from sample_videos import HEIGHT, WIDTH, frames, nearest, noise, tracks, write_clip

pytest.importorskip("av")

#: Seconds by which a start or a duration may differ.
LATEST_S = 0.001
#: Times of pictures at a rate that varies, in units of 1/12800 s.
VARIED = [0, 512, 700, 1724, 1800, 5000, 5512, 6024, 9000, 9100, 9200, 12800]
EVEN = [512 * index for index in range(12)]


def _assert_same_times(source: Path, target: Path) -> None:
    before, after = tracks(source), tracks(target)
    assert [track.kind for track in before] == [track.kind for track in after]
    for old, new in zip(before, after, strict=True):
        assert len(old.times) == len(new.times)
        assert np.abs(np.subtract(old.times, new.times)).max(initial=0) < LATEST_S
        assert abs(old.length_s - new.length_s) < LATEST_S
        if source.suffix not in (".mp4", ".mov") or old.kind != "video":
            # MP4 has no durations of pictures, only steps between the times at which they are decoded.
            assert np.abs(np.subtract(old.durations, new.durations)).max(initial=0) < LATEST_S
        assert old.data == new.data
        assert old.language == new.language


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".nut"])
def test_varied_times_and_sound_survive(tmp_path: Path, suffix: str) -> None:
    source = write_clip(tmp_path / f"in{suffix}", VARIED, last_duration=1111, audio=["eng"])
    target = tmp_path / f"out{suffix}"
    result = upscale_video(nearest(), str(source), str(target))
    assert result.frames == len(VARIED)
    assert not result.damage
    _assert_same_times(source, target)
    assert [(frame.height, frame.width) for frame in frames(target)] == [(2 * HEIGHT, 2 * WIDTH)] * len(VARIED)
    assert sorted(tmp_path.iterdir()) == sorted([source, target])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_late_start_survives(tmp_path: Path, suffix: str) -> None:
    late = [6400 + pts for pts in VARIED]
    source = write_clip(tmp_path / f"in{suffix}", late, audio=["eng"], audio_start_s=0.25)
    target = tmp_path / f"out{suffix}"
    upscale_video(nearest(), str(source), str(target))
    _assert_same_times(source, target)
    assert tracks(target)[0].times[0] == pytest.approx(0.5, abs=LATEST_S)


def test_an_odd_time_base_survives(tmp_path: Path) -> None:
    times = [1001 * index for index in range(10)]
    source = write_clip(tmp_path / "in.mp4", times, time_base=Fraction(1, 30000), rate=Fraction(30000, 1001))
    target = tmp_path / "out.mp4"
    upscale_video(nearest(scale=3), str(source), str(target))
    assert [frame.pts * frame.time_base for frame in frames(target)] == [pts * Fraction(1, 30000) for pts in times]


def test_two_sounds_subtitles_chapters_and_a_font_are_copied(tmp_path: Path) -> None:
    chapters = [
        {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},
        {"id": 2, "start": 200, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "two"}},
    ]
    source = write_clip(
        tmp_path / "in.mkv",
        EVEN,
        audio=["eng", "deu"],
        subtitles="subrip",
        chapters=chapters,
        attachment=b"a font",
        metadata={"title": "A day", "comment": "sunny"},
        aspect=Fraction(4, 3),
    )
    target = tmp_path / "out.mkv"
    upscale_video(nearest(), str(source), str(target))
    _assert_same_times(source, target)
    assert [track.kind for track in tracks(target)] == ["video", "audio", "audio", "subtitle", "attachment"]
    import av

    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert after.metadata["title"] == "A day"
        assert after.metadata["COMMENT" if "COMMENT" in after.metadata else "comment"] == "sunny"
        assert [(c["start"], c["end"], c["metadata"]) for c in after.chapters()] == [
            (c["start"], c["end"], c["metadata"]) for c in before.chapters()
        ]
        assert after.streams[4].data == b"a font"
        assert after.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_a_rotated_clip_stays_rotated(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN, rotation=90)
    target = tmp_path / "out.mp4"
    upscale_video(nearest(), str(source), str(target))
    before, after = frames(source)[0], frames(target)[0]
    assert before.rotation == after.rotation == 90
    assert (after.height, after.width) == (2 * HEIGHT, 2 * WIDTH)


def test_a_stream_that_does_not_fit_stops_with_words_or_is_dropped(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN, audio=["eng"], subtitles="subrip")
    target = tmp_path / "out.mp4"
    with pytest.raises(VideoFileError, match=r"mp4 cannot hold stream 2 .* subtitle \((srt|subrip)\).*--drop-streams"):
        upscale_video(nearest(), str(source), str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    result = upscale_video(nearest(), str(source), str(target), encoding=Encoding(drop_streams=True))
    assert [track.kind for track in tracks(target)] == ["video", "audio"]
    assert any("left out" in note for note in result.notes)


def test_a_part_begins_and_ends_where_asked(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", [512 * i for i in range(50)], audio=["eng"], options={"g": "10"})
    target = tmp_path / "out.mp4"
    result = upscale_video(nearest(), str(source), str(target), start_s=0.5, duration_s=0.8)
    assert result.frames == 20
    video, sound = tracks(target)
    # 0.5 s lies between two pictures: the first is the one at 0.52 s.
    assert video.times[0] == pytest.approx(0.02, abs=LATEST_S)
    assert 0 <= sound.times[0] < 0.022
    assert sound.times[-1] < 0.8
    got = frames(target)[0].to_ndarray(format="rgb24")[::2, ::2].astype(int)
    assert np.abs(got - noise(13)).mean() < 12
    assert upscale_video(nearest(), str(source), str(target), frames=7, overwrite=True).frames == 7
    video, sound = tracks(target)
    assert len(video.times) == 7
    assert sound.times[-1] < 7 / 25


def test_numbered_images_become_a_video_and_back_unchanged(tmp_path: Path) -> None:
    from PIL import Image

    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    for index in range(4):
        Image.fromarray(noise(index)).save(tmp_path / "in" / f"{index + 1:05d}.png")
    movie = tmp_path / "movie.mkv"
    upscale_video(
        nearest(), str(tmp_path / "in" / "%05d.png"), str(movie), rate=Fraction(10), encoding=Encoding(codec="ffv1")
    )
    assert tracks(movie)[0].times == pytest.approx([0, 0.1, 0.2, 0.3])
    upscale_video(nearest(), str(movie), str(tmp_path / "out" / "%05d.png"))
    for index in range(4):
        got = np.asarray(Image.open(tmp_path / "out" / f"{index + 1:05d}.png"))
        assert np.array_equal(got, noise(index).repeat(4, axis=0).repeat(4, axis=1))


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN)
    target = str(tmp_path / "out.mp4")
    with pytest.raises(VideoFileError, match="no such file"):
        upscale_video(nearest(), str(tmp_path / "none.mp4"), target)
    with pytest.raises(VideoFileError, match="ends in no container"):
        upscale_video(nearest(), str(source), str(tmp_path / "out.xyz"))
    with pytest.raises(OutputExistsError, match="input itself"):
        upscale_video(nearest(), str(source), str(source), overwrite=True)
    with pytest.raises(UnknownNameError, match="encoder 'libx256'"):
        upscale_video(nearest(), str(source), target, encoding=Encoding(codec="libx256"))
    with pytest.raises(SettingError, match="has no --crf"):
        upscale_video(nearest(), str(source), target, encoding=Encoding(codec="ffv1", crf=3))
    with pytest.raises(VideoFileError, match="webm cannot hold libx264"):
        upscale_video(nearest(), str(source), str(tmp_path / "out.webm"), encoding=Encoding(codec="libx264"))
    with pytest.raises(SettingError, match="--crf asks"):
        Encoding(crf=20, bit_rate=10000)
    (tmp_path / "words.mp4").write_text("no video")
    with pytest.raises(VideoFileError, match="cannot read"):
        upscale_video(nearest(), str(tmp_path / "words.mp4"), target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "words.mp4"]


def test_interlaced_video_is_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN, options={"x264-params": "interlaced=1:log-level=none"})
    with pytest.raises(VideoFileError, match=r"interlaced.*bwdif"):
        upscale_video(nearest(), str(source), str(tmp_path / "out.mkv"))


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", [512 * index for index in range(40)], audio=["eng"])

    def interrupt() -> None:
        if session.runs == 6:
            raise KeyboardInterrupt

    upscaler = nearest(on_run=interrupt)
    session = upscaler._session
    with pytest.raises(KeyboardInterrupt):
        upscale_video(upscaler, str(source), str(tmp_path / "out.mp4"), reuse=False)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_edit_list_that_cuts_off_the_beginning_is_respected(tmp_path: Path) -> None:
    """What a phone's editor leaves: all pictures are in the file, and the first are not to be shown."""
    import struct

    source = write_clip(tmp_path / "in.mp4", EVEN, options={"bf": "0", "g": "100"}, audio=["eng"])
    content = bytearray(source.read_bytes())
    place = content.index(b"elst")
    version, count = content[place + 4], struct.unpack_from(">I", content, place + 8)[0]
    assert (version, count) == (0, 1)
    length, media_time = struct.unpack_from(">Ii", content, place + 12)
    assert media_time == 0
    # The track's unit is the pictures' own: three of 512 are cut off. The length is in milliseconds.
    struct.pack_into(">Ii", content, place + 12, length - 120, 3 * 512)
    edited = tmp_path / "edited.mp4"
    edited.write_bytes(bytes(content))
    assert len(frames(edited)) == len(EVEN) - 3
    target = tmp_path / "out.mp4"
    result = upscale_video(nearest(), str(edited), str(target))
    assert result.frames == len(EVEN) - 3
    shown = [frame.pts * frame.time_base for frame in frames(edited)]
    assert [frame.pts * frame.time_base for frame in frames(target)] == shown
    before, after = tracks(edited), tracks(target)
    assert after[0].length_s == pytest.approx(9 * 0.04, abs=LATEST_S)
    assert after[1].data == before[1].data
    assert after[1].times[0] == pytest.approx(before[1].times[0], abs=LATEST_S)
