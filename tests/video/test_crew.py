"""Sizes, previews, and pictures that several threads work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pocketsr.errors import PocketsrError, SettingError
from pocketsr.graph import receptive_field
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Target, Upscaler
from pocketsr.runtime.tiling import tile_grid
from pocketsr.video import Encoding, upscale_video
from pocketsr.video.colour import planes_of
from pocketsr.video.crew import _half
from pocketsr.video.target import sides
from sample_graphs import abpn_like_graph, spec_for
from sample_videos import HEIGHT, WIDTH, NearestBackend, frames, nearest, noise, write_clip

pytest.importorskip("av")

EVEN = [512 * index for index in range(12)]


def _on_twos(index: int) -> npt.NDArray[Any]:
    """Every drawing shown twice, as animators do, with a corner that changes more often."""
    picture = noise(index // 4, 140, 180).copy()
    picture[: 1 + index // 2, 0] = 255
    return picture


def test_threads_and_what_is_left_out_do_not_change_a_bit(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="int8")
    write_model(graph, spec_for(graph, receptive_field=receptive_field(graph)), tmp_path / "int8.tflite")
    source = write_clip(tmp_path / "in.mkv", EVEN, codec="ffv1", form="bgr0", pictures=_on_twos)
    made = {}
    for threads, reuse in ((1, False), (1, True), (2, True), (3, True)):
        target = tmp_path / f"{threads}-{reuse}.mkv"
        model = Upscaler(tmp_path / "int8.tflite", threads=threads)
        result = upscale_video(model, str(source), str(target), encoding=Encoding(codec="ffv1"), reuse=reuse)
        made[threads, reuse] = [frame.to_ndarray(format="rgb24") for frame in frames(target)]
        assert result.pictures_reused == (6 if reuse else 0)
        assert (result.tiles_run < result.tiles) == reuse
    for pictures in made.values():
        assert len(pictures) == len(EVEN)
        assert all(np.array_equal(one, other) for one, other in zip(pictures, made[1, False], strict=True))


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (Target(scale=1.5), (HEIGHT * 3 // 2, WIDTH * 3 // 2)),
        (Target(scale=6), (6 * HEIGHT, 6 * WIDTH)),  # by two models, one after the other
        (Target(scale=0.5), (HEIGHT // 2, WIDTH // 2)),
        (Target(width=101), (66, 101)),
        (Target(fit=(100, 100)), (66, 100)),
    ],
)
def test_any_size_is_made_exactly(tmp_path: Path, asked: Target, size: tuple[int, int], channels: int) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    target = tmp_path / "out.mkv"
    models = [nearest(scale=3, channels=channels), nearest(scale=2, channels=channels)]
    encoding = Encoding(codec="ffv1", pixel_format="yuv444p")
    upscale_video(models, str(source), str(target), encoding=encoding, size=asked)
    made = frames(target)
    assert [(frame.height, frame.width) for frame in made] == [size] * 3
    before = frames(source)[0].reformat(width=size[1], height=size[0], format="yuv444p", interpolation="BICUBIC")
    difference = planes_of(made[0])[0].astype(int) - planes_of(before)[0]
    assert np.abs(difference).mean() < 12  # nearest against bicubic
    assert abs(difference.mean()) < 2


def test_sides_that_only_follow_are_even_where_chroma_wants_it() -> None:
    assert sides(Target(scale=3), 99, 101, is_even=True) == (297, 303)
    assert sides(Target(width=1000), 360, 640, is_even=True) == (562, 1000)
    assert sides(Target(width=1000), 360, 640, is_even=False) == (563, 1000)
    assert sides(Target(longest=7), 3, 2, is_even=True) == (7, 4)


def test_a_preview_has_both_halves(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN[:4], codec="ffv1", form="yuv444p")
    for codec, form in (("ffv1", "yuv420p"), ("ffv1", "bgr0"), ("libx264", "")):
        target = tmp_path / f"{codec}{form}.mkv"
        encoding = Encoding(codec=codec, pixel_format=form, is_preview=True)
        upscale_video(nearest(), str(source), str(target), encoding=encoding)
        made = frames(target)
        assert [(frame.height, frame.width) for frame in made] == [(2 * HEIGHT, 4 * WIDTH)] * 4
        rgb = made[0].to_ndarray(format="rgb24").astype(int)
        left, right = rgb[:, : 2 * WIDTH], rgb[:, 2 * WIDTH :]
        assert 0 < np.abs(left - right).mean() < 25
        repeated = noise(0).repeat(2, axis=0).repeat(2, axis=1)
        assert np.abs(right - repeated).mean() < np.abs(left - repeated).mean()


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """A longer clip takes no more memory. The first pictures fill queues and the encoder's look ahead."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("resident memory is read from /proc")
    times = [512 * index for index in range(900)]
    source = write_clip(tmp_path / "in.mkv", times, audio=["eng"], options={"preset": "ultrafast"})
    sizes = []
    upscale_video(
        nearest(),
        str(source),
        str(tmp_path / "out.mkv"),
        encoding=Encoding(preset="ultrafast"),
        reuse=False,
        on_progress=lambda _: sizes.append(int(statm.read_text().split()[1])),
    )
    pages = np.array(sizes)
    assert len(pages) == len(times)
    grown = (pages[-100:].mean() - pages[300:400].mean()) * 4096 / 1e6
    assert grown < 4, f"{grown:.1f} MB in 500 pictures"  # one enlarged picture is 9 KB, all of them 8 MB


def test_pictures_of_jpeg_have_its_range(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", EVEN[:2], codec="ffv1", form="yuv444p")
    from PIL import Image

    for channels in (3, 1):
        name = tmp_path / f"{channels}-%02d.jpg"
        upscale_video(nearest(channels=channels), str(source), str(name), encoding=Encoding(pixel_format="yuvj444p"))
        made = np.asarray(Image.open(str(name) % 1).convert("RGB")).astype(int)
        expected = noise(0).repeat(2, axis=0).repeat(2, axis=1)
        assert np.abs(made - expected).mean() < 4  # chroma beside luma is bicubic and not nearest
        assert np.abs((made - expected).mean(axis=(0, 1))).max() < 1


def test_two_at_once_hold_no_more_than_one() -> None:
    model = nearest(receptive_field=9)
    tile = _half(model, 360, 640)
    assert tile is not None
    assert len(tile_grid(360, 640, 9, tile=tile)) == 2
    assert len(tile_grid(640, 360, 9, tile=_half(model, 640, 360))) == 2
    assert _half(model, 32, 48) is None  # little memory
    assert _half(model, 1080, 1920) is None  # in many tiles as it is
    assert _half(nearest(receptive_field=200), 360, 640) is None
    assert model.twin(1, tile=360)._tile == 360


def test_twins_share_what_memory_there_is() -> None:
    model = Upscaler("nearest.tflite", backend=NearestBackend(), threads=3, memory_mb=90)
    assert [model.twin(threads, tile=360)._memory_mb for threads in (2, 1)] == [60, 30]
    assert nearest().twin(1)._memory_mb is None


def test_models_and_sizes_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", EVEN[:3])
    with pytest.raises(SettingError, match="at most 64 times"):
        upscale_video(nearest(), str(source), str(tmp_path / "out.mp4"), size=Target(scale=65))
    encoding = Encoding(codec="libsvtav1")
    with pytest.raises(SettingError, match="even sides only"):
        upscale_video(nearest(), str(source), str(tmp_path / "out.mp4"), size=Target(width=101), encoding=encoding)


def test_odd_sides_that_a_pixel_format_does_not_hold_are_explained(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv", EVEN[:3], codec="ffv1", pictures=lambda index: noise(index, HEIGHT + 1, WIDTH + 1)
    )
    model, target = nearest(scale=3), str(tmp_path / "out.mkv")
    upscale_video(model, str(source), target, encoding=Encoding(codec="ffv1", pixel_format="yuv420p"))
    assert (frames(Path(target))[0].height, frames(Path(target))[0].width) == (3 * HEIGHT + 3, 3 * WIDTH + 3)
    for encoding, words in (
        (Encoding(codec="ffv1", pixel_format="yuv420p", is_preview=True), "halves of a preview would be 147 pixels"),
        (Encoding(codec="libx264", pixel_format="yuv420p"), "yuv420p may want even sides, and 147×99 came"),
    ):
        with pytest.raises(PocketsrError, match=words):
            upscale_video(model, str(source), target, encoding=encoding, overwrite=True)
