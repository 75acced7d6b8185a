from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from pocketsr.batch import run_in_order


def _never(_: object) -> int:
    return 0


def test_results_come_in_order_though_the_first_is_the_slowest() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(20)
        if item == 1:
            second_is_done.set()
        return item * item

    assert list(run_in_order(range(20), work, workers=3, limit=10, cost=_never)) == [n * n for n in range(20)]


def test_no_more_is_in_work_than_threads_and_cost_allow() -> None:
    lock, now, most = threading.Lock(), [0, 0], [0, 0]

    def work(cost: int) -> None:
        with lock:
            now[0] += 1
            now[1] += cost
            most[0], most[1] = max(most[0], now[0]), max(most[1], now[1] if now[0] > 1 else 0)
        time.sleep(0.005)
        with lock:
            now[0] -= 1
            now[1] -= cost

    costs = [1, 1, 1, 1, 5, 3, 3, 100, 2, 4, 1, 1, 1]
    list(run_in_order(costs, work, workers=3, limit=6, cost=lambda cost: cost))
    assert most[0] <= 3
    assert most[1] <= 6
    list(run_in_order([1] * 9, work, workers=3, limit=6, cost=lambda cost: cost))
    assert most[0] == 3, "three at once where they may"


def test_results_do_not_pile_up_behind_a_slow_one() -> None:
    begun: list[int] = []
    go = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 0:
            go.wait(20)
        return item

    def waited() -> None:
        go.set()

    results = run_in_order(range(100), work, workers=2, limit=9, cost=_never, on_wait=waited)
    assert next(results) == 0
    assert len(begun) <= 8
    assert list(results) == list(range(1, 100))


def test_what_is_raised_comes_in_its_place_and_leaves_no_thread() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise KeyError(item)
        return item

    came: list[int] = []
    with pytest.raises(KeyError):
        came.extend(run_in_order(range(9), work, workers=3, limit=9, cost=_never))
    assert came == [0, 1]
    assert not [thread for thread in threading.enumerate() if thread.name == "image"]


def test_who_ends_early_calls_off_what_is_in_work_and_starts_no_more() -> None:
    stopped = threading.Event()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item:
            assert stopped.wait(20)
        return item

    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    results = run_in_order(endless(), work, workers=3, limit=9, cost=_never, on_stop=stopped.set)
    with contextlib.closing(results):
        assert next(results) == 0
    assert stopped.is_set()
    assert len(begun) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name == "image"]
