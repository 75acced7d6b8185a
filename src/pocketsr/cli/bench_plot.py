"""Records of ``pocketsr bench`` as pictures: time over size, and quality over time.

    ms │      ╱ a       a sweep has a line for each model on each backend: frames a second fall as pixels grow
       │  ╱  ╱  b
       └────────── megapixels made (both axes logarithmic)

    dB │ ● b            a plane has a point for each model: up is better, left is quicker
       │     ● a
       └────────── ms

Source: Light F2SRGAN's Figure 5 (sweep), PCARN's Figure 13 (plane).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketsr.errors import DataError, MissingExtraError, SettingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pocketsr.bench import Record

_MARKERS = "osD^vPX*"
#: Frames a second that a film and a screen have.
_RATES = (30, 60)


def draw_sweep(record: Record, path: Path) -> None:
    """Draw every model of a record over its sizes.

    Args:
        record: With two sizes or more of some model.
        path: ``.png`` or ``.svg``; replaced where it is there.

    Raises:
        DataError: No model has two sizes.
        SettingError: Another ending.
        MissingExtraError: matplotlib is not installed.
    """
    swept = [one for one in record.results if len(one.sizes) > 1]
    if not swept:
        raise DataError("a sweep needs a model at two sizes or more: give --size more than once")
    figure, axes = _canvas(path)
    for number, one in enumerate(swept):
        sizes = sorted(one.sizes, key=lambda figures: figures.height * figures.width)
        made = [figures.height * figures.width * one.model.scale**2 / 1e6 for figures in sizes]
        label = f"{Path(one.model.name).name}, {one.backend}, {one.threads} threads"
        axes.plot(made, [figures.timing.median_ms for figures in sizes], _MARKERS[number % 8] + "-", label=label)
    low, high = axes.get_ylim()
    for rate in _RATES:
        if low < 1000 / rate < high:
            axes.axhline(1000 / rate, color="0.6", linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{rate} a second", (1, 1000 / rate), xycoords=("axes fraction", "data"), ha="right", va="bottom"
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.set_xlabel("megapixels made")
    axes.set_ylabel("ms a frame (median)")
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def draw_plane(points: Mapping[str, tuple[float, float]], path: Path, *, quality: str) -> None:
    """Draw models as points of quality over time.

    Args:
        points: (milliseconds, quality) by name; at least one.
        path: As ``draw_sweep``.
        quality: Words for the vertical axis, with data, protocol and unit.

    Raises:
        DataError: There is no point.
        SettingError: Another ending.
        MissingExtraError: matplotlib is not installed.
    """
    if not points:
        raise DataError("a plane needs a model with a time and a quality; none came")
    figure, axes = _canvas(path)
    for number, (name, (milliseconds, value)) in enumerate(points.items()):
        axes.plot([milliseconds], [value], _MARKERS[number % 8], markersize=8)
        axes.annotate(name, (milliseconds, value), xytext=(7, 5), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.margins(0.25)
    _plain(axes.xaxis)
    axes.set_xlabel("ms a frame (median), quicker to the left")
    axes.set_ylabel(quality)
    _save(figure, path)


def _canvas(path: Path) -> tuple[Figure, Any]:
    if path.suffix.lower() not in (".png", ".svg"):
        raise SettingError(f"a plot is a .png or .svg, not {path.name!r}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.for_extra("matplotlib", "train") from error
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color="0.9", which="both")
    axes.set_axisbelow(True)
    return figure, axes


def _plain(axis: Any) -> None:
    """Write 20 rather than 2×10¹, at places that any span has some of."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _save(figure: Figure, path: Path) -> None:
    """Write the picture, the same bytes for the same figures."""
    import matplotlib as mpl

    from pocketsr.image import replacing

    form = path.suffix.lower()[1:]
    settings = {"svg.hashsalt": "pocketsr", "svg.fonttype": "none"}  # words stay words
    nothing = {"Software": None} if form == "png" else {"Date": None}
    with replacing(path, overwrite=True) as temporary, mpl.rc_context(settings):
        figure.savefig(temporary, format=form, dpi=110, metadata=nothing)
