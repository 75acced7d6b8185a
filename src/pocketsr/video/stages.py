"""Three stages that work at the same time, with a short queue between them; the middle one by one or more workers.

    items ──> queue ──> work, work ──> queue in the order of the items ──> finish
    (thread)       (this thread, others)                                  (thread)

Memory is that of the queue. An error or an interrupt in any stage ends all three, and is what the caller sees. Knows
nothing of video.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Result = TypeVar("_Result")

#: Items that may wait before work and after it. Three absorb the jitter of an encoder; more is only memory.
DEPTH = 3
#: Seconds after which a waiting stage looks whether another has failed.
_PATIENCE = 0.1
_END = object()


class _StoppedError(Exception):
    """Another stage failed or was interrupted."""


class _Slot:
    """An item, and later what was made of it."""

    def __init__(self, item: Any) -> None:
        self.item, self.result = item, None
        self.is_done = threading.Event()


def overlapped(
    items: Iterator[_In],
    work: Callable[[_In], _Out] | Sequence[Callable[[_In], _Out]],
    finish: Callable[[Iterator[_Out]], _Result],
    *,
    depth: int = DEPTH,
) -> _Result:
    """Run three stages at once.

    Args:
        items: Made in a thread of its own.
        work: Called for each item; of several, whichever is free. The first is called in this thread, in which an
            interrupt arrives, the others in threads of their own.
        finish: Takes all results in the order of their items, in a thread of its own.
        depth: Twice as many items may wait for work or be waited for.

    Returns:
        What ``finish`` returned.

    Raises:
        BaseException: The first error of any stage. All threads have ended then.

    >>> overlapped(iter([1, 2, 3]), lambda number: number * number, sum)
    14
    """
    works: Sequence[Callable[[_In], _Out]] = [work] if callable(work) else work
    stop = threading.Event()
    to_do: queue.Queue[Any] = queue.Queue()  # no longer than the other
    in_order: queue.Queue[Any] = queue.Queue(2 * depth)
    failures: list[BaseException] = []
    results: list[_Result] = []

    def guarded(stage: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                stage()
            except _StoppedError:
                pass
            except BaseException as error:
                failures.append(error)
                stop.set()

        return run

    def produce() -> None:
        for item in items:
            slot = _Slot(item)
            _put(in_order, slot, stop)
            to_do.put(slot)
        _put(in_order, _END, stop)
        to_do.put(_END)

    def worker(one: Callable[[_In], _Out]) -> Callable[[], None]:
        def run() -> None:
            for slot in _taken(to_do, stop):
                slot.result, slot.item = one(slot.item), None
                slot.is_done.set()
            to_do.put(_END)  # for the other workers

        return run

    def consume() -> None:
        results.append(finish(_finished(in_order, stop)))

    stages = [produce, consume, *(worker(one) for one in works[1:])]
    threads = [threading.Thread(target=guarded(stage), daemon=True) for stage in stages]
    for thread in threads:
        thread.start()
    try:
        worker(works[0])()
        while threads[1].is_alive() and not stop.is_set():
            threads[1].join(_PATIENCE)
    except _StoppedError:
        pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _finished(slots: queue.Queue[Any], stop: threading.Event) -> Iterator[Any]:
    for slot in _taken(slots, stop):
        while not slot.is_done.wait(_PATIENCE):
            if stop.is_set():
                raise _StoppedError
        yield slot.result


def _put(target: queue.Queue[Any], item: Any, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            return target.put(item, timeout=_PATIENCE)
        except queue.Full:
            continue
    raise _StoppedError


def _taken(source: queue.Queue[Any], stop: threading.Event) -> Iterator[Any]:
    while not stop.is_set():  # looked at before each item: what waits in a queue may be minutes of work
        try:
            item = source.get(timeout=_PATIENCE)
        except queue.Empty:
            continue
        if item is _END:
            return
        yield item
    raise _StoppedError
