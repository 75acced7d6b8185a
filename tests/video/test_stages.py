from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pocketsr.video.stages import overlapped


def test_order_is_kept_and_queues_are_bounded() -> None:
    made, finished, most = 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(100):
            made += 1
            yield number

    def finish(results: Iterator[int]) -> list[int]:
        nonlocal finished, most
        kept = []
        for result in results:
            most = max(most, made - finished)
            finished += 1
            kept.append(result)
        return kept

    assert overlapped(items(), lambda number: number + 1, finish, depth=2) == list(range(1, 101))
    assert most <= 2 * 2 + 4


def test_stages_work_at_the_same_time() -> None:
    def slow(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            time.sleep(0.02)
            yield item

    start = time.perf_counter()
    total = overlapped(slow(iter(range(10))), lambda item: time.sleep(0.02) or item, lambda done: sum(slow(done)))
    assert total == 45
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("stage", ["items", "work", "finish"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_first_error_ends_everything(stage: str, error: type[BaseException]) -> None:
    def items() -> Iterator[int]:
        for number in range(1000):
            if stage == "items" and number == 5:
                raise error("here")
            yield number

    def work(number: int) -> int:
        if stage == "work" and number == 5:
            raise error("here")
        return number

    def finish(results: Iterator[int]) -> int:
        for result in results:
            if stage == "finish" and result == 5:
                raise error("here")
        return 0

    with pytest.raises(error, match="here"):
        overlapped(items(), work, finish)
    assert threading.active_count() == 1 or all(thread.name != "Thread" for thread in threading.enumerate())


def test_nothing_more_is_worked_on_after_an_error() -> None:
    has_failed = threading.Event()
    done: list[int] = []

    def work(number: int) -> int:
        if number == 1:
            assert has_failed.wait(10)
            time.sleep(0.2)  # the error is on its way from the other thread
        done.append(number)
        return number

    def finish(results: Iterator[int]) -> int:
        next(results)
        has_failed.set()
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="full"):
        overlapped(iter(range(100)), work, finish)
    assert done == [0, 1]
