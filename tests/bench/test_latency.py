from __future__ import annotations

import pytest

from pocketsr.bench.latency import Timing, interleaved, shares
from pocketsr.errors import DataError, SettingError


def test_contenders_take_turns_and_warm_up_is_not_counted() -> None:
    now, order = [0.0], []

    def work(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    found = interleaved(
        {"a": lambda: work("a", 0.001), "b": lambda: work("b", 0.002)},
        runs=4,
        rounds=2,
        warm_up=1,
        clock=lambda: now[0],
    )
    assert "".join(order) == "ab" + "aabb" * 2
    assert [found[name].runs for name in "ab"] == [4, 4]
    assert found["a"].median_ms == pytest.approx(1)
    assert found["b"].median_ms == pytest.approx(2)
    assert found["b"].iqr_ms == pytest.approx(0)


def test_one_disturbed_run_moves_neither_median_nor_spread() -> None:
    timing = Timing.of([1.0] * 19 + [500.0])
    assert (timing.median_ms, timing.iqr_ms, timing.min_ms, timing.runs) == (1.0, 0.0, 1.0, 20)
    assert Timing.of([3.0]) == Timing(median_ms=3.0, iqr_ms=0.0, min_ms=3.0, mean_ms=3.0, p90_ms=3.0, runs=1)
    assert Timing.of([float(number) for number in range(11)]).p90_ms == pytest.approx(9.0)


@pytest.mark.parametrize(("runs", "rounds", "parts"), [(10, 4, (3, 3, 2, 2)), (2, 4, (1, 1)), (8, 1, (8,))])
def test_rounds_share_the_runs(runs: int, rounds: int, parts: tuple[int, ...]) -> None:
    assert shares(runs, rounds) == parts


def test_nonsense_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one run"):
        shares(0, 4)
    with pytest.raises(DataError, match="none came"):
        Timing.of([])
    with pytest.raises(DataError, match="minimum <= median"):
        Timing(median_ms=1.0, iqr_ms=0.0, min_ms=2.0, mean_ms=1.0, p90_ms=None, runs=1)
