"""Is the machine idle enough to measure on? Watches processor time for half a second.

The load average tells of the last minute, the processor times of this moment; a figure is trusted where neither says
that others are at work. On systems without ``/proc`` only the load average is looked at.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds watched.
_WATCHED_S = 0.5
#: Largest part of all cores that may be at work: a desktop that is left alone needs a few percent.
_MOST_BUSY = 0.10
#: Largest load average for each core. It lags by a minute, so it is looser.
_MOST_LOAD = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Idleness:
    """How busy the machine was before a measurement.

    Attributes:
        busy: Part of all cores' time that was spent at work while it was watched, 0 to 1; None where not readable.
        load: Load average of the last minute for each core; None where not readable.
    """

    busy: float | None
    load: float | None

    @property
    def is_idle(self) -> bool:
        """Whether figures measured now can be trusted, as far as is known."""
        return (self.busy or 0) <= _MOST_BUSY and (self.load or 0) <= _MOST_LOAD

    def words(self) -> str:
        """Return what disturbs, for a warning.

        >>> Idleness(busy=0.52, load=1.1).words()
        'the machine is not idle: 52 % of its cores busy, load 1.10 a core'
        """
        parts = []
        if self.busy is not None:
            parts.append(f"{self.busy:.0%} of its cores busy".replace("%", " %"))
        if self.load is not None:
            parts.append(f"load {self.load:.2f} a core")
        return f"the machine is not idle: {', '.join(parts)}"


def watch(
    *, stat: Path = Path("/proc/stat"), wait: Callable[[float], None] = time.sleep, load: float | None = None
) -> Idleness:
    """Watch the machine for half a second.

    Args:
        stat: Linux's account of processor time; for tests.
        wait: Sleeps; for tests.
        load: The load average, for tests; None asks the system.
    """
    before = _ticks(stat)
    wait(_WATCHED_S)
    after = _ticks(stat)
    busy = None
    if before is not None and after is not None:
        total = after[1] - before[1]
        busy = round((after[0] - before[0]) / total, 3) if total > 0 else 0.0
    if load is None and hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
    return Idleness(busy=busy, load=None if load is None else round(load / (os.cpu_count() or 1), 3))


def _ticks(stat: Path) -> tuple[int, int] | None:
    """Return ticks at work and ticks in all since the start, over all cores; None where they are not readable."""
    try:
        numbers = [int(word) for word in stat.read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    if len(numbers) < 5:
        return None
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)  # the fourth and fifth are idle and waiting for disks
