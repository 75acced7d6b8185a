"""The plots of one set: what they show, and whose figures they can show.

PSNR over each cost that is known; perception over distortion, where a perceptual metric was asked for; the differences
of the first two models, image by image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean, median

from pocketsr.report.captions import caption
from pocketsr.report.facts import threads
from pocketsr.report.markup import Markup, element
from pocketsr.report.plots import Point, scatter, sorted_differences
from pocketsr.report.runs import Comparison, DataSet, Run
from pocketsr.report.tables import differences, heading

#: Metrics that look at images as people do, by the first word of their names.
PERCEPTUAL = frozenset({"lpips", "dists", "niqe", "pi", "brisque", "nrqm", "ma"})
#: Where the greatest cost is so many times the least, the axis grows by factors.
_LOG_FROM = 8.0


def graphs(comparison: Comparison, data: DataSet, protocol: str, *, prefix: str) -> list[Markup]:
    """Return the figures of a set under one protocol; none where there is nothing to plot.

    Args:
        comparison: The runs.
        data: The set.
        protocol: Under which PSNR is read.
        prefix: Makes names unique in the page.
    """
    found = [
        _cost(comparison, data, protocol, f"{prefix}-parameters", "parameters", _parameters),
        _cost(comparison, data, protocol, f"{prefix}-gmacs", "GMAC to 1280×720", _gmacs),
        _latency(comparison, data, protocol, f"{prefix}-latency"),
    ]
    felt = [name for name in comparison.metrics if name.lower().replace("-", "_").split("_")[0] in PERCEPTUAL]
    found += [_perception(comparison, data, protocol, name, f"{prefix}-{name}") for name in felt]
    found.append(_differences(comparison, data, protocol, f"{prefix}-differences"))
    return [figure for figure in found if figure is not None]


def rmse(comparison: Comparison, run: Run, data: DataSet, protocol: str) -> float | None:
    """Return the root of the mean squared error over all images, levels of 255.

    The PIRM challenge counts distortion so. It is worked out from the PSNR of every image; None where one is missing.
    """
    values = comparison.per_image(run, data, protocol, "psnr_db").values()
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return math.sqrt(fmean(255.0**2 * 10 ** (-value / 10) for value in known))


def _parameters(run: Run) -> float | None:
    return run.record.model.parameters


def _gmacs(run: Run) -> float | None:
    return run.record.model.gmacs_720p


def _cost(
    comparison: Comparison,
    data: DataSet,
    protocol: str,
    name: str,
    label: str,
    cost: Callable[[Run], float | None],
    *,
    words: str = "",
) -> Markup | None:
    points, runs, absent = [], [], []
    for number, run in enumerate(comparison.runs):
        x, y = cost(run), comparison.figures(run, data, protocol).get("psnr_db")
        if x is None or y is None:
            absent.append(run.label)
        else:
            points.append(Point(run.label, number, x, y))
            runs.append(run)
    if len(points) < 2:
        return None
    costs = [point.x for point in points]
    alt = f"PSNR over {label} on {data.label}: " + "; ".join(
        f"{point.label} {point.y:.3f} dB at {point.x:,.6g}" for point in points
    )
    svg = scatter(
        points,
        x_label=label,
        y_label=f"PSNR, dB ({protocol})",
        name=name,
        alt=alt,
        is_log=min(costs) > 0 and max(costs) / min(costs) > _LOG_FROM,
    )
    left_out = f" Not known, and left out: {', '.join(absent)}." if absent else ""
    text = f"PSNR over {label}, {data.label} ×{comparison.scale}; up and to the left is better.{words}{left_out}"
    return element("figure", svg, caption(text, runs, [data]))


def _latency(comparison: Comparison, data: DataSet, protocol: str, name: str) -> Markup | None:
    """Plot only what was measured alike: same processor, size and threads as the first that was measured."""
    first = next((run for run in comparison.runs if run.record.latency is not None), None)
    if first is None or first.record.latency is None:
        return None
    latency = first.record.latency

    def terms(run: Run) -> tuple[object, ...] | None:
        one = run.record.latency
        return None if one is None else (run.record.processor, one.height, one.width, one.threads)

    def cost(run: Run) -> float | None:
        one = run.record.latency
        return one.median_ms if one is not None and terms(run) == terms(first) else None

    words = f" Median for an input of {latency.width}×{latency.height} with {threads(latency.threads)}."
    others = [run.label for run in comparison.runs if run.record.latency is not None and terms(run) != terms(first)]
    if others:
        words += f" Measured otherwise: {', '.join(others)}."
    return _cost(comparison, data, protocol, name, "milliseconds an image", cost, words=words)


def _perception(comparison: Comparison, data: DataSet, protocol: str, metric: str, name: str) -> Markup | None:
    points, runs = [], []
    for number, run in enumerate(comparison.runs):
        distortion = rmse(comparison, run, data, protocol)
        # A perceptual metric may be known under another protocol than PSNR's.
        figures = [comparison.figures(run, data, other) for other in (protocol, *comparison.protocols)]
        felt = next((found[metric] for found in figures if found.get(metric) is not None), None)
        if distortion is not None and felt is not None:
            points.append(Point(run.label, number, distortion, felt))
            runs.append(run)
    if len(points) < 2:
        return None
    label, way = heading(comparison, metric)
    alt = f"{label} over distortion on {data.label}: " + "; ".join(
        f"{point.label} {point.y:.4f} at RMSE {point.x:.3f}" for point in points
    )
    svg = scatter(points, x_label=f"RMSE, levels of 255 ({protocol})", y_label=label, name=name, alt=alt)
    text = (
        f"Perception and distortion, {data.label} ×{comparison.scale}: {label} ({way}) over the root of the mean "
        "squared error of all images (lower is better), worked out from their PSNR."
    )
    return element("figure", svg, caption(text, runs, [data]))


def _differences(comparison: Comparison, data: DataSet, protocol: str, name: str) -> Markup | None:
    runs = [run for run in comparison.runs if comparison.per_image(run, data, protocol, "psnr_db")][:2]
    if len(runs) < 2:
        return None
    found = differences(comparison, data, protocol, (runs[0], runs[1]))
    if not found:
        return None
    values = list(found.values())
    better = sum(value > 0 for value in values)
    text = (
        f"PSNR of {runs[1].label} less that of {runs[0].label}, image by image, sorted; {data.label} "
        f"×{comparison.scale}. {runs[1].label} is better on {better} of {len(values)} images; median difference "
        f"{median(values):+.3f} dB, from {min(values):+.3f} to {max(values):+.3f} dB."
    )
    svg = sorted_differences(values, y_label=f"difference of PSNR, dB ({protocol})", name=name, alt=text)
    return element("figure", svg, caption(text, runs, [data]))
