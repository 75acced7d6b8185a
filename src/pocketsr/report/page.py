"""One HTML page from records, with everything inside it.

    runs ── compare ──> for each scale: means; for each set: plots, outputs side by side, every image

Nothing is fetched when the page is opened: style, script, plots and images are in the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from importlib import resources

from pocketsr.report.crops import choose, cut, saved_outputs
from pocketsr.report.facts import runs_of
from pocketsr.report.gallery import Encoder, gallery, gallery_figure
from pocketsr.report.graphs import graphs
from pocketsr.report.markup import Markup, element, join
from pocketsr.report.runs import Comparison, DataSet, Run
from pocketsr.report.sections import compared, every_image, means_section
from pocketsr.report.tables import differences


@dataclasses.dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        html: The file's text.
        notes: What could not be shown, in words.
    """

    html: str
    notes: tuple[str, ...]


def make_page(
    comparisons: Sequence[Comparison],
    *,
    title: str = "",
    encoder: Encoder | None = None,
    on_set: Callable[[int, int], None] | None = None,
) -> Page:
    """Return the page.

    Args:
        comparisons: What :func:`pocketsr.report.compare` gave; at least one.
        title: Of the page; empty for the names of the models.
        encoder: How images are kept.
        on_set: Called with (sets done, sets in all).

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: A saved output is missing or of another size.
    """
    encoder = encoder or Encoder()
    title = title or default_title(comparisons)
    notes: list[str] = []
    sections, links = [], [("compared", "What was compared")]
    total, done = sum(len(comparison.sets) for comparison in comparisons), 0
    for comparison in comparisons:
        name = f"x{comparison.scale}"
        links.append((name, f"Means at ×{comparison.scale}"))
        parts = [element("h2", f"At ×{comparison.scale}"), means_section(comparison)]
        for number, data in enumerate(comparison.sets):
            anchor = f"{name}-set{number}"
            links.append((anchor, f"{data.label} ×{comparison.scale}"))
            part, missing = _set_section(comparison, data, anchor, encoder)
            parts.append(part)
            notes += missing
            done += 1
            if on_set is not None:
                on_set(done, total)
        sections.append(element("section", *parts, id=name))
    lead = lead_of(comparisons)
    body = join(
        element("header", element("h1", title), element("p", lead, class_="lead")),
        element("nav", element("ul", *(_link(*link) for link in links)), aria_label="Contents"),
        element("main", compared(comparisons, notes), *sections),
        element("footer", element("p", "Made by pocketsr report. Nothing in this page is loaded from elsewhere.")),
        element("script", Markup(_part("page.js"))),
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(_part("page.css"))),
    )
    page = element("html", element("head", head), element("body", body), lang="en")
    return Page(f"<!DOCTYPE html>\n{page}\n", tuple(notes))


def default_title(comparisons: Sequence[Comparison]) -> str:
    """Return the names of the models."""
    names = list(dict.fromkeys(run.record.model.name for run in runs_of(comparisons)))
    if len(names) > 3:
        return f"{names[0]} and {len(names) - 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def lead_of(comparisons: Sequence[Comparison]) -> str:
    """Return in one line what was compared."""
    parts = []
    for comparison in comparisons:
        count = len(comparison.runs)
        parts.append(
            f"{count} {'model' if count == 1 else 'models'} at ×{comparison.scale} on "
            f"{', '.join(data.label for data in comparison.sets)} under {', '.join(comparison.protocols)}"
        )
    return f"{'; '.join(parts)}."


def _set_section(comparison: Comparison, data: DataSet, anchor: str, encoder: Encoder) -> tuple[Markup, Sequence[str]]:
    protocol = _protocol_of(comparison, data)
    drawn = graphs(comparison, data, protocol, prefix=anchor) if protocol else []
    outputs, notes = saved_outputs(comparison.runs, data)
    figures: list[Markup] = []
    if outputs is not None:
        ranking = _ranking(comparison, data, protocol, outputs.runs)
        figures = [
            gallery_figure(comparison, data, protocol, cut(outputs, place), encoder)
            for place in choose(outputs, ranking)
        ]
    section = element(
        "section",
        element("h3", f"{data.label} at ×{comparison.scale}"),
        join(element("h4", "Plots"), element("div", *drawn, class_="plots")) if drawn else join(),
        gallery(figures, notes),
        element("h4", "Every image"),
        every_image(comparison, data),
        id=anchor,
    )
    return section, notes


def _protocol_of(comparison: Comparison, data: DataSet) -> str:
    """Return the first protocol with PSNR of a set; plots and rankings follow it. Empty where there is none."""
    for protocol in comparison.protocols:
        if any("psnr_db" in comparison.figures(run, data, protocol) for run in comparison.runs):
            return protocol
    return ""


def _ranking(comparison: Comparison, data: DataSet, protocol: str, runs: Sequence[Run]) -> dict[str, float]:
    """Return the figure by which images are called worst, median and best: gain of the second model, or PSNR."""
    if len(runs) > 1:
        return differences(comparison, data, protocol, (runs[0], runs[1]))
    values = comparison.per_image(runs[0], data, protocol, "psnr_db")
    return {image: value for image, value in values.items() if value is not None}


def _link(anchor: str, words: str) -> Markup:
    return element("li", element("a", words, href=f"#{anchor}"))


def _part(name: str) -> str:
    return resources.files("pocketsr.report").joinpath(name).read_text(encoding="utf-8").strip()
