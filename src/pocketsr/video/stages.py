"""Three stages that work at the same time, with short queues between them.

    items ──queue──> work ──queue──> finish
    (thread)      (this thread)     (thread)

Memory is that of the queues. An error or an interrupt in any stage ends all three, and is what the caller sees. Knows
nothing of video.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Result = TypeVar("_Result")

#: Items that may wait between two stages. Two absorb the jitter of an encoder; more is only memory.
DEPTH = 3
#: Seconds after which a waiting stage looks whether another has failed.
_PATIENCE = 0.1
_END = object()


class _StoppedError(Exception):
    """Another stage failed or was interrupted."""


def overlapped(
    items: Iterator[_In],
    work: Callable[[_In], _Out],
    finish: Callable[[Iterator[_Out]], _Result],
    *,
    depth: int = DEPTH,
) -> _Result:
    """Run three stages at once.

    Args:
        items: Made in a thread of its own.
        work: Called in this thread, in order: an interrupt arrives here.
        finish: Takes all results in order, in a thread of its own.
        depth: Items that may wait before and after ``work``.

    Returns:
        What ``finish`` returned.

    Raises:
        BaseException: The first error of any stage. Both threads have ended then.

    >>> overlapped(iter([1, 2, 3]), lambda number: number * number, sum)
    14
    """
    stop = threading.Event()
    before: queue.Queue[Any] = queue.Queue(depth)
    after: queue.Queue[Any] = queue.Queue(depth)
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
            _put(before, item, stop)
        _put(before, _END, stop)

    def consume() -> None:
        results.append(finish(_taken(after, stop)))

    threads = [threading.Thread(target=guarded(stage), daemon=True) for stage in (produce, consume)]
    for thread in threads:
        thread.start()
    try:
        for item in _taken(before, stop):
            _put(after, work(item), stop)
        _put(after, _END, stop)
        while threads[1].is_alive():
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


def _put(target: queue.Queue[Any], item: Any, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            return target.put(item, timeout=_PATIENCE)
        except queue.Full:
            continue
    raise _StoppedError


def _taken(source: queue.Queue[Any], stop: threading.Event) -> Iterator[Any]:
    while True:
        try:
            item = source.get(timeout=_PATIENCE)
        except queue.Empty:
            if stop.is_set():
                raise _StoppedError from None
            continue
        if item is _END:
            return
        yield item
