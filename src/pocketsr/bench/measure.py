"""Measuring contenders: every size, rounds in turn, memory, and correctness beside speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pocketsr.bench.contender import Asked, Contender, described
from pocketsr.bench.latency import ROUNDS, WARM_UP, Timing, shares
from pocketsr.bench.record import Measured, SizeFigures
from pocketsr.bench.sizes import frames_per_second, input_size
from pocketsr.errors import PocketsrError


def measure(
    contenders: Sequence[Contender],
    sizes: Sequence[str],
    *,
    runs: int,
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
    on_step: Callable[[str], None] = lambda _: None,
    leaves_out: Callable[[Asked, PocketsrError], bool] = lambda *_: False,
) -> tuple[Measured, ...]:
    """Time contenders in turn at each size, then ask for memory, then compare pixels.

    Args:
        contenders: Not loaded yet.
        sizes: As ``input_size`` takes them.
        runs: Frames of each size that are counted.
        rounds: Parts that the runs are cut into; contenders take turns by them.
        warm_up: Frames before that are not.
        on_step: Told in words what comes next.
        leaves_out: Told what cannot be loaded and why; says whether the others go on without it.

    Raises:
        SettingError: A size is none, or there are no runs.
        ModelFileError: A file is missing, damaged, or a backend cannot run it.
        MissingExtraError: A backend's package is not installed.
    """
    parts = shares(runs, rounds)
    loaded, kept = [], []
    for contender in contenders:
        on_step(f"loading {contender.asked.label}")
        try:
            loaded.append(contender.load())
        except PocketsrError as error:
            if not leaves_out(contender.asked, error):
                raise
            continue
        kept.append(contender)
    contenders = kept
    figures: list[list[SizeFigures]] = [[] for _ in contenders]
    for text in sizes:
        firsts = []
        given = [input_size(text, spec.scale, spec.size_multiple) for _, spec in loaded]
        for contender, size in zip(contenders, given, strict=True):
            on_step(f"warming up {contender.asked.label} at {size[0]}×{size[1]}")
            firsts.append(contender.prepare(size, warm_up))
        times: list[list[float]] = [[] for _ in contenders]
        for number, count in enumerate(parts, 1):
            on_step(f"round {number} of {len(parts)} at {text}")
            for contender, of_one in zip(contenders, times, strict=True):
                of_one += contender.run(count)
        for index, (size, first) in enumerate(zip(given, firsts, strict=True)):
            timing = Timing.of(times[index])
            figures[index].append(size_figures(size, loaded[index][1].scale, first, timing))
    measured = []
    for contender, (load_ms, spec), of_one_size in zip(contenders, loaded, figures, strict=True):
        memory = contender.peak_memory_mb()  # before the reference backend needs some
        on_step(f"comparing {contender.asked.label} with the reference")
        measured.append(
            Measured(
                model=described(contender.asked, spec),
                backend=contender.asked.runner,
                threads=contender.asked.threads,
                load_ms=load_ms,
                peak_memory_mb=memory,
                correctness=contender.compare(),
                sizes=tuple(of_one_size),
            )
        )
    return tuple(measured)


def size_figures(size: tuple[int, int], scale: int, first_run_ms: float | None, timing: Timing) -> SizeFigures:
    """Return the figures that follow from a timing.

    Args:
        size: (height, width) of the input.
        scale: Factor.
        first_run_ms: Milliseconds of the first frame, None where not known.
        timing: Of the others.
    """
    megapixels = size[0] * size[1] * scale**2 / 1e6
    throughput = megapixels / max(timing.median_ms, 1e-6) * 1000
    return SizeFigures(
        height=size[0],
        width=size[1],
        first_run_ms=first_run_ms,
        timing=timing,
        output_megapixels_per_s=throughput,
        frames_per_second=frames_per_second(throughput),
    )
