"""While the network runs on one image, the next is read and the one before is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from pocketsr.batch import SharedUpscaler, run_in_order
from pocketsr.runtime import Progress, Upscaler
from pocketsr.runtime.pixels import Pixels


class _Network(Upscaler):
    """Stands for a network: it runs when the next image is being read and the last one being written."""

    def __init__(self, meet: threading.Barrier) -> None:
        self._meet = meet

    def strips(self, image: Pixels, *, on_progress: Progress | None = None) -> Iterator[Pixels]:
        del on_progress
        if image[0] == 1:
            self._meet.wait(30)
        yield image


def test_three_images_are_read_enlarged_and_written_at_the_same_time() -> None:
    meet = threading.Barrier(3)  # each step waits for the two others; were they in turn, none would get on

    def work(number: int) -> int:
        if number == 2:
            meet.wait(30)  # reading the third
        with shared.for_one_image() as (upscaler,):
            made: list[Any] = list(upscaler.strips(np.array([number])))
        if number == 0:
            meet.wait(30)  # writing the first
        return int(made[0][0])

    with SharedUpscaler([_Network(meet)]) as shared:
        results = run_in_order(range(3), work, workers=3, limit=9, cost=lambda _: 1, on_stop=shared.stop)
        assert list(results) == [0, 1, 2]
