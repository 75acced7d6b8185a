from __future__ import annotations

import pytest

from pocketsr.bench.sizes import frames_per_second, input_size
from pocketsr.errors import SettingError


@pytest.mark.parametrize(
    ("text", "scale", "multiple", "size"),
    [
        ("360x640", 3, 1, (360, 640)),
        ("7×9", 2, 4, (7, 9)),
        ("720P", 2, 1, (360, 640)),
        ("4K", 3, 1, (720, 1280)),
        ("1080p", 4, 8, (272, 480)),
    ],
)
def test_a_size_is_an_input_s_or_a_screen_s(text: str, scale: int, multiple: int, size: tuple[int, int]) -> None:
    assert input_size(text, scale, multiple) == size


@pytest.mark.parametrize("text", ["", "360", "0x4", "4x0", "8K", "99999x9", "3x4x5", "-1x4"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="HEIGHTxWIDTH"):
        input_size(text, 3)


def test_frames_follow_from_pixels() -> None:
    assert frames_per_second(8.2944) == {"720p": 9.0, "1080p": 4.0, "4K": 1.0}
