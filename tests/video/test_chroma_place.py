"""Where chroma lies beside its luma, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pocketsr.video import Encoding, upscale_video
from pocketsr.video.colour import BT709, Colour, Converter, chroma_place, plane_of
from sample_videos import frames, nearest

pytest.importorskip("av")

#: Samples of luma by which chroma lies right of and below the first of its four.
PLACES = {"left": (0.0, 0.5), "topleft": (0.0, 0.0), "top": (0.5, 0.0), "center": (0.5, 0.5)}
HEIGHT, WIDTH = 40, 64


def _ramp(place: str, scale: int) -> npt.NDArray[Any]:
    """Chroma of a picture that was enlarged, at its own places: one ramp across and one down, in input samples."""
    right, below = PLACES[place]
    across, down = (2 * np.arange(side * scale // 2) + shift for side, shift in ((WIDTH, right), (HEIGHT, below)))
    there = [(place + 0.5) / scale - 0.5 for place in (across, down)]
    rows, columns = len(down), len(across)
    return np.stack([np.tile(64 + 2 * there[0], (rows, 1)), np.tile(64 + 2 * there[1][:, None], (1, columns))])


def _write(path: Path, place: str) -> None:
    import av

    planes = [np.full((HEIGHT, WIDTH), 100, np.uint8), *np.rint(_ramp(place, 1)).astype(np.uint8)]
    frame = Converter(Colour(BT709, False)).from_planes(planes, "yuv420p", "yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"chroma_sample_location": place})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.mark.parametrize("channels", [3, 1], ids=["rgb", "luma"])
@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("place", PLACES)
def test_chroma_stays_over_its_luma_and_says_so(tmp_path: Path, place: str, scale: int, channels: int) -> None:
    _write(tmp_path / "in.mkv", place)
    assert chroma_place(frames(tmp_path / "in.mkv")[0]) == place.replace("center", "")
    model = nearest(channels=channels, scale=scale)
    upscale_video(model, str(tmp_path / "in.mkv"), str(tmp_path / "out.mkv"), encoding=Encoding(codec="ffv1"))
    (after,) = frames(tmp_path / "out.mkv")
    assert chroma_place(after) == place.replace("center", "")
    expected = _ramp(place, scale)
    inner = slice(4 * scale, -4 * scale)
    for index in (1, 2):
        got = plane_of(after, index).astype(float)
        # Nearest makes stairs of a ramp of 2 levels a sample; what matters is that they are not moved.
        levels = 1.0 if channels == 1 else 1.7
        assert np.abs(got - expected[index - 1])[inner, inner].max() <= levels
        assert abs((got - expected[index - 1])[inner, inner].mean()) < 0.3
