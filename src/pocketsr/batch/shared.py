"""One network for several images in work: it runs on a thread of its own, one image after the other.

    decoding  ──> ┌─────────────┐ ──> encoding
    decoding  ──> │ the network │ ──> encoding        each arrow is one strip at a time
    decoding  ──> └─────────────┘ ──> encoding

While it makes a strip, the one before is encoded and other images are read. Taking images one after the other, rather
than tiles of all in turn, lets the runtime keep what it prepared for a size. It waits with a finished strip until that
is asked for, so an image holds one more strip than it would alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, cast

import numpy.typing as npt

from pocketsr.runtime import Progress, Upscaler
from pocketsr.runtime.pixels import Samples


class Stopped(BaseException):
    """The work was called off. No ``Exception``: nothing on the way may take it for a fault of an image."""


class SharedUpscaler:
    """Upscalers that several threads use, each for an image of its own. Close it, or use it as a context."""

    def __init__(self, upscalers: Sequence[Upscaler]) -> None:
        self._upscalers = tuple(upscalers)
        self._changed = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._serve, name="network", daemon=True)
        self._thread.start()

    def __enter__(self) -> SharedUpscaler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._thread.join()

    @contextmanager
    def for_one_image(self) -> Iterator[tuple[Upscaler, ...]]:
        """Give upscalers whose strips come from the network's thread. What is left of them is called off at the end.

        Leaving the block matters: an error that is kept keeps the strips of its image, and the network would wait for
        someone to take them.
        """
        borrowed = tuple(_Borrowed(self, upscaler) for upscaler in self._upscalers)
        try:
            yield borrowed
        finally:
            for request in (request for one in borrowed for request in one.requests):
                self._call_off(request)

    def stop(self) -> None:
        """Call off all work: whoever waits for a strip, or asks for one, gets ``Stopped``."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raise if the work was called off.

        Raises:
            Stopped: It was.
        """
        if self._is_stopped:
            raise Stopped

    def strips(self, request: _Request) -> Iterator[npt.NDArray[Any]]:
        """Queue an image, and yield its strips as they come."""
        with self._changed:
            self._waiting.append(request)
            self._changed.notify_all()
        while True:
            with self._changed:
                request.is_wanted = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_stopped or request.strip is not None or request.is_over)
                self.check()
                strip, request.strip = request.strip, None
                self._changed.notify_all()
            if strip is None:
                if request.error is not None:
                    raise request.error
                return
            yield strip
            del strip  # not held while the next one is awaited

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopped or self._waiting)
                if self._is_stopped:
                    return
                request = self._waiting.popleft()
            error: BaseException | None = None
            try:
                for strip in request.upscaler.strips(request.image, on_progress=request.on_progress):
                    if not self._hand_over(request, strip):
                        break
            except BaseException as raised:  # it belongs to whoever asked, and this thread has to go on
                error = raised
            with self._changed:
                request.error, request.is_over = error, True
                self._changed.notify_all()

    def _hand_over(self, request: _Request, strip: npt.NDArray[Any]) -> bool:
        """Wait until a strip is asked for and give it; return whether more are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or request.is_off or request.is_wanted)
            if self._is_stopped or request.is_off:
                return False
            request.strip, request.is_wanted = strip, False
            self._changed.notify_all()
            return True

    def _call_off(self, request: _Request) -> None:
        with self._changed:
            request.is_off = True
            if request in self._waiting:
                self._waiting.remove(request)
            self._changed.notify_all()


class _Request:
    """One image for the network, and the strip that is on its way back. Guarded by the condition of the shared one."""

    def __init__(self, upscaler: Upscaler, image: npt.NDArray[Any], on_progress: Progress | None) -> None:
        self.upscaler, self.image, self.on_progress = upscaler, image, on_progress
        self.strip: npt.NDArray[Any] | None = None
        self.error: BaseException | None = None
        self.is_wanted = self.is_off = self.is_over = False


class _Borrowed(Upscaler):
    """An upscaler whose strips another thread makes; the rest is as ever."""

    def __init__(self, shared: SharedUpscaler, upscaler: Upscaler) -> None:
        vars(self).update(vars(upscaler))  # not Upscaler's own beginning, which would open the model once more
        self._shared, self._upscaler = shared, upscaler
        self.requests: list[_Request] = []

    def strips(self, image: Samples, *, on_progress: Progress | None = None) -> Iterator[Samples]:
        """As of any upscaler, one image after the other."""
        request = _Request(self._upscaler, image, on_progress)
        self.requests.append(request)
        return cast(Iterator[Samples], self._shared.strips(request))
