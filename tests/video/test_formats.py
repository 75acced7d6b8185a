from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.errors import SettingError, VideoFileError
from pocketsr.video.encoder import offered_formats
from pocketsr.video.formats import choose_format, container_of, is_sequence, pixel_format

pytest.importorskip("av")


@pytest.mark.parametrize(
    ("source", "codec", "chosen", "note"),
    [
        ("yuv420p", "libx264", "yuv420p", ""),
        ("yuvj420p", "libx264", "yuv420p", ""),
        ("nv12", "libx264", "yuv420p", ""),
        ("yuv444p", "libx264", "yuv444p", ""),
        ("p010le", "libx264", "yuv420p10le", ""),
        ("yuv420p10le", "mpeg4", "yuv420p", "10 bits are rounded to 8"),
        ("yuv422p", "mpeg4", "yuv420p", "chroma of yuv422p"),
        ("yuv422p10le", "ffv1", "yuv422p10le", ""),
        ("yuva420p", "libx264", "yuv420p", "transparency"),
        ("rgb24", "ffv1", "bgr0", ""),
        ("rgb24", "libx264", "yuv420p", "RGB becomes"),
        ("yuv420p10le", "png", "rgb48be", ""),
        ("gray", "png", "gray", ""),
    ],
)
def test_the_nearest_format_is_chosen(source: str, codec: str, chosen: str, note: str) -> None:
    name, notes = choose_format(source, offered_formats(codec), height=720, width=1280)
    assert name == chosen
    assert any(note in line for line in notes) if note else not notes


def test_odd_sides_need_full_chroma() -> None:
    assert choose_format("yuv420p", offered_formats("libx264"), height=15, width=15)[0] == "yuv444p"
    with pytest.raises(SettingError, match="even sides only"):
        choose_format("yuv420p", ["yuv420p"], height=15, width=15)


def test_planes_are_known() -> None:
    assert pixel_format("p010le").planar == "yuv420p10le"
    assert not pixel_format("nv12").is_planar
    assert pixel_format("yuv420p").is_planar
    assert pixel_format("gray10le").planar == "gray10le"
    with pytest.raises(SettingError, match="no pixel format"):
        pixel_format("yuv421p")


def test_names_say_the_container() -> None:
    assert container_of(Path("a/b.MP4")) == "mp4"
    assert is_sequence("a/%d.png")
    assert not is_sequence("a%05d/b.png")
    with pytest.raises(VideoFileError, match=r"write a number into it, as %05d\.png"):
        container_of("a.png")
