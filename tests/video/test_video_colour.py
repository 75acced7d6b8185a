"""Colours against exact arithmetic, and through a whole video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pocketsr.errors import VideoFileError
from pocketsr.video import Encoding, upscale_video
from pocketsr.video.colour import BT709, BT2020, SMPTE170M, Colour, Converter, colour_of, is_same_picture, planes_of
from pocketsr.video.enlarge import Enlarger
from sample_videos import frames, nearest, write_clip

pytest.importorskip("av")

#: Levels by which a colour may be off after a conversion, and after one there and back.
COLOUR_LEVELS = 1
#: Red and blue in luma: ITU-R BT.601, BT.709, BT.2020.
_WEIGHTS = {SMPTE170M: (0.299, 0.114), BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}
#: White, yellow, cyan, green, magenta, red, blue, black.
_BARS = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]


def _exact_yuv(rgb: npt.NDArray[Any], matrix: int, *, is_full: bool, bits: int = 8) -> npt.NDArray[np.float64]:
    red, blue = _WEIGHTS[matrix]
    luma = rgb.astype(np.float64) @ [red, 1 - red - blue, blue] / 255
    parts = [luma, (rgb[..., 2] / 255 - luma) / (2 * (1 - blue)), (rgb[..., 0] / 255 - luma) / (2 * (1 - red))]
    unit = 1 << (bits - 8)
    steps = np.array([255, 255, 255] if is_full else [219, 224, 224]) * unit
    return np.stack(parts, axis=-1) * steps + np.array([0 if is_full else 16, 128, 128]) * unit


@pytest.mark.parametrize("matrix", _WEIGHTS)
@pytest.mark.parametrize("is_full", [False, True])
def test_random_colours_are_within_a_level_of_exact_arithmetic(matrix: int, is_full: bool) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    converter = Converter(Colour(matrix, is_full))
    exact = _exact_yuv(rgb, matrix, is_full=is_full)
    frame = converter.to_frame(rgb, "yuv444p")
    got = np.stack(planes_of(frame), axis=-1)
    assert np.abs(got - np.clip(np.rint(exact), 0, 255)).max() <= COLOUR_LEVELS
    # 8-bit YUV in studio range has fewer colours than RGB, so the way back is held against the exact inverse of it.
    back = converter.to_rgb(frame).astype(int)
    there = np.stack(planes_of(converter.to_frame(back.astype(np.uint8), "yuv444p")), axis=-1).astype(int)
    assert np.abs(there - got).max() <= COLOUR_LEVELS


def _bars(matrix: int, *, is_full: bool, form: str) -> Any:
    """Make a frame of colour bars from exact arithmetic: 8 bars of 16 columns, three brightnesses of 16 rows."""
    bits = 10 if "10" in form else 8
    rgb = np.repeat(np.array(_BARS, np.float64)[None], 16, axis=1).repeat(16, axis=0)
    rgb = np.concatenate([rgb * 255, rgb * 191, 255 - rgb * 128])
    yuv = np.clip(np.rint(_exact_yuv(rgb, matrix, is_full=is_full, bits=bits)), 0, (1 << bits) - 1)
    planes = [yuv[..., 0], yuv[..., 1], yuv[..., 2]]
    if "420" in form:
        planes[1:] = [plane[::2, ::2] for plane in planes[1:]]
    converter = Converter(Colour(matrix, is_full))
    return converter.from_planes([plane.astype(np.uint16 if bits > 8 else np.uint8) for plane in planes], form, form)


def _write_bars(path: Path, matrix: int, *, is_full: bool, form: str, tagged: bool = True) -> Any:
    import av

    frame = _bars(matrix, is_full=is_full, form=form)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, form
        stream.codec_context.time_base = Fraction(1, 25)
        if tagged:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = 2 if is_full else 1
            stream.codec_context.color_primaries, stream.codec_context.color_trc = 9, 14
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return frame


def _assert_bars(before: Any, after: Any, scale: int, *, levels: float) -> None:
    for old, new in zip(planes_of(before), planes_of(after), strict=True):
        expected = old.repeat(scale, axis=0).repeat(scale, axis=1).astype(int)
        assert new.shape == expected.shape
        # Within a few samples of the border of two bars, 4:2:0 has mixed them: bars are compared inside.
        bar = expected.shape[1] // 8
        inside = np.zeros(expected.shape, bool)
        margin = 0 if before.format.name.startswith("yuv444") else 3 * scale
        for top in range(3):
            for left in range(8):
                rows = expected.shape[0] // 3
                area = (
                    slice(top * rows + margin, (top + 1) * rows - margin),
                    slice(left * bar + margin, (left + 1) * bar - margin),
                )
                inside[area] = True
        assert inside.any()
        assert np.abs(new - expected)[inside].max() <= levels


@pytest.mark.parametrize("channels", [3, 1], ids=["rgb", "luma"])
@pytest.mark.parametrize("form", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", _WEIGHTS)
def test_colour_bars_come_back(tmp_path: Path, matrix: int, is_full: bool, form: str, channels: int) -> None:
    frame = _write_bars(tmp_path / "in.mkv", matrix, is_full=is_full, form=form)
    target = tmp_path / "out.mkv"
    upscale_video(nearest(channels=channels), str(tmp_path / "in.mkv"), str(target), encoding=Encoding(codec="ffv1"))
    (after,) = frames(target)
    assert after.format.name == form
    # Chroma of a luma network is bicubic: beside an edge it swings, and 4:4:4 has no margin here.
    if not (channels == 1 and form == "yuv444p"):
        _assert_bars(frame, after, 2, levels=COLOUR_LEVELS)
    assert (after.colorspace, after.color_range) == (matrix, 2 if is_full else 1)
    assert (after.color_primaries, after.color_trc) == (9, 14)


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv444p10le"])
def test_ten_bits_come_back(tmp_path: Path, form: str) -> None:
    frame = _write_bars(tmp_path / "in.mkv", BT2020, is_full=False, form=form)
    target = tmp_path / "out.mkv"
    result = upscale_video(nearest(), str(tmp_path / "in.mkv"), str(target), encoding=Encoding(codec="ffv1"))
    (after,) = frames(target)
    assert after.format.name == form
    assert not result.notes
    if form == "yuv420p10le":  # nearest in 8 bits and bicubic beyond them differ at edges
        _assert_bars(frame, after, 2, levels=2)  # of 1023
    result = upscale_video(
        nearest(),
        str(tmp_path / "in.mkv"),
        str(target),
        encoding=Encoding(codec="ffv1", pixel_format="yuv420p"),
        overwrite=True,
    )
    assert "10 bits are rounded to 8" in result.notes[0]


@pytest.mark.parametrize("channels", [3, 1])
def test_a_ramp_of_ten_bits_stays_smooth(channels: int) -> None:
    """8 bits would make steps of four levels of 10."""
    ramp = np.tile(np.linspace(400, 440, 160), (16, 1)).round().astype(np.uint16)
    colour = Colour(BT709, False)
    grey = np.full((16, 160), 512, np.uint16)
    frame = Converter(colour).from_planes([ramp, grey, grey], "yuv444p10le", "yuv444p10le")
    enlarged = Enlarger(nearest(channels=channels), colour, "yuv444p10le")(frame)
    luma = planes_of(enlarged)[0].astype(int)
    assert np.abs(np.diff(luma[:, 8:-8], axis=1)).max() <= 3
    assert np.abs(luma - np.tile(np.linspace(400, 440, 320), (32, 1))).max() <= 3


def test_a_video_that_does_not_say_keeps_the_colours_players_gave_it(tmp_path: Path) -> None:
    _write_bars(tmp_path / "in.mkv", SMPTE170M, is_full=False, form="yuv420p", tagged=False)
    upscale_video(nearest(), str(tmp_path / "in.mkv"), str(tmp_path / "out.mp4"))
    (after,) = frames(tmp_path / "out.mp4")
    assert (after.colorspace, after.color_range) == (SMPTE170M, 1)


def test_unknown_matrices_are_refused_and_equal_pictures_seen() -> None:
    frame = _bars(BT709, is_full=False, form="yuv420p")
    frame.colorspace = 14
    with pytest.raises(VideoFileError, match="number 14"):
        colour_of(frame)
    other = _bars(BT709, is_full=False, form="yuv420p")
    assert is_same_picture(frame, other)
    changed = planes_of(other)
    changed[2][3, 5] += 1
    different = Converter(Colour(BT709, False)).from_planes(changed, "yuv420p", "yuv420p")
    assert not is_same_picture(frame, different)
    assert not is_same_picture(None, frame)


def test_a_model_of_brightness_takes_rgb_and_many_bits(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", [0, 512], codec="ffv1", form="bgr0")
    upscale_video(nearest(channels=1), str(source), str(tmp_path / "out.mkv"), encoding=Encoding(codec="ffv1"))
    before, after = frames(source)[0], frames(tmp_path / "out.mkv")[0]
    grey = [frame.to_ndarray(format="gray").astype(int) for frame in (before, after)]
    assert np.abs(grey[1][::2, 1::2] - grey[0]).mean() < 2
    for is_full in (False, True):
        frame = _bars(BT709, is_full=is_full, form="yuv444p10le")
        for target, bits in (("yuv444p", 8), ("yuv420p10le", 10), ("yuv444p12le", 12)):
            made = Enlarger(nearest(channels=1), Colour(BT709, is_full), target)(frame)
            assert made.format.name == target
            luma = planes_of(made)[0] / ((1 << bits) - 1 if is_full else 1 << bits)
            expected = planes_of(frame)[0] / (1023 if is_full else 1024)
            assert np.abs(luma[::2, ::2] - expected)[2:-2, 2:-2].mean() < 1 / 512


def test_rgb_and_grey_inputs_go_through(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", [0, 512], codec="ffv1", form="bgr0")
    upscale_video(nearest(), str(source), str(tmp_path / "out.mkv"), encoding=Encoding(codec="ffv1"))
    before, after = frames(source)[0], frames(tmp_path / "out.mkv")[0]
    assert np.array_equal(after.to_ndarray(format="rgb24")[::2, 1::2], before.to_ndarray(format="rgb24"))
    source = write_clip(tmp_path / "grey.mkv", [0, 512], codec="ffv1", form="gray")
    upscale_video(nearest(), str(source), str(tmp_path / "grey-out.mkv"), encoding=Encoding(codec="ffv1"))
    before, after = frames(source)[0], frames(tmp_path / "grey-out.mkv")[0]
    assert after.format.name == "gray"
    assert np.abs(planes_of(after)[0][::2, ::2].astype(int) - planes_of(before)[0]).max() <= COLOUR_LEVELS


def test_a_picture_of_other_colours_in_its_palette_is_another() -> None:
    import av

    indices = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48)
    palette = np.full((256, 4), 255, np.uint8)
    darker = palette.copy()
    darker[200] = 255, 0, 0, 0
    one, same, other = (av.VideoFrame.from_ndarray((indices, of), format="pal8") for of in (palette, palette, darker))
    assert is_same_picture(one, same)
    assert not is_same_picture(one, other)


def test_the_brightest_levels_of_deep_luma_are_not_taken_for_black() -> None:
    """In studio range 1022 and 1023 of 10 bits lie nearer to 256 than to 255, which 8 bits do not hold."""
    luma = np.full((32, 48), 64, np.uint16)
    luma[:, 24:] = 1023
    grey = np.full((32, 48), 512, np.uint16)
    colour = Colour(BT709, False)
    frame = Converter(colour).from_planes([luma, grey, grey], "yuv444p10le", "yuv444p10le")
    made = planes_of(Enlarger(nearest(channels=1), colour, "yuv444p10le")(frame))[0]
    assert np.abs(made.astype(int) - luma.repeat(2, axis=0).repeat(2, axis=1)).max() <= 4
