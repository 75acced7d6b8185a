"""Plots as SVG that stands inside a page and takes its colours from it, in light and in dark.

matplotlib draws in stand-in colours, one for each role; they become CSS variables afterwards. Text stays text, so that
it can be read aloud, searched and enlarged. Knows numbers and labels only.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pocketsr.errors import MissingExtraError
from pocketsr.report.markup import Markup, element

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Series in a row; the eighth looks like the first but for its marker.
SERIES = 7
#: Shapes go round by eight, so that colour is never the only difference.
_MARKERS = "osD^vPX*"
_INK, _FAINT, _BETTER, _WORSE = "#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04"
_STAND_INS = {
    _INK: "var(--ink)",
    _FAINT: "var(--line)",
    _BETTER: "var(--better)",
    _WORSE: "var(--worse)",
    **{f"#0b0b{number:02x}": f"var(--series-{number})" for number in range(SERIES)},
}
#: Inches; a phone shows it a little smaller than a desktop.
_SIZE = (4.7, 3.3)
_FONT_POINTS = 10


@dataclasses.dataclass(frozen=True)
class Point:
    """One model in a plane.

    Attributes:
        label: Its name.
        series: Its number among the models, which chooses colour and marker.
        x: Across.
        y: Up.
    """

    label: str
    series: int
    x: float
    y: float


def scatter(
    points: Sequence[Point], *, x_label: str, y_label: str, name: str, alt: str, is_log: bool = False
) -> Markup:
    """Draw models as labelled points.

    Args:
        points: At least one.
        x_label: Words along the horizontal axis.
        y_label: Words along the vertical axis.
        name: Unique in the page.
        alt: What the plot shows, for those who cannot see it.
        is_log: The horizontal axis grows by factors.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = _canvas()
    if is_log:
        axes.set_xscale("log")
    for point in points:
        marker = _MARKERS[point.series % len(_MARKERS)]
        axes.plot(point.x, point.y, marker, color=_colour(point.series), markersize=8, clip_on=False, zorder=3)
    axes.margins(x=0.18, y=0.16)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if is_log:
        _plain_ticks(axes)
    _label(figure, axes, points)
    return _svg(figure, name, alt)


def sorted_differences(values: Sequence[float], *, y_label: str, name: str, alt: str) -> Markup:
    """Draw differences from the least to the greatest, gains and losses in their colours.

    Args:
        values: Any order; at least one.
        y_label: Words along the vertical axis.
        name: Unique in the page.
        alt: What the plot shows.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = _canvas()
    ordered = sorted(values)
    edges = [place - 0.5 for place in range(1, len(ordered) + 2)]
    for colour, part in ((_WORSE, [min(v, 0.0) for v in ordered]), (_BETTER, [max(v, 0.0) for v in ordered])):
        axes.stairs(part, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
        axes.stairs(part, edges, color=colour, linewidth=1.2)
    axes.axhline(0, color=_INK, linewidth=1)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("images, sorted")
    axes.set_ylabel(y_label)
    axes.locator_params(axis="x", integer=True)
    return _svg(figure, name, alt)


def _canvas() -> tuple[Figure, Axes]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.for_extra("matplotlib", "train") from error
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)  # it can measure text
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_INK)
    axes.tick_params(which="both", colors=_INK, labelsize=_FONT_POINTS)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.grid(color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _colour(series: int) -> str:
    return f"#0b0b{series % SERIES:02x}"


def _plain_ticks(axes: Axes) -> None:
    """Write 20,000 rather than 2×10⁴, at places that any span has some of."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _label(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    """Write each name beside its point, at the first of six places where it covers no other name or point."""
    figure.draw_without_rendering()
    renderer = getattr(figure.canvas, "get_renderer")()  # noqa: B009
    frame = figure.bbox
    taken: list[Any] = []
    spots = [axes.transData.transform((point.x, point.y)) for point in points]
    for number, point in enumerate(points):
        places = [
            (9, 0, "left"),
            (-9, 0, "right"),
            (0, 13, "center"),
            (0, -13, "center"),
            (9, 13, "left"),
            (9, -13, "left"),
        ]
        best: tuple[float, Any] | None = None
        for dx, dy, side in places:
            note = axes.annotate(
                point.label,
                (point.x, point.y),
                xytext=(dx, dy),
                textcoords="offset points",
                ha=side,
                va="center",
                color=_colour(point.series),
                fontsize=_FONT_POINTS,
                annotation_clip=False,
                parse_math=False,
            )
            note.set_in_layout(False)
            box = note.get_window_extent(renderer)
            outside = max(0, frame.x0 - box.x0) + max(0, box.x1 - frame.x1)
            outside += max(0, frame.y0 - box.y0) + max(0, box.y1 - frame.y1)
            hidden = sum(box.overlaps(other) for other in taken)
            hidden += sum(box.contains(*spot) for place, spot in enumerate(spots) if place != number)
            cost = outside + 1000 * hidden
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, note)
            else:
                note.remove()
        assert best is not None
        taken.append(best[1].get_window_extent(renderer))


def _svg(figure: Figure, name: str, alt: str) -> Markup:
    """Return the drawing as an element of the page: names unique, colours the page's, nothing from outside."""
    import matplotlib as mpl

    name = re.sub(r"\W+", "-", name)
    stream = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "font.size": _FONT_POINTS}
    with mpl.rc_context(settings):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    view = re.search(r'viewBox="([^"]+)"', text)
    assert view is not None
    body = text[text.index(">", view.end()) + 1 : text.rindex("</svg>")]
    body = re.sub(r"<!--.*?-->|<style\b.*?</style>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)  # the page's
    for stand_in, colour in _STAND_INS.items():
        body = body.replace(stand_in, colour)
    body = re.sub(r"\n\s*", "\n", body).strip()
    return element("svg", Markup(body), role="img", viewBox=view.group(1), aria_label=alt)
