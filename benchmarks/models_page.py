"""The page of all models and the README's table, from the catalogues and their cards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import record

from pocketsr.evaluate.bank import SETS
from pocketsr.weights import STYLES, Card, Entry, bundled, defaults, entries, read_card

PAGE = record.ROOT / "docs" / "reference" / "models.md"
_HEAD = """\
# Models

Written by `make docs` from the catalogues of [the package](../../src/pocketsr/weights/catalogue.toml) and of
[the bank](../../bank/catalogue.toml); each name leads to a card with every figure, the training, the data and what the
model is not for. Which to take: [a guide](../guides/models.md).

PSNR in dB by the protocol in the column, of model files, on Set5 / Set14 / BSD100. *Loses* is the most that the int8
file loses to float32 in any figure of its card; *paper* is what a table prints for the float network, trained on DIV2K
and for much longer. **Bold**: taken where no model is named.
"""
_COLUMNS = "| | scale | for | network, parameters | protocol | bicubic | float32 | int8 | loses | paper | hours | kB |"


def page() -> str:
    """Return the page."""
    lines = [_HEAD]
    for title, is_bundled in (("In the package", True), ("In the bank", False)):
        chosen = [entry for entry in entries() if entry.is_bundled is is_bundled]
        lines += [f"## {title}", ""]
        if not chosen:
            lines += ["None so far.", ""]
            continue
        lines += [_COLUMNS, "|---" * _COLUMNS.count(" | ") + "|---|", *_rows(chosen), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def readme_table() -> list[str]:
    """Return the README's table: bundled int8 models beside bicubic, by the first protocol of their cards."""
    lines = ["| | for | protocol | " + " | ".join(SETS) + " | int8 loses |", "|---|---|---|" + "---|" * (len(SETS) + 1)]
    seen: set[tuple[int, str]] = set()
    known = [entry for entry in bundled() if entry.precision == "int8"]
    for entry in sorted(known, key=lambda one: (one.scale, one.style, one.order or 99, one.name)):
        card = _card(entry)
        scores = _first(card)
        protocol = scores[0].protocol
        if (entry.scale, protocol) not in seen:
            seen.add((entry.scale, protocol))
            figures = " | ".join(f"{one.bicubic_db:.3f}" for one in scores)
            lines.append(f"| bicubic ×{entry.scale} | | `{protocol}` | {figures} | |")
        figures = " | ".join("–" if one.int8_db is None else f"{one.int8_db:.3f}" for one in scores)
        loses = "" if card.int8_drop_db is None else f"{card.int8_drop_db:.3f}"
        kind = entry.style + (", luma" if entry.channels == 1 else "")
        lines.append(f"| {entry.name} | {kind} | `{protocol}` | {figures} | {loses} |")
    return lines


def _rows(chosen: Iterable[Entry]) -> Iterator[str]:
    taken = {entry.name for style in STYLES for entry in defaults(style).values()}
    cards = {entry.card: (entry, _card(entry)) for entry in chosen}
    for entry, card in sorted(cards.values(), key=lambda pair: (pair[1].network, pair[1].scale, pair[1].name)):
        scores = _first(card)
        name = f"**{card.name}**" if card.name in taken else card.name
        link = Path(os.path.relpath(entry.folder / entry.card, PAGE.parent)).as_posix()
        figures = [[one.bicubic_db for one in scores], [one.float32_db for one in scores]]
        figures += [[one.int8_db for one in scores]]
        hours = "–" if card.training.hours is None else f"{card.training.hours:.1f}"
        sizes = " + ".join(f"{file.bytes / 1000:.0f}" for file in card.files)
        cells = [
            f"[{name}]({link})",
            f"×{card.scale}",
            card.style + (", luma" if card.channels == 1 else ""),
            f"{card.network}, {card.parameters:,}",
            f"`{scores[0].protocol}`",
            *(_together(values) for values in figures),
            "–" if card.int8_drop_db is None else f"{card.int8_drop_db:.3f}",
            _together([one.paper_db for one in scores]),
            hours,
            sizes,
        ]
        yield "| " + " | ".join(cells) + " |"


def _first(card: Card) -> list:
    return [one for one in card.scores if one.protocol == card.scores[0].protocol]


def _together(values: list[float | None]) -> str:
    return "–" if None in values else " / ".join(f"{value:.2f}" for value in values)


def _card(entry: Entry) -> Card:
    return read_card(entry.folder / entry.card)
