from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pocketsr.batch import SharedUpscaler, Stopped
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Progress, Upscaler
from pocketsr.runtime.pixels import Pixels
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture
def upscaler(tmp_path: Path) -> Upscaler:
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), tmp_path / "small.tflite")
    return Upscaler(tmp_path / "small.tflite", backend="reference", tile=16)


def _image(height: int, width: int) -> Pixels:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def test_images_of_several_threads_are_what_they_are_alone(upscaler: Upscaler) -> None:
    images = [_image(20 + number, 25) for number in range(6)]
    results: dict[int, Pixels] = {}

    def work(number: int) -> None:
        with shared.for_one_image() as (borrowed,):
            assert (borrowed.scale, borrowed.spec) == (upscaler.scale, upscaler.spec)
            results[number] = np.concatenate(list(borrowed.strips(images[number])))

    with SharedUpscaler([upscaler]) as shared:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for number, image in enumerate(images):
        assert np.array_equal(results[number], upscaler(image))


def test_an_error_of_one_image_is_its_own(upscaler: Upscaler) -> None:
    with SharedUpscaler([upscaler]) as shared:
        with shared.for_one_image() as (borrowed,), pytest.raises(Exception, match="at least one pixel"):
            list(borrowed.strips(_image(0, 5)))
        with shared.for_one_image() as (borrowed,):
            assert len(list(borrowed.strips(_image(5, 5)))) == 1


def test_strips_that_nobody_takes_do_not_stop_the_next_image(upscaler: Upscaler) -> None:
    with SharedUpscaler([upscaler]) as shared:
        with shared.for_one_image() as (borrowed,):
            kept = borrowed.strips(_image(60, 9))
            next(kept)
        with shared.for_one_image() as (borrowed,):
            assert sum(map(len, borrowed.strips(_image(60, 9)))) == 180


def test_one_strip_is_made_ahead_and_no_more(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    made, second = [], threading.Event()

    def strips(_: Upscaler, image: Pixels, *, on_progress: Progress | None = None) -> Iterator[Pixels]:
        del on_progress
        for number in range(9):
            made.append(number)
            if number == 1:
                second.set()
            yield image

    monkeypatch.setattr(Upscaler, "strips", strips)
    with SharedUpscaler([upscaler]) as shared, shared.for_one_image() as (borrowed,):
        taken = borrowed.strips(_image(3, 3))
        next(taken)
        assert second.wait(20), "the second is made while the first is with the encoder"
        assert made == [0, 1]
        assert len(list(taken)) == 8


def test_work_that_is_called_off_ends_for_everyone(upscaler: Upscaler) -> None:
    shared = SharedUpscaler([upscaler])
    with shared, shared.for_one_image() as (borrowed,):
        strips = borrowed.strips(_image(60, 9))
        next(strips)
        shared.check()
        shared.stop()
        with pytest.raises(Stopped):
            next(strips)
        with pytest.raises(Stopped):
            shared.check()
    assert not [thread for thread in threading.enumerate() if thread.name == "network"]


def test_the_float32_form_is_opened_once_for_all_images() -> None:
    upscaler = Upscaler("abpn-x3", threads=1)
    with SharedUpscaler([upscaler]) as shared:
        found = []
        for _ in range(2):
            with shared.for_one_image() as (borrowed,):
                found.append(borrowed.for_16_bits())
    assert found[0] is found[1] is upscaler.for_16_bits()
