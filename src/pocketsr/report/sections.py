"""The parts of the page that are words and tables: what was compared, means, every image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pocketsr.report import facts
from pocketsr.report.captions import caption
from pocketsr.report.markup import Markup, element, join
from pocketsr.report.runs import Comparison, DataSet
from pocketsr.report.tables import NOTHING, Cell, differences, figure, heading, means, signed


def compared(comparisons: Sequence[Comparison], notes: Sequence[str]) -> Markup:
    """Return the section that says what was compared, on what, by which rules, how and where."""
    runs = facts.runs_of(comparisons)
    cautions = [*facts.cautions(comparisons), *facts.unavailable(comparisons), *notes]
    about = [
        element(
            "div",
            element("h4", run.label),
            element("pre", run.record.command),
            element(
                "p",
                " · ".join(
                    filter(
                        None,
                        (
                            run.record.date,
                            run.record.processor,
                            f"commit {run.record.commit}" if run.record.commit else "commit not known",
                            *(f"{name} {version}" for name, version in run.record.versions.items()),
                        ),
                    )
                ),
                class_="provenance",
            ),
            class_="run",
        )
        for run in runs
    ]
    return element(
        "section",
        element("h2", "What was compared"),
        element("h3", "Models"),
        table("Models", facts.MODEL_COLUMNS, facts.model_rows(comparisons)),
        element("h3", "Data"),
        table("Data", ("set", "images", "sha256"), facts.data_rows(comparisons), class_="hashes"),
        element("h3", "Protocols"),
        element("dl", *_definitions(facts.protocol_rows(comparisons))),
        element("h3", "To keep in mind") if cautions else join(),
        element("ul", *(element("li", line) for line in cautions), class_="notes") if cautions else join(),
        element("h3", "How it was made"),
        *about,
        id="compared",
    )


def table(label: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, class_: str | None = None) -> Markup:
    """Return a plain table that scrolls by itself where it is wider than the page; the first column names the row."""
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", text) for text in row[1:])) for row in rows
    ]
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    return scrolling(label, element("table", element("thead", head), element("tbody", *body), class_=class_))


def scrolling(label: str, content: Markup) -> Markup:
    """Wrap what may be wider than a phone; the keyboard can reach and scroll it."""
    return element("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)


def means_section(comparison: Comparison) -> Markup:
    """Return the tables of means, one for each protocol."""
    parts = []
    for protocol in comparison.protocols:
        found = means(comparison, protocol)
        head = [element("th", "set", scope="col"), element("th", "model", scope="col")]
        for metric in found.metrics:
            name, way = heading(comparison, metric)
            arrow = "↑" if comparison.metrics[metric].is_higher_better else "↓"
            head.append(
                element(
                    "th",
                    f"{name} ",
                    element("span", arrow, aria_hidden="true", title=way),
                    element("span", f" ({way})", class_="unseen"),
                    scope="col",
                )
            )
        bodies = []
        for data, rows in found.rows:
            lines = []
            for number, (label, cells) in enumerate(rows):
                first = element("th", data.label, scope="rowgroup", rowspan=len(rows)) if number == 0 else join()
                lines.append(
                    element("tr", first, element("th", label, scope="row"), *(_mean_cell(cell) for cell in cells))
                )
            bodies.append(element("tbody", *lines))
        label = f"Means at ×{comparison.scale} under {protocol}"
        words = (
            f"Means over the images of each set, protocol {protocol}. Differences are to {comparison.runs[0].label}; "
            f"the best of a set is marked; {NOTHING} stands for no figure: not asked for, or infinite."
        )
        parts += [
            element("h4", f"Protocol {protocol}"),
            scrolling(label, element("table", element("thead", element("tr", *head)), *bodies, class_="means")),
            caption(words, comparison.runs, comparison.sets, name="div"),
        ]
    return join(element("h3", "Means"), *parts)


def _mean_cell(cell: Cell) -> Markup:
    if cell.value is None:
        return element("td", cell.text)
    shown = element("strong", cell.text, element("span", " (best)", class_="unseen")) if cell.is_best else cell.text
    if not cell.difference:
        return element("td", shown, class_="best" if cell.is_best else None)
    kind, words = {True: ("better", " better"), False: ("worse", " worse"), None: ("equal", "")}[cell.is_better]
    change = element("small", cell.difference, element("span", words, class_="unseen"), class_=kind)
    return element("td", shown, " ", change, class_="best" if cell.is_best else None)


def every_image(comparison: Comparison, data: DataSet) -> Markup:
    """Return the tables of single images, closed at first, one for each protocol."""
    return join(*(_images_under(comparison, data, protocol) for protocol in comparison.protocols))


def _images_under(comparison: Comparison, data: DataSet, protocol: str) -> Markup:
    runs = [run for run in comparison.runs if comparison.figures(run, data, protocol)]
    if not runs:
        return join()
    columns = ["image"]
    values: list[tuple[str, dict[str, float | None]]] = []
    for metric in comparison.metrics:
        name, _ = heading(comparison, metric)
        for run in runs:
            found = comparison.per_image(run, data, protocol, metric)
            if found:
                columns.append(f"{name} {run.label}")
                values.append((metric, dict(found)))
    changes: dict[str, float] = {}
    if len(runs) > 1:
        changes = differences(comparison, data, protocol, (runs[0], runs[1]))
    if changes:
        columns.append(f"PSNR, dB {runs[1].label} − {runs[0].label}")
    # The order of loss says most at a glance; without two models it is the data's.
    order = sorted(data.images, key=lambda image: changes.get(image, float("inf")))
    rows = []
    for image in order:
        cells = [element("th", image, scope="row")]
        for metric, found in values:
            value = found.get(image)
            cells.append(element("td", figure(value, comparison.metrics[metric].unit), data_value=_sortable(value)))
        if changes:
            change = changes.get(image)
            shown = NOTHING if change is None else signed(change, "dB")
            cells.append(element("td", shown, data_value=_sortable(change)))
        rows.append(element("tr", *cells))
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    made = element("table", element("thead", head), element("tbody", *rows), class_="sortable")
    label = f"Every image of {data.label} at ×{comparison.scale} under {protocol}"
    return element(
        "details",
        element("summary", f"{len(data.images)} images under protocol {protocol}"),
        scrolling(label, made),
        caption(f"Figures of every image, protocol {protocol}.", runs, [data], name="div"),
        class_="images",
    )


def _sortable(value: float | None) -> str | None:
    return None if value is None else repr(value)


def _definitions(rows: Iterable[tuple[str, str]]) -> list[Markup]:
    return [join(element("dt", name), element("dd", words)) for name, words in rows]
