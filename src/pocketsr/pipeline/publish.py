"""Places of released models in a checkout: files, cards, catalogue entries and curves, put there and moved.

Knows nothing of how a model was made.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketsr.pipeline.measure import write_text
from pocketsr.weights import Card, CardFile, Entry, card_text
from pocketsr.weights.catalogue import read_catalogue
from pocketsr.weights.shelf import Shelf


def publish(
    card: Card,
    files: Mapping[str, Path],
    checkpoint: Path,
    curve: Mapping[str, Any],
    shelf: Shelf,
    *,
    order: int | None,
) -> None:
    """Put a new model in its place: files first, then what names them; what there was of its name is replaced.

    Args:
        card: The card.
        files: By the names of models.
        checkpoint: The saved network, by the name that it keeps.
        curve: Learning curve and recipe.
        shelf: Where files go; the saved network goes into the bank always.
        order: Of the first file; None keeps what it had.

    Raises:
        SettingError: The other shelf has a model of that name, or a shelf would be too large.
    """
    shelf.require_free(files)
    shelf.require_room(
        card.name, [*files.values(), checkpoint] if shelf.is_bank else list(files.values()), other=checkpoint
    )
    shelf.prepare()
    for name, file in files.items():
        _move(file, shelf.folder / f"{name}.tflite")
    for name in {card.name, f"{card.name}-float"}.difference(files):
        (shelf.folder / f"{name}.tflite").unlink(missing_ok=True)
    _move(checkpoint, shelf.bank / checkpoint.name)
    record = json.dumps(curve, ensure_ascii=False)
    write_text(shelf.root / card.curve, record.replace("], [", "],\n[") + "\n")
    publish_card(card, shelf, order=order, checkpoint=checkpoint.name)


def publish_card(card: Card, shelf: Shelf, *, order: int | None = None, checkpoint: str = "") -> None:
    """Write a card and its entries; other models' entries are kept where they stand.

    Args:
        card: The card.
        shelf: Where its files lie.
        order: Of the first file; None keeps what it had.
        checkpoint: Saved network in the bank; empty keeps what it was.
    """
    write_text(shelf.folder / f"{card.name}.md", card_text(card))
    before = list(read_catalogue(shelf.catalogue))
    known = {entry.name: entry for entry in before}
    made = [
        _entry(card, file, shelf, known.get(file.name), order if not index else None, checkpoint)
        for index, file in enumerate(card.files)
    ]
    own = {entry.name for entry in before if entry.card == f"{card.name}.md"} | {entry.name for entry in made}
    place = next((index for index, entry in enumerate(before) if entry.name in own), len(before))
    after = [*(entry for entry in before[:place]), *made, *(entry for entry in before[place:] if entry.name not in own)]
    shelf.write(after)


def move_model(card: Card, shelf: Shelf, *, order: int = 0) -> None:
    """Move a model to the other shelf: its files, its card and its entries.

    Args:
        card: The card.
        shelf: Where it lies now.
        order: Of its first file there; 0 takes it by name only.

    Raises:
        SettingError: The other shelf would be too large.
    """
    other = dataclasses.replace(shelf, is_bank=not shelf.is_bank)
    before = read_catalogue(shelf.catalogue)
    entries = [entry for entry in before if entry.card == f"{card.name}.md"]
    files = [shelf.folder / entry.file for entry in entries]
    other.prepare()
    other.require_room(card.name, files, other=shelf.bank / entries[0].checkpoint)
    for file in files:
        _move(file, other.folder / file.name)
    shelf.write([entry for entry in before if entry not in entries])
    publish_card(card, other, order=order, checkpoint=entries[0].checkpoint)
    for file in (*files, shelf.folder / f"{card.name}.md"):
        file.unlink()


def _entry(card: Card, file: CardFile, shelf: Shelf, before: Entry | None, order: int | None, checkpoint: str) -> Entry:
    return Entry(
        name=file.name,
        file=file.file,
        scale=card.scale,
        precision=file.precision,  # type: ignore[arg-type]  # read back from a file that was checked
        sha256=file.sha256,
        licence=card.licence,
        data=card.data.description,
        scores=card.figures(file.precision),
        card=f"{card.name}.md",
        network=card.network,
        style=card.style,  # type: ignore[arg-type]
        channels=card.channels,
        order=order if order is not None else (before.order if before else 0),
        checkpoint=checkpoint or (before.checkpoint if before else ""),
        folder=shelf.folder,
    )


def _move(file: Path, place: Path) -> None:
    temporary = place.with_name(f".{place.name}.part")
    shutil.copyfile(file, temporary)
    temporary.replace(place)
