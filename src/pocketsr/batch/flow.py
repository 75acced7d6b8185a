"""Several things in work at once, their results in order, and what they hold in memory bounded.

    items ──> [ up to N threads, up to a limit of cost in all ] ──> results in the order of the items

The caller's thread starts work and hands out results; it is the one that Ctrl-C reaches, and then nothing is left
running. Knows nothing of images.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How long the caller's thread waits before it says that it still waits, in seconds.
_TICK_S = 0.1


def run_in_order(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    workers: int,
    limit: int,
    cost: Callable[[Item], int],
    on_wait: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield the result of each item, in order, while the ones after it are in work.

    Args:
        items: What to do. An item is taken only when a thread is free for it.
        work: Does one; called on other threads.
        workers: Threads.
        limit: Items are started while what is in work costs no more than this. One that costs more is done alone.
        cost: What an item holds while it is in work.
        on_wait: Called every tenth of a second while nothing is ready.
        on_stop: Called when the caller ends early, to call off what is in work; it is waited for after that.

    Yields:
        Results in the order of the items. What ``work`` raises is raised in the place of its result.

    >>> list(run_in_order("abc", str.upper, workers=2, limit=1, cost=lambda _: 1))
    ['A', 'B', 'C']
    """
    changed = threading.Condition()
    waiting = iter(items)
    coming: tuple[Item, int] | None = None
    begun: deque[_Task[Item, Result]] = deque()
    is_ended = False
    try:
        while True:
            running = [task for task in begun if not task.is_over]
            # No more results than threads wait for one that is slow, so that they need no bound of their own.
            while len(running) < workers and len(begun) < 4 * workers:
                if coming is None:
                    item = next(waiting, None)
                    if item is None:
                        break
                    coming = item, cost(item)
                if running and sum(task.cost for task in running) + coming[1] > limit:
                    break
                task = _Task(*coming, work, changed)
                coming = None
                begun.append(task)
                running.append(task)
                task.thread.start()
            if not begun:
                is_ended = True
                return
            with changed:
                while not begun[0].is_over and not any(task.is_over for task in running):
                    if not changed.wait(_TICK_S):
                        on_wait()
            while begun and begun[0].is_over:
                yield begun.popleft().result()
    finally:
        if not is_ended:
            on_stop()
        for task in begun:
            if task.thread.ident is not None:  # the end may have come between making and starting it
                task.thread.join()


class _Task(Generic[Item, Result]):
    """One item on its thread."""

    def __init__(self, item: Item, cost: int, work: Callable[[Item], Result], changed: threading.Condition) -> None:
        self.cost = cost
        self.is_over = False
        self._changed = changed
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(item, work), name="image")

    def result(self) -> Result:
        """Return what the work did, or raise what it raised."""
        self.thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self, item: Item, work: Callable[[Item], Result]) -> None:
        try:
            self._result.append(work(item))
        except BaseException as error:  # raised again where the result is asked for
            self._error = error
        with self._changed:
            self.is_over = True
            self._changed.notify_all()
