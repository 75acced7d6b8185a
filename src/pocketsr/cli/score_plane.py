"""A challenge as a picture: PSNR over runtime, lines of equal score, official rows, and what nothing beats.

PSNR │  64 ╱  32 ╱  16 ╱        a line is one score: who lies above it has a higher one
     │    ╱ ●   ╱  ○  ╱         ● on the front: none is both better and quicker
     └──────────────── ms (logarithmic)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketsr.errors import MissingExtraError, SettingError
from pocketsr.evaluate.challenge import Standing, Track, pareto_front
from pocketsr.image.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points of a line of equal score.
_POINTS = 50
#: Fewest dB shown, so that rows which are nearly alike are not torn apart.
_LEAST_DB = 1.0


def draw(track: Track, rows: Sequence[Standing], path: Path, *, overwrite: bool = False) -> None:
    """Write the picture as PNG.

    Args:
        track: Whose formula the lines follow.
        rows: Official ones, and any without a printed score, which are drawn as stars.
        path: Where, ending in ``.png``.
        overwrite: Replace what is there.

    Raises:
        MissingExtraError: matplotlib is not installed.
        SettingError: The path does not end in ``.png``.
        OutputExistsError: The file is there and may not be replaced.
    """
    if path.suffix.lower() != ".png":
        raise SettingError(f"the drawing is a PNG: name a file that ends in .png, not {path.name!r}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.for_extra("matplotlib", "train") from error
    with replacing(path, overwrite=overwrite) as temporary:
        figure = Figure(figsize=(7.5, 5), layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, track, rows)
        _lines(axes, track, rows)
        _points(axes, rows)
        figure.savefig(temporary, format="png", dpi=110)


def levels(rows: Sequence[Standing]) -> tuple[float, ...]:
    """Return the scores to draw lines for: powers of 2 from below the lowest row to above the highest.

    >>> levels([Standing(name="a", psnr_db=30, runtime_ms=1, score=score) for score in (0.0, 10.4, 92.7)])
    (8.0, 16.0, 32.0, 64.0, 128.0)
    """
    scores = [row.score for row in rows if row.score > 0]
    low, high = math.floor(math.log2(min(scores))), math.ceil(math.log2(max(scores)))
    step = max(1, round((high - low) / 8))
    return tuple(2.0**power for power in range(low, high + step, step))


def _frame(axes: Axes, track: Track, rows: Sequence[Standing]) -> None:
    times, qualities = [row.runtime_ms for row in rows], [row.psnr_db for row in rows]
    margin_db = max(_LEAST_DB, max(qualities) - min(qualities)) * 0.15
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.5, max(times) * 2)
    axes.set_ylim(min(qualities) - margin_db, max(qualities) + margin_db)
    ticks = [tick for power in range(-3, 6) for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)]
    shown = [tick for tick in ticks if min(times) / 1.5 <= tick <= max(times) * 2]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
    axes.set_xlabel("milliseconds an image")
    axes.set_ylabel("PSNR dB")
    axes.set_title(f"{track.title}, ×{track.scale}", fontsize=10)


def _lines(axes: Axes, track: Track, rows: Sequence[Standing]) -> None:
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    times = [left * (right / left) ** (index / (_POINTS - 1)) for index in range(_POINTS)]
    for score in levels(rows):
        line = [(time, track.required_psnr(score, time)) for time in times]
        if track.bicubic_psnr_db is not None:  # at bicubic's PSNR every line would lie on every other
            line = [point for point in line if point[1] > track.bicubic_psnr_db]
        inside = [point for point in line if low <= point[1] <= high]
        if inside:
            axes.plot(*zip(*line, strict=True), color="0.8", linewidth=0.8, zorder=1)
            axes.annotate(f"{score:g}", inside[-1], color="0.5", fontsize=7, ha="right", va="bottom")


def _points(axes: Axes, rows: Sequence[Standing]) -> None:
    front = pareto_front(rows)
    if len(front) > 1:
        axes.step(
            [row.runtime_ms for row in front],
            [row.psnr_db for row in front],
            where="post",
            color="tab:green",
            linewidth=0.8,
            zorder=2,
        )
    for row in rows:
        style: dict[str, Any] = {"marker": "o", "color": "tab:blue"}
        if row.printed is None:
            style = {"marker": "*", "color": "tab:red", "markersize": 13}
        filled = style["color"] if row in front else "white"
        axes.plot(row.runtime_ms, row.psnr_db, linestyle="", markerfacecolor=filled, zorder=3, **style)
        words = f"{row.name} {row.score:.1f}"
        place = (row.runtime_ms, row.psnr_db)
        axes.annotate(words, place, xytext=(6, -9), textcoords="offset points", fontsize=8, zorder=4, parse_math=False)
