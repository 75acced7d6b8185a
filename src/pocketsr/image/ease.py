"""Pillow without its own limits and remarks, for as long as a photo is read or written."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image


class _Ease:
    """Who is at work just now, and what to put back when the last one is done."""

    lock = threading.Lock()
    workers = 0
    handler = logging.NullHandler()
    kept_limit: int | None = None
    kept_filters: warnings.catch_warnings[None] | None = None


@contextmanager
def pillow_at_ease() -> Iterator[None]:
    """Set Pillow's own size limit, warnings and log aside for as long as anyone reads or writes.

    The limit is a global of Pillow that decoders look at in several places, and our own comes first. Its warnings are
    about odd metadata in other people's photos. Both are put back by the last of several threads at work at once.
    """
    with _Ease.lock:
        if _Ease.workers == 0:
            _Ease.kept_filters = warnings.catch_warnings()
            _Ease.kept_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            # Where nobody set logging up, Python prints what Pillow logs; a logger with a handler is left alone.
            logging.getLogger("PIL").addHandler(_Ease.handler)
            _Ease.kept_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _Ease.workers += 1
    try:
        yield
    finally:
        with _Ease.lock:
            _Ease.workers -= 1
            if _Ease.workers == 0 and _Ease.kept_filters is not None:
                Image.MAX_IMAGE_PIXELS = _Ease.kept_limit
                logging.getLogger("PIL").removeHandler(_Ease.handler)
                _Ease.kept_filters.__exit__(None, None, None)
