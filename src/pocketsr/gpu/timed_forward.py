"""How NTIRE 2023 takes time: 50 forwards that are not counted, 244 that are, each between two CUDA events; the mean.

Only the forward is timed: the image is on the device already and the result stays there. On a processor its clock takes
the events' place.

Source: the organisers' runtime_demo.py (NTIRE 2023 real-time super-resolution): batch 1, fp16, output of 4K.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from pocketsr.bench import Timing
from pocketsr.errors import SettingError

WARM_UP, TIMED = 50, 244


def timed_forward(
    run: Callable[[], object],
    *,
    device: torch.device,
    warm_up: int = WARM_UP,
    count: int = TIMED,
    cuda: Any = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time a forward.

    Args:
        run: One forward of a prepared network.
        device: Where it runs.
        warm_up: Forwards before that are not counted.
        count: Forwards that are.
        cuda: What has torch's ``Event`` and ``synchronize``; for tests, None is ``torch.cuda`` on a CUDA device.
        clock: Seconds, for other devices and tests.

    Raises:
        SettingError: Fewer than one forward is to be counted.
    """
    if count < 1 or warm_up < 0:
        raise SettingError(f"at least one forward is counted and none or more before, not {count} and {warm_up}")
    for _ in range(warm_up):
        run()
    if cuda is None and device.type == "cuda":
        cuda = torch.cuda
    return Timing.of(_by_clock(run, count, clock) if cuda is None else _by_events(run, count, cuda))


def _by_events(run: Callable[[], object], count: int, cuda: Any) -> list[float]:
    """Return milliseconds by the device's own clock; it is waited for once, behind the last."""
    pairs = [(cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)) for _ in range(count)]
    cuda.synchronize()
    for begin, end in pairs:
        begin.record()
        run()
        end.record()
    cuda.synchronize()
    return [begin.elapsed_time(end) for begin, end in pairs]


def _by_clock(run: Callable[[], object], count: int, clock: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(count):
        began = clock()
        run()
        times.append(1000 * (clock() - began))
    return times
