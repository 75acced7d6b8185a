"""The text of a model card, written from its head for people.

Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence

from pocketsr.weights.card import Card, Score, head

#: What each kind of input is called in a sentence.
_INPUTS = {
    "clean": "images without compression faults",
    "jpeg": "photos that are JPEG of good quality",
    "jpeg-444": "photos that are JPEG of good quality, colour at full resolution (4:4:4)",
    "jpeg-coarse": "photos that were stored as JPEG so coarsely that it shows",
    "gan": "images that should look sharp, texture invented",
}


def card_text(card: Card) -> str:
    """Return the whole card: the head between lines of ``---``, and the text."""
    return f"---\n{head(card)}---\n\n{_text(card)}\n"


def _text(card: Card) -> str:
    colour = "RGB" if card.channels == 3 else "luma, colour by bicubic"
    sees = "the whole image" if card.receptive_field is None else f"{card.receptive_field} pixels to each side"
    macs = "" if card.gmacs_720p is None else f", {card.gmacs_720p:.2f} GMAC for 1280×720"
    lines = [
        f"# {card.name}",
        "",
        card.summary,
        "",
        f"×{card.scale}, {colour}, for {_INPUTS.get(card.style, card.style)}; network `{card.network}`, "
        f"{card.parameters:,} parameters{macs}; sees {sees}.",
        "",
        "**For**",
        "",
        *(f"- {words}" for words in card.intended_use),
        "",
        "**Not for**",
        "",
        *(f"- {words}" for words in card.known_failures),
        "",
        "**Files**",
        "",
        "| name | file | arithmetic | made by | kB |",
        "|---|---|---|---|---|",
        *(
            f"| {one.name} | {one.file} | {one.precision} | {one.made_by} | {one.bytes / 1000:.0f} |"
            for one in card.files
        ),
        "",
        f"Licence of the weights: {card.licence}.",
        "",
        "**Figures**: PSNR in dB",
        "",
        *_scores(card.scores),
        "",
        *_training(card),
    ]
    if card.speed:
        lines += [
            "",
            "**Speed**, array in, array out",
            "",
            "| | input | threads | ms, median | on |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {one.name} | {one.width}×{one.height} | {one.threads} | {one.median_ms:.1f} | {one.processor} |"
            for one in card.speed
        ]
    return "\n".join(lines)


def _scores(scores: Sequence[Score]) -> list[str]:
    rows = [
        "| set | protocol | bicubic | float32 | int8 | int8 loses | PTQ | paper |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in scores:
        paper = _figure(one.paper_db, 2) + (f" ({one.paper})" if one.paper else "")
        cells = [one.data, f"`{one.protocol}`", *map(_figure, (one.bicubic_db, one.float32_db, one.int8_db))]
        cells += [_figure(one.drop_db), _figure(one.ptq_db), paper]
        rows.append("| " + " | ".join(cells) + " |")
    rows += [
        "",
        "*PTQ*: the float network quantised after training (the largest values over training images), for comparison. "
        "*Paper*: the float network as that table prints it, trained on DIV2K and for much longer.",
    ]
    return rows


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _training(card: Card) -> list[str]:
    training, data = card.training, card.data
    steps = ", then ".join(f"{count:,} steps `{name}`" for name, count in training.steps.items())
    hours = "" if training.hours is None else f", {training.hours:.1f} hours"
    lines = ["**Training**", "", f"`{training.command}`: {steps}{hours}, on {training.hardware}."]
    licences = ", ".join(f"{count} {licence}" for licence, count in data.licences.items())
    count = "" if data.images is None else f"; {data.images} images"
    lines += ["", f"Data: {data.description}{count}" + (f" ({licences})." if licences else ".")]
    if card.curve:
        lines += ["", f"Learning curve and the recipe as it was run: `{card.curve}` in the repository."]
    return lines
