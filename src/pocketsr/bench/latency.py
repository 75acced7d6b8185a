"""Timing: several contenders in turn, round after round, and what is told of the times.

    round 1   A A A  B B B  C C C
    round 2   A A A  B B B  C C C        whatever disturbs the machine for a while disturbs all of them

Knows nothing of models; a contender is a function that does one piece of work.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from pocketsr.errors import DataError, SettingError

#: Calls that are not counted: the first allocates, the second still fills caches.
WARM_UP = 3
#: Rounds over which the runs are spread.
ROUNDS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """What is told of many times.

    Attributes:
        median_ms: Milliseconds; half of the runs took less.
        iqr_ms: Milliseconds between the quarter and three-quarter points: the spread; None where not known.
        min_ms: The quickest run, milliseconds; the least disturbed.
        mean_ms: Average, milliseconds.
        p90_ms: Nine of ten runs took less, milliseconds; None where not known.
        runs: How many were counted.
    """

    median_ms: float
    iqr_ms: float | None
    min_ms: float
    mean_ms: float
    p90_ms: float | None
    runs: int

    def __post_init__(self) -> None:
        if self.runs < 1 or not 0 <= self.min_ms <= self.median_ms or (self.iqr_ms or 0) < 0:
            raise DataError(f"a timing needs a run, and 0 <= minimum <= median, and a spread >= 0; {self} came")

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Timing:
        """Sum up times in milliseconds.

        Raises:
            DataError: There are none.

        >>> Timing.of([4.0, 1.0, 2.0, 3.0])
        Timing(median_ms=2.5, iqr_ms=1.5, min_ms=1.0, mean_ms=2.5, p90_ms=3.7, runs=4)
        """
        if not times_ms:
            raise DataError("a timing needs at least one run; none came")
        # Twentieths: the fifth, fifteenth and eighteenth are the quarters and the nine tenths.
        points = statistics.quantiles(times_ms, n=20, method="inclusive") if len(times_ms) > 1 else [times_ms[0]] * 19
        return cls(
            median_ms=statistics.median(times_ms),
            iqr_ms=points[14] - points[4],
            min_ms=min(times_ms),
            mean_ms=statistics.fmean(times_ms),
            p90_ms=points[17],
            runs=len(times_ms),
        )


def shares(runs: int, rounds: int = ROUNDS) -> tuple[int, ...]:
    """Return how many runs each round has: as equal as can be, none empty.

    Raises:
        SettingError: Fewer than one run or round.

    >>> shares(10, 4)
    (3, 3, 2, 2)
    """
    if runs < 1 or rounds < 1:
        raise SettingError(f"at least one run and one round are needed, not {runs} and {rounds}")
    rounds = min(rounds, runs)
    return tuple(runs // rounds + (index < runs % rounds) for index in range(rounds))


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    runs: int,
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time functions in this process, in turn.

    Args:
        contenders: Functions by name.
        runs: Calls of each that are counted.
        rounds: Parts that the runs are cut into.
        warm_up: Calls of each, before all others, that are not counted.
        clock: Seconds, for tests.

    Returns:
        The timing of each, by name.

    Raises:
        SettingError: Fewer than one run or round.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    parts = shares(runs, rounds)
    for work in contenders.values():
        for _ in range(warm_up):
            work()
    for count in parts:
        for name, work in contenders.items():
            times[name] += timed(work, count, clock)
    return {name: Timing.of(of_one) for name, of_one in times.items()}


def timed(work: Callable[[], object], count: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return milliseconds of ``count`` calls."""
    times = []
    for _ in range(count):
        began = clock()
        work()
        times.append(1000 * (clock() - began))
    return times
